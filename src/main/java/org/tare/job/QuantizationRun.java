package org.tare.job;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.tare.correct.SmoothQuant;
import org.tare.infer.FirstRun;
import org.tare.infer.StoredForms;
import org.tare.onnx.OnnxModel;
import org.tare.plan.ChosenRanges;
import org.tare.plan.QuantizationPlan;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.FloatNodeNotes;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.spark.rows.DataSource;
import org.tare.stats.CalibrationState;
import org.tare.train.TrainedQParams;

/**
 * Quantizes a float model: chooses its corrections, on rows if there are any, writes the quantized
 * model, and has ONNX Runtime load it and run it once.
 */
public final class QuantizationRun {
  private final JobContext context;
  private final QuantizeOptions options;
  private final Map<String, String> metadata;
  private final TrainedQParams trained;

  /**
   * @param metadata goes into the model besides the digests of float model and state
   */
  public QuantizationRun(
      JobContext context, QuantizeOptions options, Map<String, String> metadata) {
    this.context = context;
    this.options = options;
    this.metadata = Map.copyOf(metadata);
    this.trained = new TrainedQParams(Map.of(), Map.of());
  }

  private QuantizationRun(QuantizationRun other, TrainedQParams trained) {
    this.context = other.context;
    this.options = other.options;
    this.metadata = other.metadata;
    this.trained = trained;
  }

  /** The same for weights and activations that were trained with qparams, which they keep. */
  QuantizationRun with(TrainedQParams qparams) {
    return new QuantizationRun(this, qparams);
  }

  /**
   * What a quantization gives.
   *
   * @param chosen the float model as it was quantized, and how its corrections were chosen
   * @param correctSeconds what choosing took, if anything was measured
   */
  public record Result(
      Corrections.Chosen chosen,
      QuantizedModel quantized,
      List<String> warnings,
      Optional<Double> correctSeconds,
      double seconds) {}

  /**
   * Quantizes.
   *
   * @param state what calibration observed; the static mode needs one
   * @param rows to measure corrections on
   */
  public Result run(FloatModel model, Optional<CalibrationState> state, Optional<DataSource> rows) {
    List<String> warnings = new ArrayList<>(Warnings.ofOverrides(model));
    Optional<ChosenRanges> ranges = state.map(observed -> ranges(model, observed));
    long begun = System.nanoTime();
    Corrections.Chosen chosen =
        Corrections.choose(
            context,
            options,
            (candidate, form) -> quantized(candidate, ranges, form).model(),
            model,
            smoothed(model, state, warnings),
            rows);
    warnings.addAll(chosen.warnings());
    long corrected = System.nanoTime();
    QuantizedModel quantized = quantized(chosen.model(), ranges, options.form());
    NothingToQuantize.check(chosen.model(), quantized);
    finish(chosen.model(), quantized, rows);
    Warnings.ofListedConstants(model).ifPresent(warnings::add);
    Warnings.ofWiderWeights(chosen.model(), quantized).ifPresent(warnings::add);
    Warnings.ofSize(model, quantized.model()).ifPresent(warnings::add);
    warnings.addAll(Warnings.ofSaturation(quantized.model()));
    return new Result(
        chosen,
        quantized,
        warnings,
        chosen.trials().isEmpty() ? Optional.empty() : Optional.of((corrected - begun) / 1e9),
        (System.nanoTime() - corrected) / 1e9);
  }

  /** Of a state that was made with other overrides too, as far as it holds the same values. */
  private ChosenRanges ranges(FloatModel model, CalibrationState state) {
    ChosenRanges ranges = new ChosenRanges(state, trained.weights(), trained.activations());
    if (state.tensors().keySet().containsAll(model.observed())) {
      return ranges;
    }
    QConfigMapping given = model.mapping();
    return ranges.with(
        QuantizationPlan.of(
            model.prepared(),
            model.types(),
            new QConfigMapping(given.mode(), given.backend(), given.standard(), List.of())));
  }

  private SmoothQuant.Result smoothed(
      FloatModel model, Optional<CalibrationState> state, List<String> warnings) {
    SmoothQuant.Result none = new SmoothQuant.Result(model.prepared(), model.types(), List.of());
    if (state.isEmpty() || !CalibrationRun.isSmoothed(options.corrections(), model)) {
      return none;
    }
    CalibrationState observed = state.get();
    if (model.plan().isEmpty()) {
      return SmoothQuant.choose(model.prepared(), model.types(), model.mapping(), observed);
    }
    if (SmoothQuant.knowsFactors(observed)) {
      List<String> disagreeing =
          SmoothQuant.disagreeing(model.prepared(), model.mapping(), observed);
      if (!disagreeing.isEmpty()) {
        warnings.add(
            String.format(
                Locale.ROOT,
                "SmoothQuant is left out for %d tensors (%s, …): the state is the sum of states with"
                    + " other factors; calibrate again for it",
                disagreeing.size(),
                disagreeing.get(0)));
      }
      return SmoothQuant.observed(model.prepared(), model.types(), model.mapping(), observed);
    }
    // States of former versions do not tell their factors: they are those that their rows choose.
    SmoothQuant.Result chosen =
        SmoothQuant.choose(model.prepared(), model.types(), model.mapping(), observed);
    if (!observed.tensors().keySet().containsAll(chosen.smoothed())) {
      warnings.add(
          "SmoothQuant is left out: the state was made without it; calibrate again for it");
      return none;
    }
    return chosen;
  }

  private QuantizedModel quantized(
      FloatModel model, Optional<ChosenRanges> ranges, Quantization.Form form) {
    Map<String, String> all = new LinkedHashMap<>(metadata);
    all.put("tare.float_model.sha256", model.original().digest());
    ranges.ifPresent(chosen -> all.put("tare.state.sha256", chosen.state().digest()));
    return Quantization.quantizeWith(
        model.prepared(), model.types(), model.mapping(), form, ranges, all);
  }

  private void finish(FloatModel model, QuantizedModel quantized, Optional<DataSource> rows) {
    OnnxModel written = quantized.model();
    written.metadata().put(FloatNodeNotes.KEY, FloatNodeNotes.encode(quantized.floatNodes()));
    if (options.declaresShapes()) {
      Quantization.declareShapes(quantized, model.prepared(), model.types());
    }
    if (options.storesHalf()) {
      Quantization.storeAsHalf(quantized);
    }
    StoredForms.restore(written, model.original(), model.name());
    StoredForms.restoreHalf(written, model.original());
    // What the runtime does not load and run is not given out.
    FirstRun.check(
            written,
            model.original(),
            model.prepared(),
            model.types(),
            model.name(),
            rows.flatMap(data -> FirstRow.of(context, model, data)))
        .ifPresent(
            why ->
                context.progress().accept("The quantized model was loaded, and not run: " + why));
  }
}
