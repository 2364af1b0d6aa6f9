package org.tare.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.tare.spark.tasks.MergeAtScale;

/**
 * The measurements of {@code deploy/bench}, each a table of this run's figures: {@code bench PYTHON
 * OUT MODEL CALIBRATE ARRAYS NAME...}, where the model is all-MiniLM-L6-v2, CALIBRATE its table of
 * 128 rows and ARRAYS the same rows as NumPy files.
 */
public final class BenchTable {
  private static final int MANY_TEXTS = 2048;
  private static final int CLUSTER_TEXTS = 4096;
  private static final int FEW_DIGITS = 1000;
  private static final int MANY_DIGITS = 100_000;

  private BenchTable() {}

  /** See above. */
  public static void main(String[] args) throws Exception {
    List<String> arguments = new ArrayList<>(Arrays.asList(args));
    Peer peer = new Peer(arguments.remove(0));
    Path home = Path.of("").toAbsolutePath();
    Path out = Path.of(arguments.remove(0));
    Path model = Path.of(arguments.remove(0));
    Path texts = Path.of(arguments.remove(0));
    Path arrays = Path.of(arguments.remove(0));
    CommandTable commands = new CommandTable(home, out, peer);
    for (String name : arguments) {
      switch (name) {
        case "kernels" -> KernelTable.print(peer);
        case "commands" -> commands.small(model);
        case "calibrators" -> commands.calibrators(model, texts, arrays);
        case "floor" -> {
          Path many = repeated(texts, MANY_TEXTS, out);
          commands.floor(model, many, arrays, MANY_TEXTS);
        }
        case "memory" -> {
          Path digits = home.resolve("src/main/resources/org/tare/demo/digits-train.parquet");
          commands.memory(repeated(digits, FEW_DIGITS, out), repeated(digits, MANY_DIGITS, out));
        }
        case "executors" ->
            ExecutorTable.print(model, repeated(texts, CLUSTER_TEXTS, out), arrays, out);
        case "merge" -> MergeAtScale.print(new int[][] {{500, 100}, {500, 2000}, {2000, 500}});
        case "merge-large" -> MergeAtScale.print(new int[][] {{500, 100}, {2000, 10_000}});
        default -> throw new IllegalArgumentException("There is no measurement " + name);
      }
    }
  }

  private static Path repeated(Path few, int rows, Path out) throws IOException {
    Path target = out.resolve(rows + "-" + few.getFileName());
    try (SparkSession spark = BenchTables.spark()) {
      BenchTables.write(spark, few, rows, target);
    }
    return target;
  }
}
