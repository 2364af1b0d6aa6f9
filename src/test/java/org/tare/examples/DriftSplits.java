package org.tare.examples;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
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
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
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
  private static final int SIDE = 28;
  private static final int SHARDS = 100;

  /** Of a hundred shards: about 2,100 rows against 4,900. */
  private static final int CURRENT_SHARDS = 30;

  private static final int SPLITS = 100;
  private static final int CHANGED_SPLITS = 10;
  private static final int NAMED_TENSORS = 3;

  private DriftSplits() {}

  /** What is done to a picture. */
  private interface Change extends Serializable {
    byte[] apply(byte[] picture);
  }

  /** What is done to a pixel, from 0 to 255. */
  private interface PixelChange extends Serializable {
    double apply(double pixel);
  }

  private static Change pixels(PixelChange change) {
    return picture -> {
      byte[] changed = new byte[picture.length];
      for (int i = 0; i < picture.length; i++) {
        changed[i] = pixel(change.apply(picture[i] & 0xff));
      }
      return changed;
    };
  }

  private static byte pixel(double value) {
    return (byte) Math.max(0, Math.min(255, Math.rint(value)));
  }

  private static byte[] noisy(byte[] picture) {
    Random random = new Random(Arrays.hashCode(picture));
    byte[] changed = new byte[picture.length];
    for (int i = 0; i < picture.length; i++) {
      changed[i] = pixel((picture[i] & 0xff) + 25.5 * random.nextGaussian());
    }
    return changed;
  }

  /** Bilinear, around the middle; black from outside. */
  private static byte[] rotated(byte[] picture, double degrees) {
    double cos = Math.cos(Math.toRadians(degrees));
    double sin = Math.sin(Math.toRadians(degrees));
    double middle = (SIDE - 1) / 2.0;
    byte[] changed = new byte[picture.length];
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++) {
        double fromX = cos * (x - middle) + sin * (y - middle) + middle;
        double fromY = -sin * (x - middle) + cos * (y - middle) + middle;
        changed[SIDE * y + x] = pixel(between(picture, fromX, fromY));
      }
    }
    return changed;
  }

  private static double between(byte[] picture, double x, double y) {
    double sum = 0;
    for (int j = (int) Math.floor(y); j <= Math.floor(y) + 1; j++) {
      for (int i = (int) Math.floor(x); i <= Math.floor(x) + 1; i++) {
        if (i >= 0 && i < SIDE && j >= 0 && j < SIDE) {
          double weight = (1 - Math.abs(x - i)) * (1 - Math.abs(y - j));
          sum += weight * (picture[SIDE * j + i] & 0xff);
        }
      }
    }
    return sum;
  }

  private static Map<String, Change> changes() {
    Map<String, Change> all = new LinkedHashMap<>();
    all.put(UNCHANGED, picture -> picture);
    all.put("brightness x0.7", pixels(pixel -> 0.7 * pixel));
    all.put("contrast x0.6", pixels(pixel -> 127.5 + 0.6 * (pixel - 127.5)));
    all.put("noise, deviation 0.1", DriftSplits::noisy);
    all.put("rotation of 20°", picture -> rotated(picture, 20));
    all.put("inverted", pixels(pixel -> 255 - pixel));
    return all;
  }

  public static void main(String[] args) {
    Map<String, Map<String, CalibrationState>> shards;
    SortedMap<String, QParams> deployed = new TreeMap<>();
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate();
    try {
      Tare tare = Tare.on(spark);
      shards = calibrate(tare, spark);
      Quantized quantized =
          tare.quantize(DIGITS + "mobilenet.onnx")
              .state(sum(shards.get(UNCHANGED).values()))
              .set("quantize.measure-rows", 0)
              .run();
      quantized.qparams().forEach((name, chosen) -> deployed.put(name, chosen.qparams()));
    } finally {
      spark.stop();
    }
    System.out.println(
        "| rows now | stable | moved a little | moved | effect | most moved | why |");
    System.out.println("|---|---|---|---|---|---|---|");
    boolean isGood = true;
    for (Map.Entry<String, Map<String, CalibrationState>> one : shards.entrySet()) {
      boolean isChanged = !one.getKey().equals(UNCHANGED);
      int[] verdicts =
          row(one.getKey(), one.getValue(), shards.get(UNCHANGED), deployed, isChanged);
      int stable = verdicts[Verdict.STABLE.ordinal()];
      isGood &= isChanged ? stable == 0 : stable == SPLITS;
    }
    if (!isGood) {
      System.err.println("drift: a change was missed, or seen where there is none");
      System.exit(1);
    }
  }

  private static Map<String, Map<String, CalibrationState>> calibrate(
      Tare tare, SparkSession spark) {
    Dataset<Row> rows =
        spark
            .read()
            .parquet(DIGITS + "train.parquet")
            .selectExpr("id", "image", "label", "pmod(hash(id), " + SHARDS + ") AS shard");
    Map<String, Map<String, CalibrationState>> shards = new LinkedHashMap<>();
    changes()
        .forEach(
            (name, change) ->
                shards.put(
                    name,
                    calibrate(
                        tare,
                        rows.map(
                            (MapFunction<Row, Row>)
                                row ->
                                    RowFactory.create(
                                        row.get(0),
                                        change.apply((byte[]) row.get(1)),
                                        row.get(2),
                                        row.get(3)),
                            Encoders.row(rows.schema())))));
    shards.put("no 3 among them", calibrate(tare, rows.where("label <> 3")));
    return shards;
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
        "| %s | %d | %d | %d | %.2f to %.2f | %s | %s |%n",
        name,
        verdicts[0],
        verdicts[1],
        verdicts[2],
        least,
        most,
        moved.stream()
            .map(tensor -> String.format(Locale.ROOT, "%s %.2f", tensor.name(), tensor.effect()))
            .collect(Collectors.joining(", ")),
        moved.isEmpty() ? "" : String.join(", ", moved.get(0).reasons()));
    return verdicts;
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
