package org.tare.examples;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.Quantized;
import org.tare.Tare;
import org.tare.drift.Drift;
import org.tare.drift.DriftReport;
import org.tare.drift.DriftThresholds;
import org.tare.drift.TensorDrift;
import org.tare.drift.Verdict;
import org.tare.quant.QParams;
import org.tare.stats.CalibrationState;
import org.tare.stats.Duplicates;

/**
 * What drift says of the demo's digits: 100 seeded splits of unchanged rows, and the same splits
 * with pictures changed on one side. Rows are calibrated once in 100 shards, and the splits are
 * sums of shards. Fails unless all unchanged splits are stable and all changes are found.
 */
public final class DriftSplits {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-";
  private static final String UNCHANGED = "unchanged";
  private static final int SHARDS = 100;

  /** Of a hundred shards: about 2,100 rows against 4,900. */
  private static final int CURRENT_SHARDS = 30;

  private static final int SPLITS = 100;
  private static final int CHANGED_SPLITS = 10;
  private static final int NAMED_TENSORS = 3;

  private DriftSplits() {}

  public static void main(String[] args) {
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate();
    boolean isGood;
    try {
      isGood = table(Tare.on(spark), tables(spark));
    } finally {
      spark.stop();
    }
    if (!isGood) {
      System.err.println("drift: a change was missed, or seen where there is none");
      System.exit(1);
    }
  }

  /** Prints the table; tells whether all is as it should be. */
  private static boolean table(Tare tare, Map<String, Dataset<Row>> tables) {
    Map<String, CalibrationState> unchanged = calibrate(tare, tables.get(UNCHANGED));
    Quantized quantized =
        tare.quantize(DIGITS + "mobilenet.onnx")
            .state(sum(unchanged.values()))
            .set("quantize.measure-rows", 0)
            .run();
    SortedMap<String, QParams> deployed = new TreeMap<>();
    quantized.qparams().forEach((name, chosen) -> deployed.put(name, chosen.qparams()));
    System.out.println(
        "| rows now | splits | stable | moved a little | moved | effect | most moved | why |");
    System.out.println("|---|---:|---:|---:|---:|---|---|---|");
    boolean isGood = true;
    for (Map.Entry<String, Dataset<Row>> one : tables.entrySet()) {
      boolean isChanged = !one.getKey().equals(UNCHANGED);
      Map<String, CalibrationState> now = isChanged ? calibrate(tare, one.getValue()) : unchanged;
      int[] verdicts = row(one.getKey(), now, unchanged, deployed, isChanged);
      int stable = verdicts[Verdict.STABLE.ordinal()];
      isGood &= isChanged ? stable == 0 : stable == SPLITS;
    }
    return isGood;
  }

  private static Map<String, Dataset<Row>> tables(SparkSession spark) {
    Dataset<Row> rows =
        spark
            .read()
            .parquet(DIGITS + "train.parquet")
            .selectExpr("id", "image", "label", "pmod(hash(id), " + SHARDS + ") AS shard");
    Map<String, Dataset<Row>> tables = new LinkedHashMap<>();
    tables.put(UNCHANGED, rows);
    PictureChanges.all()
        .forEach((name, change) -> tables.put(name, PictureChanges.apply(change, rows)));
    for (int label = 0; label < 10; label++) {
      tables.put("no " + label + " among them", rows.where("label <> " + label));
    }
    return tables;
  }

  private static Map<String, CalibrationState> calibrate(Tare tare, Dataset<Row> rows) {
    return tare.calibrate(DIGITS + "mobilenet.onnx")
        .data(rows)
        .by("shard")
        .set(Map.of("inputs.image.dtype", "uint8", "inputs.image.scale", 1 / 255.0))
        .run()
        .slices();
  }

  /** Prints a row of the table; returns how often each verdict was given. */
  private static int[] row(
      String name,
      Map<String, CalibrationState> now,
      Map<String, CalibrationState> unchanged,
      Map<String, QParams> deployed,
      boolean isChanged) {
    int[] verdicts = new int[Verdict.values().length];
    double least = Double.POSITIVE_INFINITY;
    double most = 0;
    DriftReport report = null;
    for (int seed = 0; seed < (isChanged ? CHANGED_SPLITS : SPLITS); seed++) {
      List<String> names = new ArrayList<>(unchanged.keySet());
      Collections.shuffle(names, new Random(seed));
      report =
          Drift.between(
              sum(pick(unchanged, names.subList(CURRENT_SHARDS, names.size()))),
              sum(pick(now, names.subList(0, CURRENT_SHARDS))),
              deployed,
              DriftThresholds.STANDARD);
      verdicts[report.verdict().ordinal()]++;
      least = Math.min(least, report.effect());
      most = Math.max(most, report.effect());
    }
    List<TensorDrift> moved =
        report.tensors().stream()
            .filter(tensor -> tensor.verdict() != Verdict.STABLE)
            .limit(NAMED_TENSORS)
            .toList();
    System.out.printf(
        Locale.ROOT,
        "| %s | %d | %d | %d | %d | %s | %s | %s |%n",
        name,
        isChanged ? CHANGED_SPLITS : SPLITS,
        verdicts[0],
        verdicts[1],
        verdicts[2],
        span(least, most),
        moved.stream()
            .map(tensor -> String.format(Locale.ROOT, "`%s` %.2f", tensor.name(), tensor.effect()))
            .collect(Collectors.joining(", ")),
        moved.isEmpty() ? "" : String.join(", ", moved.get(0).reasons()));
    return verdicts;
  }

  private static String span(double least, double most) {
    String from = String.format(Locale.ROOT, "%.2f", least);
    String to = String.format(Locale.ROOT, "%.2f", most);
    return from.equals(to) ? from : from + " to " + to;
  }

  private static List<CalibrationState> pick(
      Map<String, CalibrationState> shards, List<String> names) {
    return names.stream().map(shards::get).filter(Objects::nonNull).toList();
  }

  /** Slices of one table share what their lineages say of the data. */
  private static CalibrationState sum(Collection<CalibrationState> states) {
    return states.stream().reduce((a, b) -> a.merge(b, Duplicates.ALLOW)).orElseThrow();
  }
}
