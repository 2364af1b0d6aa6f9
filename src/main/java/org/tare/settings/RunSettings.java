package org.tare.settings;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.tare.TareException;
import org.tare.job.CalibrationOptions;
import org.tare.job.QualityGate;
import org.tare.job.RowOptions;
import org.tare.prepare.FloatPasses;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.InputSpec;
import org.tare.spark.rows.Sample;
import org.tare.spark.tasks.ObservedParts.ChannelDetail;

/** What the settings of tables, rows, preparation and calibration mean, as typed values. */
public final class RunSettings {
  private RunSettings() {}

  /** How rows become inputs. */
  public static RowOptions rows(Settings settings) {
    return new RowOptions(
        inputs(settings),
        settings.whole("batch"),
        new BadRows(settings.require("bad-rows").equals("skip"), settings.number("bad-rows-limit")),
        new RowOptions.MaskInput(settings.find("mask"), !settings.isDefault("mask")));
  }

  /** The passes over the float model. */
  public static FloatPasses.Options prepare(Settings settings) {
    return new FloatPasses.Options(
        settings.flag("prepare.equalize"),
        settings.flag("prepare.absorb-bias"),
        settings.flag("prepare.relu-for-relu6"));
  }

  /** What calibration gives. */
  public static CalibrationOptions calibration(Settings settings) {
    return new CalibrationOptions(
        settings.texts("calibrate.by"),
        ChannelDetail.valueOf(settings.require("calibrate.channels").toUpperCase(Locale.ROOT)));
  }

  /** How good a quantized model must be to be published. */
  public static QualityGate gate(Settings settings) {
    return new QualityGate(
        bound(settings, "evaluate.min-sqnr"),
        bound(settings, "evaluate.min-cosine"),
        bound(settings, "evaluate.max-top1-drop"),
        bound(settings, "evaluate.max-top5-drop"));
  }

  private static OptionalDouble bound(Settings settings, String key) {
    return settings.find(key).isPresent()
        ? OptionalDouble.of(settings.number(key))
        : OptionalDouble.empty();
  }

  /**
   * The table that a prefix, {@code data} or {@code validation}, describes, if it does.
   *
   * @throws TareException if it names more than one, or what it says besides has no table
   */
  public static Optional<DataSource> table(Settings settings, String prefix) {
    List<DataSource.Origin> origins = new ArrayList<>();
    settings
        .find(prefix + ".path")
        .ifPresent(
            path ->
                origins.add(
                    new DataSource.Files(
                        path,
                        settings.require(prefix + ".format"),
                        settings.below(prefix + ".options."))));
    settings.find(prefix + ".table").ifPresent(name -> origins.add(new DataSource.Table(name)));
    settings.find(prefix + ".query").ifPresent(sql -> origins.add(new DataSource.Query(sql)));
    if (origins.size() > 1) {
      throw TareException.usage(
          "%s: give one of path, table and query, not %d of them", prefix, origins.size());
    }
    return origins.stream().findFirst().map(origin -> table(settings, prefix, origin));
  }

  /** The sample and key that a prefix says, of rows that come from elsewhere. */
  public static DataSource table(Settings settings, String prefix, DataSource.Origin origin) {
    return new DataSource(
        origin,
        settings.find(prefix + ".sample").map(text -> sample(settings, prefix + ".sample", text)),
        settings.find(prefix + ".key"));
  }

  private static Sample sample(Settings settings, String key, String text) {
    try {
      return Sample.parse(text);
    } catch (TareException e) {
      throw settings.wrong(key, text, Keys.find(key).orElseThrow().expected()).causedBy(e);
    }
  }

  private static Map<String, InputSpec> inputs(Settings settings) {
    Set<String> names = new TreeSet<>();
    for (String key : settings.names()) {
      if (key.startsWith("inputs.")) {
        names.add(key.substring("inputs.".length(), key.lastIndexOf('.')));
      }
    }
    Map<String, InputSpec> inputs = new TreeMap<>();
    for (String name : names) {
      String prefix = "inputs." + name + ".";
      inputs.put(
          name,
          new InputSpec(
              settings.find(prefix + "column"),
              settings.find(prefix + "dtype"),
              wholes(settings, prefix + "shape"),
              settings.find(prefix + "scale").map(Double::parseDouble).orElse(1.0),
              orElse(settings.numbers(prefix + "mean"), 0.0),
              orElse(settings.numbers(prefix + "std"), 1.0),
              settings.find(prefix + "layout").orElse("nchw").equals("nhwc"),
              settings.flag(prefix + "image"),
              sides(settings, prefix + "resize"),
              sides(settings, prefix + "crop"),
              settings.numbers(prefix + "value"),
              axis(settings, prefix + "axis")));
    }
    return inputs;
  }

  private static List<Long> wholes(Settings settings, String key) {
    List<Long> wholes = new ArrayList<>();
    for (double number : settings.numbers(key)) {
      if (number != Math.rint(number) || Math.abs(number) > 1L << 53) {
        throw settings.wrong(key, settings.find(key).orElse(""), "a list of whole numbers");
      }
      wholes.add((long) number);
    }
    return wholes;
  }

  private static OptionalInt axis(Settings settings, String key) {
    Optional<String> text = settings.find(key);
    if (text.isEmpty()) {
      return OptionalInt.empty();
    }
    if (text.get().equals("none")) {
      return OptionalInt.of(InputSpec.NO_AXIS);
    }
    try {
      int axis = Integer.parseInt(text.get());
      if (axis >= 0) {
        return OptionalInt.of(axis);
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw settings.wrong(key, text.get(), "an axis, counted from 0, or none");
  }

  private static List<Integer> sides(Settings settings, String key) {
    List<Double> sides = settings.numbers(key);
    if (!sides.isEmpty() && !InputSpec.areSides(sides)) {
      throw settings.wrong(key, settings.find(key).orElse(""), InputSpec.SIDES);
    }
    return sides.stream().map(Double::intValue).toList();
  }

  private static List<Double> orElse(List<Double> numbers, double absent) {
    return numbers.isEmpty() ? List.of(absent) : numbers;
  }
}
