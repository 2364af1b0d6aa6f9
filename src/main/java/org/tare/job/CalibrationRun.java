package org.tare.job;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.tare.TareException;
import org.tare.correct.ChannelAxes;
import org.tare.correct.SmoothQuant;
import org.tare.qconfig.Mode;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.ObservedParts;
import org.tare.spark.tasks.ObservedParts.ChannelDetail;
import org.tare.stats.CalibrationState;

/**
 * Calibrates a model as the settings say: one pass over the data, and with SmoothQuant a second one
 * over the tensors that got factors in the first.
 */
public final class CalibrationRun {
  private final JobContext context;
  private final CalibrationOptions options;
  private final CorrectionOptions corrections;

  public CalibrationRun(
      JobContext context, CalibrationOptions options, CorrectionOptions corrections) {
    this.context = context;
    this.options = options;
    this.corrections = corrections;
  }

  /** Whether outliers are moved into weights where the model has products that gain by it. */
  public static boolean isSmoothed(CorrectionOptions corrections, FloatModel model) {
    boolean isPossible = model.mapping().mode() != Mode.WEIGHT_ONLY && !candidates(model).isEmpty();
    return isPossible && corrections.smooths();
  }

  private static Map<String, Integer> candidates(FloatModel model) {
    return SmoothQuant.candidates(model.prepared(), model.types(), model.mapping());
  }

  /** Whether there is anything to observe. */
  public static boolean isUseful(CorrectionOptions corrections, FloatModel model) {
    return model.needsState() || isSmoothed(corrections, model);
  }

  /** What it observes, as a text that is the same exactly if that is the same. */
  public String observes(FloatModel model) {
    boolean smooths = isSmoothed(corrections, model);
    Map<String, Integer> candidates = smooths ? candidates(model) : Map.of();
    ObservedParts parts = parts(model, candidates);
    Set<String> tensors = new TreeSet<>(model.observed());
    tensors.addAll(candidates.keySet());
    return String.join(
        "\n",
        "tensors " + tensors,
        "averages " + new TreeMap<>(parts.averages()),
        "channels " + parts.channels() + " " + new TreeMap<>(parts.axes()),
        "smooths " + smooths,
        "mask " + mask(model));
  }

  /** The state of all rows, and of each slice. */
  public CalibrationJob.Result run(FloatModel model, DataSource data) {
    boolean smooths = isSmoothed(corrections, model);
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
    context
        .progress()
        .accept(
            "Calibrating again: "
                + smoothed.layers().size()
                + " tensors got factors of SmoothQuant (quantize.smooth-quant=false goes without)");
    FloatModel second = model.with(smoothed);
    CalibrationJob.Result again = pass(second, data, smoothed.smoothed(), parts(second, Map.of()));
    first.checkSameRows(again, model.name(), data);
    return join(first, again);
  }

  /**
   * The state of the model's inputs alone, of those that calibration observes. The model is not
   * run.
   *
   * @throws TareException if there is none
   */
  public CalibrationJob.Result inputs(FloatModel model, DataSource data) {
    List<String> inputs = new ArrayList<>(model.original().graph().inputNames());
    inputs.retainAll(model.observed());
    if (inputs.isEmpty()) {
      throw TareException.usage(
          "Nothing to observe: no input of %s is quantized, and drift.inputs-only is set",
          model.name());
    }
    return pass(model, data, inputs, parts(model, Map.of()));
  }

  private CalibrationJob.Result pass(
      FloatModel model, DataSource data, List<String> observed, ObservedParts parts) {
    return CalibrationJob.run(
        context.spark().get(),
        new CalibrationJob.Request(
            model.name(),
            model.prepared(),
            model.types(),
            observed,
            data,
            context.rows().inputs(),
            context.rows().batch(),
            context.rows().badRows(),
            parts,
            mask(model),
            options.by()),
        context.progress());
  }

  /** In the dynamic mode none: the ranges of a batch are those of all its places, filled or not. */
  private Optional<String> mask(FloatModel model) {
    return model.mapping().mode() == Mode.DYNAMIC
        ? Optional.empty()
        : context.rows().mask(model.original().graph().inputNames());
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
    List<String> by = options.by();
    if (!averages.isEmpty() && !by.isEmpty()) {
      throw TareException.usage(
          "calibrate.by cannot be %s with the method moving-average: averages of slices have no"
              + " order among each other",
          String.join(",", by));
    }
    ChannelDetail detail = options.channels();
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
