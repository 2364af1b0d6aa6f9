package org.tare.cli;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.graph.ChannelAxes;
import org.tare.graph.SmoothQuant;
import org.tare.qconfig.Mode;
import org.tare.spark.CalibrationJob;
import org.tare.spark.DataSource;
import org.tare.spark.ObservedParts;
import org.tare.spark.ObservedParts.ChannelDetail;
import org.tare.stats.CalibrationState;

/**
 * Calibrates a model as the settings say: one pass over the data, and with SmoothQuant a second one
 * over the tensors that got factors in the first.
 */
final class Calibration {
  private final SparkSide side;
  private final Settings settings;

  Calibration(SparkSide side) {
    this.side = side;
    this.settings = side.settings();
  }

  /** Whether outliers are moved into weights where the model has products that gain by it. */
  static boolean isSmoothed(Settings settings, FloatModel model) {
    boolean isPossible = model.mapping().mode() != Mode.WEIGHT_ONLY && !candidates(model).isEmpty();
    return isPossible && CorrectionSettings.of(settings).smooths();
  }

  private static Map<String, Integer> candidates(FloatModel model) {
    return SmoothQuant.candidates(model.prepared(), model.types(), model.mapping());
  }

  /** Whether there is anything to observe. */
  static boolean isUseful(Settings settings, FloatModel model) {
    return model.plan().isPresent() || isSmoothed(settings, model);
  }

  CalibrationJob.Result run(FloatModel model, DataSource data) {
    boolean smooths = isSmoothed(settings, model);
    Map<String, Integer> candidates = smooths ? candidates(model) : Map.of();
    Set<String> observed = new LinkedHashSet<>(model.observed());
    observed.addAll(candidates.keySet());
    CalibrationJob.Result first =
        pass(model, data, List.copyOf(observed), parts(model, candidates));
    if (!smooths || model.mapping().mode() != Mode.STATIC) {
      return first;
    }
    SmoothQuant.Result smoothed =
        SmoothQuant.apply(model.prepared(), model.types(), model.mapping(), first.state());
    if (smoothed.layers().isEmpty()) {
      return first;
    }
    side.progress()
        .accept(
            "Calibrating again: "
                + smoothed.layers().size()
                + " tensors got factors of SmoothQuant (--set quantize.smooth-quant=false goes without)");
    FloatModel second = model.with(smoothed);
    CalibrationJob.Result again = pass(second, data, smoothed.smoothed(), parts(second, Map.of()));
    first.checkSameRows(again, model.name(), data);
    return join(first, again);
  }

  private CalibrationJob.Result pass(
      FloatModel model, DataSource data, List<String> observed, ObservedParts parts) {
    return CalibrationJob.run(
        side.spark().get(),
        new CalibrationJob.Request(
            model.name(),
            model.prepared(),
            model.types(),
            observed,
            data,
            settings.inputs(),
            settings.batch(),
            settings.badRows(),
            parts,
            mask(model),
            settings.texts("calibrate.by")),
        side.progress());
  }

  /** In the dynamic mode none: the ranges of a batch are those of all its places, filled or not. */
  private Optional<String> mask(FloatModel model) {
    return model.mapping().mode() == Mode.DYNAMIC
        ? Optional.empty()
        : settings.mask(model.original().graph().inputNames());
  }

  private static CalibrationJob.Result join(
      CalibrationJob.Result first, CalibrationJob.Result second) {
    SortedMap<String, CalibrationState> slices = new TreeMap<>(first.slices());
    slices.replaceAll(
        (name, state) ->
            second.slices().containsKey(name)
                ? SmoothQuant.join(state, second.slices().get(name))
                : state);
    return new CalibrationJob.Result(
        SmoothQuant.join(first.state(), second.state()),
        slices,
        first.skipped(),
        first.reason(),
        first.partitions(),
        first.seconds() + second.seconds());
  }

  /** What the methods and the settings want observed besides the stats of every tensor. */
  private ObservedParts parts(FloatModel model, Map<String, Integer> candidates) {
    Map<String, Float> averages = model.averages();
    List<String> by = settings.texts("calibrate.by");
    if (!averages.isEmpty() && !by.isEmpty()) {
      throw TareException.usage(
          "calibrate.by cannot be %s with the method moving-average: averages of slices have no"
              + " order among each other",
          String.join(",", by));
    }
    ChannelDetail detail = settings.channelDetail();
    Map<String, Integer> axes = new TreeMap<>();
    boolean wantsMeans = model.mapping().correctsBias();
    if (detail != ChannelDetail.NONE || wantsMeans) {
      List<String> all = new ArrayList<>(model.observed());
      axes.putAll(ChannelAxes.of(model.prepared(), model.types(), all));
    }
    axes.putAll(candidates);
    boolean isSummary = detail == ChannelDetail.NONE && !axes.isEmpty();
    return new ObservedParts(averages, isSummary ? ChannelDetail.SUMMARY : detail, axes);
  }
}
