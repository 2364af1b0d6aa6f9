package org.tare.job;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.tare.TareException;
import org.tare.correct.ChannelAxes;
import org.tare.correct.SmoothQuant;
import org.tare.qconfig.Mode;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.KeptRows;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.ObservedParts;
import org.tare.spark.tasks.ObservedParts.ChannelDetail;
import org.tare.stats.CalibrationState;
import org.tare.stats.Smoothing;
import org.tare.stats.TensorStats;

/**
 * Calibrates a model as the settings say, in one pass over the data. SmoothQuant's factors have to
 * be known before; they come from a few of the rows.
 */
public final class CalibrationRun {
  /** So many rows choose factors, where the settings do not say. */
  private static final int FACTOR_ROWS = 64;

  /** Fewer rows choose no good factors. */
  private static final int LEAST_ROWS = 32;

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

  /**
   * The state of all rows, and of each slice.
   *
   * @param latest a state that the new one may be added to: its factors of SmoothQuant are taken
   *     again, if it has any
   */
  public CalibrationJob.Result run(
      FloatModel model, DataSource data, Supplier<Optional<CalibrationState>> latest) {
    boolean smooths = isSmoothed(corrections, model);
    Map<String, Integer> candidates = smooths ? candidates(model) : Map.of();
    Set<String> observed = new LinkedHashSet<>(model.observed());
    observed.addAll(candidates.keySet());
    ObservedParts parts = parts(model, candidates);
    if (!smooths || model.mapping().mode() != Mode.STATIC) {
      return pass(model, data, List.copyOf(observed), parts);
    }
    SmoothQuant.Result factors =
        latest
            .get()
            .filter(SmoothQuant::knowsFactors)
            .map(
                state ->
                    SmoothQuant.observed(model.prepared(), model.types(), model.mapping(), state))
            .orElseGet(() -> factors(model, data, candidates));
    observed.addAll(factors.smoothed());
    ObservedParts ofSmoothed = parts(model.with(factors), Map.of()).only(factors.smoothed());
    FloatModel observing =
        model.observing(
            SmoothQuant.observing(model.prepared(), model.mapping(), factors), factors.types());
    CalibrationJob.Result result =
        pass(observing, data, List.copyOf(observed), parts.and(ofSmoothed));
    note(result.state(), candidates.keySet(), factors.layers());
    result.slices().values().forEach(slice -> note(slice, candidates.keySet(), factors.layers()));
    return result;
  }

  /** Notes in a state what its tensors were divided by. */
  private static void note(
      CalibrationState state, Set<String> candidates, List<SmoothQuant.Layer> layers) {
    Set<String> plain = new TreeSet<>(candidates);
    for (SmoothQuant.Layer layer : layers) {
      plain.remove(layer.tensor());
      state.tensor(layer.smoothed()).with(layer.smoothing());
    }
    for (String tensor : plain) {
      TensorStats stats = state.tensor(tensor);
      stats.channels().ifPresent(known -> stats.with(Smoothing.none(known.channels())));
    }
  }

  /** SmoothQuant's factors, chosen on some of the rows. */
  private SmoothQuant.Result factors(
      FloatModel model, DataSource data, Map<String, Integer> candidates) {
    int rows = corrections.measureRows() > 0 ? corrections.measureRows() / 4 : FACTOR_ROWS;
    try (KeptRows few = kept(model, data, Math.max(LEAST_ROWS, rows))) {
      context
          .progress()
          .accept(
              "Calibrating: choosing factors of SmoothQuant (quantize.smooth-quant=false goes without)");
      CalibrationJob.Result sampled =
          CalibrationJob.run(
              context.spark().get(),
              new CalibrationJob.Request(
                  model.name(),
                  model.prepared(),
                  model.types(),
                  List.copyOf(candidates.keySet()),
                  few.source(),
                  context.rows().inputs(),
                  context.rows().batch(),
                  context.rows().withoutLimit().badRows(),
                  new ObservedParts(Map.of(), ChannelDetail.SUMMARY, candidates),
                  mask(model),
                  List.of()),
              line -> {});
      return SmoothQuant.choose(model.prepared(), model.types(), model.mapping(), sampled.state());
    }
  }

  private KeptRows kept(FloatModel model, DataSource data, int count) {
    return KeptRows.of(
        context.spark().get(),
        model.name(),
        model.original(),
        model.types(),
        data,
        context.rows().inputs(),
        count);
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

  /** What an executor needs in memory for that, about. */
  public MemoryNeed memory(FloatModel model, DataSource data) {
    boolean smooths = isSmoothed(corrections, model);
    Map<String, Integer> candidates = smooths ? candidates(model) : Map.of();
    Set<String> observed = new LinkedHashSet<>(model.observed());
    observed.addAll(candidates.keySet());
    // In the static mode, what SmoothQuant divides is observed divided too.
    Set<String> twice = model.mapping().mode() == Mode.STATIC ? candidates.keySet() : Set.of();
    return new MemoryEstimate(context, model)
        .of(List.copyOf(observed), twice, parts(model, candidates), data);
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
