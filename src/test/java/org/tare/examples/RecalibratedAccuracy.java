package org.tare.examples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.Evaluation;
import org.tare.Recalibration;
import org.tare.Tare;

/**
 * What recalibration gains on the demo's digits: a model is deployed, the pictures change, and
 * {@code recalibrate} makes a model from the changed pictures. Both are evaluated on pictures that
 * are changed in the same way and that neither has seen.
 */
public final class RecalibratedAccuracy {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-";
  private static final String MODEL = DIGITS + "mobilenet.onnx";
  private static final String DAY = "2026-11-25";
  private static final Map<String, Object> PIXELS =
      Map.of("inputs.image.dtype", "uint8", "inputs.image.scale", 1 / 255.0);

  private final SparkSession spark;
  private final Tare tare;
  private final Path folder;

  private RecalibratedAccuracy(SparkSession spark, Path folder) {
    this.spark = spark;
    this.tare = Tare.on(spark);
    this.folder = folder;
  }

  /**
   * Prints the table.
   *
   * @param args a new folder for what is made
   */
  public static void main(String[] args) throws IOException {
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate();
    try {
      new RecalibratedAccuracy(spark, Files.createDirectories(Path.of(args[0]))).print();
    } finally {
      spark.stop();
    }
  }

  private void print() throws IOException {
    tare.run(MODEL).data(DIGITS + "train.parquet").set(PIXELS).output(at("deployed")).run();
    System.out.println(
        "| rows now | float32 top-1 | top-1 before | after | SQNR before | after | outcome |");
    System.out.println("|---|---:|---:|---:|---:|---:|---|");
    Map<String, UnaryOperator<Dataset<Row>>> changes = new LinkedHashMap<>();
    changes.put("unchanged", rows -> rows);
    PictureChanges.all()
        .forEach((name, change) -> changes.put(name, rows -> PictureChanges.apply(change, rows)));
    changes.put("no 1 among them", rows -> rows.where("label <> 1"));
    for (Map.Entry<String, UnaryOperator<Dataset<Row>>> one : changes.entrySet()) {
      row(one.getKey(), one.getValue());
    }
  }

  private void row(String name, UnaryOperator<Dataset<Row>> change) throws IOException {
    String place = name.replaceAll("[^a-zA-Z0-9]+", "-");
    String data = at(place + "/rows");
    String validation = at(place + "/validation");
    change.apply(spark.read().parquet(DIGITS + "train.parquet")).write().parquet(data);
    change.apply(spark.read().parquet(DIGITS + "validation.parquet")).write().parquet(validation);
    copy(Path.of(at("deployed")), Path.of(at(place + "/deployed")));
    Evaluation before = evaluate(at("deployed"), validation);
    Recalibration made =
        tare.recalibrate(MODEL)
            .data(data)
            .validation(validation)
            .label("label")
            .store(at(place + "/states"), DAY)
            .window("1d", DAY)
            .metric("sqnr", 0)
            .set(PIXELS)
            .output(at(place + "/deployed"))
            .run();
    Evaluation after = evaluate(at(place + "/deployed"), validation);
    System.out.printf(
        Locale.ROOT,
        "| %s | %.4f | %.4f | %.4f | %.1f dB | %.1f dB | `%s` |%n",
        name,
        before.outputs().get("logits").floatTop1(),
        before.outputs().get("logits").quantizedTop1(),
        after.outputs().get("logits").quantizedTop1(),
        before.outputs().get("logits").sqnr(),
        after.outputs().get("logits").sqnr(),
        made.outcome().id());
  }

  private Evaluation evaluate(String output, String rows) {
    return tare.evaluate(MODEL, output + "/model.onnx").data(rows).label("label").set(PIXELS).run();
  }

  private String at(String name) {
    return folder.resolve(name).toString();
  }

  private static void copy(Path from, Path to) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(from)) {
      files = all.toList();
    }
    for (Path file : files) {
      Files.copy(file, to.resolve(from.relativize(file).toString()));
    }
  }
}
