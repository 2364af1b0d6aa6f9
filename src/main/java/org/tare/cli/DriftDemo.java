package org.tare.cli;

import java.io.PrintStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.tare.DriftCheck;
import org.tare.Evaluation;
import org.tare.Quantized;
import org.tare.drift.Verdict;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;

/**
 * Plays seven days of the demo's digits: three to calibrate on, one like them, and three on which
 * the pictures get darker and darker. Each day is held against the first three; in the end the
 * model is quantized again from the days that moved, and both models are evaluated on pictures like
 * theirs.
 */
final class DriftDemo {
  private static final List<Light> DAYS =
      List.of(
          new Light(1),
          new Light(1),
          new Light(1),
          new Light(1),
          new Light(0.9),
          new Light(0.7),
          new Light(0.5));

  private static final int REFERENCE_DAYS = 3;

  private final org.tare.Tare tare;
  private final SparkSession spark;
  private final Settings settings;
  private final PrintStream out;
  private final String model;

  DriftDemo(org.tare.Tare tare, SparkSession spark, Settings settings, PrintStream out) {
    this.tare = tare;
    this.spark = spark;
    this.settings = settings;
    this.out = out;
    this.model = settings.require("model");
  }

  /** How pictures are changed: each pixel is multiplied. */
  record Light(double brightness) implements Serializable {
    byte[] on(byte[] image) {
      byte[] changed = new byte[image.length];
      for (int i = 0; i < image.length; i++) {
        changed[i] = (byte) Math.min(255, Math.rint(brightness * (image[i] & 0xff)));
      }
      return changed;
    }

    String text() {
      return brightness == 1
          ? "as it was"
          : String.format(Locale.ROOT, "brightness x%.1f", brightness);
    }
  }

  /** Plays the days; writes the check of the last one as the output. */
  DriftCheck play() {
    Dataset<Row> all = spark.read().parquet(settings.require("data.path"));
    List<CalibrationState> first = new ArrayList<>();
    for (int day = 0; day < REFERENCE_DAYS; day++) {
      first.add(tare.calibrate(model).settings(unwritten()).data(day(all, day)).run().state());
      out.printf(Locale.ROOT, "Day %d  calibrated on %,d rows%n", day + 1, first.get(day).rows());
    }
    CalibrationState reference = tare.merge(first).allowDuplicates().run();
    Quantized deployed = quantize(reference);
    out.printf(
        Locale.ROOT,
        "       deployed a model quantized from the %,d rows of %d days%n",
        reference.rows(),
        REFERENCE_DAYS);
    List<CalibrationState> moved = new ArrayList<>();
    DriftCheck check = null;
    for (int day = REFERENCE_DAYS; day < DAYS.size(); day++) {
      boolean isLast = day == DAYS.size() - 1;
      check =
          tare.drift(reference)
              .settings(isLast ? settings : unwritten())
              .data(day(all, day))
              .quantized(deployed)
              .run();
      out.printf(
          Locale.ROOT,
          "Day %d  %-16s %-14s effect %5.2f, most in %s%n",
          day + 1,
          DAYS.get(day).text(),
          check.verdict().text(),
          check.report().effect(),
          check.report().tensors().get(0).name());
      if (check.verdict() == Verdict.MOVED) {
        moved.add(check.state());
      }
    }
    recalibrate(deployed, moved);
    return check;
  }

  private void recalibrate(Quantized deployed, List<CalibrationState> moved) {
    Dataset<Row> pictures =
        lit(spark.read().parquet(settings.require("validation.path")), DAYS.get(DAYS.size() - 1));
    CalibrationState window = tare.merge(moved).allowDuplicates().run();
    print("the deployed model", evaluate(deployed, pictures));
    print(
        String.format(Locale.ROOT, "quantized from the %d days that moved", moved.size()),
        evaluate(quantize(window), pictures));
  }

  private void print(String which, Evaluation evaluation) {
    evaluation
        .outputs()
        .values()
        .forEach(
            figures ->
                out.printf(
                    Locale.ROOT,
                    "       %-40s SQNR %5.2f dB, top-1 %.4f (float32 %.4f) on pictures of day %d%n",
                    which,
                    figures.sqnr(),
                    figures.quantizedTop1(),
                    figures.floatTop1(),
                    DAYS.size()));
  }

  private Evaluation evaluate(Quantized quantized, Dataset<Row> pictures) {
    return tare.evaluate(model, quantized).settings(unwritten()).data(pictures).run();
  }

  private Quantized quantize(CalibrationState state) {
    return tare.quantize(model).settings(unwritten()).state(state).run();
  }

  private Settings unwritten() {
    Settings same = settings.copy();
    same.set("output", "", "demo");
    return same;
  }

  /** The rows of a day, which the key decides, in its light. */
  private static Dataset<Row> day(Dataset<Row> all, int day) {
    Dataset<Row> rows =
        all.where(functions.pmod(functions.col("id"), functions.lit(DAYS.size())).equalTo(day));
    return lit(rows, DAYS.get(day));
  }

  private static Dataset<Row> lit(Dataset<Row> rows, Light light) {
    StructType schema = rows.schema();
    int image = schema.fieldIndex("image");
    return rows.map(
        (MapFunction<Row, Row>)
            row -> {
              Object[] values = new Object[row.size()];
              for (int i = 0; i < values.length; i++) {
                values[i] = i == image ? light.on((byte[]) row.get(i)) : row.get(i);
              }
              return RowFactory.create(values);
            },
        Encoders.row(schema));
  }
}
