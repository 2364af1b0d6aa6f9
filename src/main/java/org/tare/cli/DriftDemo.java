package org.tare.cli;

import java.io.PrintStream;
import java.io.Serializable;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.tare.DriftCheck;
import org.tare.Recalibration;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;

/**
 * Plays seven days of the demo's digits, as a schedule would run them every night: two days go into
 * a state store, on the third a model is deployed, and from then on {@code recalibrate} looks
 * whether the day moved. On the last three days the pictures get darker and darker. In the end the
 * last day is held against what was deployed before it, and the page of that is written.
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

  private static final LocalDate FIRST_DAY = LocalDate.of(2026, 11, 23);

  /** How many days make a model; the first one is deployed when there are so many. */
  private static final int WINDOW = 3;

  /** So much better a model must be, in dB, where the settings ask for nothing. */
  private static final double MARGIN = 0.1;

  private final org.tare.Tare tare;
  private final SparkSession spark;
  private final Settings settings;
  private final Path folder;
  private final PrintStream out;
  private final String model;

  /**
   * @param folder that goes after the demo: tables, states and deployed models are made there
   */
  DriftDemo(
      org.tare.Tare tare, SparkSession spark, Settings settings, Path folder, PrintStream out) {
    this.tare = tare;
    this.spark = spark;
    this.settings = settings;
    this.folder = folder;
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

    Dataset<Row> on(Dataset<Row> rows) {
      StructType schema = rows.schema();
      int image = schema.fieldIndex("image");
      return rows.map(
          (MapFunction<Row, Row>)
              row -> {
                Object[] values = new Object[row.size()];
                for (int i = 0; i < values.length; i++) {
                  values[i] = i == image ? on((byte[]) row.get(i)) : row.get(i);
                }
                return RowFactory.create(values);
              },
          Encoders.row(schema));
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
    Dataset<Row> unseen = part(spark.read().parquet(settings.require("validation.path")), 3, 0);
    Recalibration last = null;
    for (int day = 0; day < DAYS.size(); day++) {
      String rows = at("rows/day=" + date(day));
      DAYS.get(day).on(part(all, DAYS.size(), day)).write().parquet(rows);
      if (day < WINDOW - 1) {
        long count = tare.calibrate(model).settings(of(day)).data(rows).run().state().rows();
        told(day, String.format(Locale.ROOT, "its state, of %,d rows, is in the store", count));
        continue;
      }
      String validation = at("validation/day=" + date(day));
      DAYS.get(day).on(unseen).write().parquet(validation);
      Settings how = of(day);
      how.set("store.window", WINDOW + "d", "demo");
      how.set("store.as-of", date(day), "demo");
      how.set("output", at("deployed"), "demo");
      if (Double.parseDouble(how.require("recalibrate.margin")) == 0) {
        how.set("recalibrate.margin", MARGIN, "demo");
      }
      last = tare.recalibrate(model).settings(how).data(rows).validation(validation).run();
      tell(day, last);
    }
    return check(last);
  }

  /** The last day against what was deployed when it came. */
  private DriftCheck check(Recalibration last) {
    String deployed =
        last.former()
            .map(version -> at("deployed.history/versions/" + version))
            .orElseGet(() -> at("deployed"));
    CalibrationState now = tare.states(at("states")).window("1d", date(DAYS.size() - 1)).state();
    return tare.drift(tare.readState(deployed + "/state.tare"))
        .settings(settings)
        .current(now)
        .quantized(deployed)
        .run();
  }

  /** The settings of a day's run, which has no output of its own. */
  private Settings of(int day) {
    Settings same = settings.copy();
    same.set("output", "", "demo");
    same.set("data.path", "", "demo");
    same.set("validation.path", "", "demo");
    same.set("store.path", at("states"), "demo");
    same.set("store.slice", date(day), "demo");
    return same;
  }

  private void tell(int day, Recalibration made) {
    told(day, made.outcome().id() + ": " + made.why());
    made.compared()
        .ifPresent(
            figures ->
                out.printf(
                    Locale.ROOT,
                    "       SQNR %.2f dB with what was deployed, %.2f dB with the model of the last"
                        + " %d days%n",
                    figures.deployed(),
                    figures.candidate(),
                    WINDOW));
    Optional.ofNullable(made.outputs().get("logits"))
        .ifPresent(
            figures ->
                out.printf(
                    Locale.ROOT,
                    "       top-1 %.4f (float32 %.4f)%n",
                    figures.quantizedTop1(),
                    figures.floatTop1()));
  }

  private void told(int day, String what) {
    out.printf(Locale.ROOT, "Day %d  %-16s %s%n", day + 1, DAYS.get(day).text(), what);
  }

  private static String date(int day) {
    return FIRST_DAY.plusDays(day).toString();
  }

  private String at(String name) {
    return folder.resolve(name).toString();
  }

  /** A part of the rows, which the key decides. */
  private static Dataset<Row> part(Dataset<Row> all, int parts, int part) {
    return all.where(functions.pmod(functions.col("id"), functions.lit(parts)).equalTo(part));
  }
}
