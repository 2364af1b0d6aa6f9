package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.history.Lineages;
import org.tare.history.StoreSelection;
import org.tare.job.CalibrationRun;
import org.tare.job.FloatModel;
import org.tare.job.QuantizationRun;
import org.tare.job.QuantizeOptions;
import org.tare.job.Warnings;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.rewrite.Quantization;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.RunSettings;
import org.tare.stats.CalibrationState;

/** A quantization to be. It needs no rows, and starts nothing on Spark. */
public final class Quantize extends Call<Quantize> {
  private Optional<CalibrationState> state = Optional.empty();

  Quantize(Tare tare) {
    super(tare);
  }

  @Override
  Quantize self() {
    return this;
  }

  /** What calibration observed; the mode static needs it. */
  public Quantize state(CalibrationState observed) {
    state = Optional.of(observed);
    return this;
  }

  /** The file of such a state. */
  public Quantize state(String file) {
    return set("state", file);
  }

  /** A state store, of which {@link #window} or {@link #slice} says what. */
  public Quantize store(String folder) {
    return set("store.path", folder);
  }

  /**
   * The slices of days in a row.
   *
   * @param length as {@code 7d}
   * @param asOf the last day, as {@code 2026-11-25}
   */
  public Quantize window(String length, String asOf) {
    return set("store.window", length).set("store.as-of", asOf);
  }

  /** One slice. */
  public Quantize slice(String name) {
    return set("store.slice", name);
  }

  /** When activations become integers. */
  public Quantize mode(Mode mode) {
    return set("quantize.mode", mode.id());
  }

  /** Whose kernels will run the model. */
  public Quantize backend(Backend backend) {
    return set("quantize.backend", backend.id());
  }

  /** Pairs around float operators, or operators on integers. */
  public Quantize form(Quantization.Form form) {
    return set("quantize.form", form == Quantization.Form.QDQ ? "qdq" : "qoperator");
  }

  /** What differs by operator or name, as {@code quantize.overrides} has it. */
  public Quantize overrides(List<Map<String, Object>> rules) {
    return set("quantize.overrides", rules);
  }

  /**
   * Quantizes.
   *
   * @throws TareException if the mode needs a state and there is none, or if it is of another model
   */
  @Override
  public Quantized run() {
    RunInfo info = RunInfo.begin("quantize", tare(), settings());
    QuantizeOptions options = QuantizeSettings.of(settings());
    FloatModel model = readModel(options);
    Optional<CalibrationState> observed = state(options, model);
    Optional<Publication> output = Publication.check(this);
    QuantizationRun.Result result =
        new QuantizationRun(context(), options, RunInfo.metadata())
            .run(model, observed, Optional.empty());
    List<String> warnings = new ArrayList<>();
    observed.map(Warnings::ofNonFinite).ifPresent(warnings::addAll);
    observed.flatMap(means -> Warnings.ofMissingMeans(model, means)).ifPresent(warnings::add);
    warnings.addAll(result.warnings());
    Quantized quantized =
        new Quantized(
            tare().files(),
            info.seconds("quantize", result.seconds()).end(Optional.of(model)),
            options,
            result,
            observed,
            warnings);
    output.ifPresent(quantized::publish);
    return quantized;
  }

  @Override
  public DryRun dryRun() {
    QuantizeOptions options = QuantizeSettings.of(settings());
    FloatModel model = readModel(options);
    state(options, model);
    Publication.check(this);
    return DryRun.of(settings(), model, Optional.empty());
  }

  private FloatModel readModel(QuantizeOptions options) {
    return tare()
        .models()
        .readFloat(settings().require("model"), RunSettings.prepare(settings()), options.mapping());
  }

  /** From a state store, if there is one and nothing else was given. */
  private Optional<CalibrationState> stored(QuantizeOptions options, FloatModel model) {
    if (state.isPresent() || settings().find("store.path").isEmpty()) {
      return Optional.empty();
    }
    if (settings().find("state").isPresent()) {
      throw TareException.usage("Give a state or a state store, not both");
    }
    CalibrationRun how =
        new CalibrationRun(context(), RunSettings.calibration(settings()), options.corrections());
    return Optional.of(
        StoreSelection.of(tare().files(), settings())
            .ofModel(model.prepared().digest(), Lineages.digest(settings(), how, model))
            .state());
  }

  private Optional<CalibrationState> state(QuantizeOptions options, FloatModel model) {
    Optional<CalibrationState> stored = stored(options, model);
    Optional<String> file =
        model.needsState() && state.isEmpty() && stored.isEmpty()
            ? Optional.of(settings().require("state"))
            : settings().find("state");
    Optional<CalibrationState> observed =
        state.or(() -> stored).or(() -> file.map(tare()::readState));
    observed.ifPresent(
        given -> {
          if (!given.modelDigest().equals(model.prepared().digest())) {
            throw TareException.badInput(
                "Cannot quantize %s: the state%s was made with another model (SHA-256 %s, this one"
                    + " has %s)",
                model.name(),
                file.map(name -> " " + name).orElse(""),
                given.modelDigest(),
                model.prepared().digest());
          }
        });
    return observed;
  }
}
