package org.tare.job;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.tare.inspect.Saturation;
import org.tare.onnx.ModelFile;
import org.tare.onnx.OnnxModel;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.DType;
import org.tare.rewrite.QuantizedModel;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/** Warnings: each says in a sentence what a run did that its user may not expect. */
public final class Warnings {
  /** In dB; below, the error is more than a tenth of the signal. */
  private static final double LOW_SQNR = 20;

  /** In dB; less is what kernels that round otherwise make of a result. */
  private static final double SATURATED = 0.1;

  /** Of integers; below, more than one of ten is another. */
  private static final double LOW_AGREEMENT = 0.9;

  private Warnings() {}

  /** Constants that were inputs to the letter are none of the written model. */
  static Optional<String> ofListedConstants(FloatModel model) {
    int listed = model.original().graph().listedConstants();
    return listed == 0
        ? Optional.empty()
        : Optional.of(
            String.format(
                Locale.ROOT,
                "All %d constants of %s are listed as inputs too, as old exporters do: they are"
                    + " taken as constants, and are no inputs of the quantized model",
                listed,
                model.name()));
  }

  /** Values that took no part in ranges. */
  public static List<String> ofNonFinite(CalibrationState state) {
    List<String> warnings = new ArrayList<>();
    for (Map.Entry<String, TensorStats> entry : state.tensors().entrySet()) {
      TensorStats stats = entry.getValue();
      long infinite = stats.positiveInfinities() + stats.negativeInfinities();
      if (stats.nans() + infinite > 0) {
        warnings.add(
            String.format(
                Locale.ROOT,
                "Tensor \"%s\": %d NaN and %d infinite of %d values are not in its range",
                entry.getKey(),
                stats.nans(),
                infinite,
                stats.count()));
      }
    }
    return warnings;
  }

  /** Overrides that select nothing: a name is misspelt, or the operator is not there. */
  public static List<String> ofOverrides(FloatModel model) {
    List<String> warnings = new ArrayList<>();
    for (QConfigMapping.Rule rule : model.mapping().overrides()) {
      if (!model.isSelected(rule)) {
        warnings.add(
            String.format(
                Locale.ROOT,
                "The override {%s: %s} changes nothing: the model has no such %s",
                rule.by() == QConfigMapping.By.OPERATOR ? "op" : "name",
                rule.pattern(),
                rule.by() == QConfigMapping.By.OPERATOR ? "operator" : "node, output or input"));
      }
    }
    return warnings;
  }

  /** Weights that took 8 bits where 4 were asked for: 4 bits are for products alone. */
  public static Optional<String> ofWiderWeights(FloatModel model, QuantizedModel quantized) {
    if (model.mapping().mode() == Mode.STATIC) {
      return Optional.empty(); // What takes 8 bits there, embeddings and operands, is documented.
    }
    DType wanted = model.mapping().standard().weight().dtype();
    long wider =
        quantized.weights().values().stream()
            .filter(weight -> weight.dtype().bits() > wanted.bits())
            .count();
    if (wider > 0) {
      return Optional.of(
          String.format(
              Locale.ROOT,
              "%d of %d weights took 8 bits, not %s: blocks are for MatMul with a constant matrix",
              wider,
              quantized.weights().size(),
              wanted.id()));
    }
    return Optional.empty();
  }

  /**
   * Layers whose integer products differ between CPUs, so that figures of one do not hold on
   * another.
   */
  public static List<String> ofSaturation(OnnxModel quantized) {
    Map<Saturation.Where, List<Saturation.Layer>> byWhere =
        Saturation.of(quantized).stream()
            .collect(
                Collectors.groupingBy(
                    Saturation.Layer::where,
                    () -> new EnumMap<>(Saturation.Where.class),
                    Collectors.toList()));
    List<String> warnings = new ArrayList<>();
    byWhere.forEach(
        (where, layers) ->
            warnings.add(
                String.format(
                    Locale.ROOT,
                    "On %s the integers of %d %s differ, first %s(%s): figures of other CPUs do not"
                        + " hold there; quantize.weight.products=portable is for all CPUs",
                    where.label(),
                    layers.size(),
                    layers.size() == 1 ? "layer" : "layers",
                    layers.get(0).opType(),
                    layers.get(0).name())));
    return warnings;
  }

  /** Outputs that are worse on the CPU that evaluated, since sums of products saturate there. */
  static List<String> ofSaturatedOutputs(
      EvaluationJob.Result measured, EvaluationJob.Result exact) {
    List<String> warnings = new ArrayList<>();
    measured
        .outputs()
        .forEach(
            (name, metrics) -> {
              OutputMetrics other = exact.outputs().get(name);
              if (other != null && other.sqnr() - metrics.sqnr() > SATURATED) {
                warnings.add(
                    String.format(
                        Locale.ROOT,
                        "Output \"%s\" has an SQNR of %.2f dB on this CPU, on which sums of integer"
                            + " products saturate, and %.2f dB with exact products;"
                            + " quantize.weight.products=portable makes models for all CPUs",
                        name,
                        metrics.sqnr(),
                        other.sqnr()));
              }
            });
    return warnings;
  }

  /** Bias correction that was left out, since the state holds no means of channels. */
  public static Optional<String> ofMissingMeans(FloatModel model, CalibrationState state) {
    boolean hasMeans =
        state.tensors().values().stream().anyMatch(stats -> stats.channels().isPresent());
    if (model.mapping().correctsBias() && model.plan().isPresent() && !hasMeans) {
      return Optional.of(
          "Biases are not corrected: the state holds no means of channels; calibrate again for"
              + " them");
    }
    return Optional.empty();
  }

  /** A file that quantization made larger: tiny weights cost more as integers. */
  public static Optional<String> ofSize(FloatModel model, OnnxModel quantized) {
    long before = model.original().sizeBytes();
    long after = quantized.files("model.onnx").stream().mapToLong(ModelFile::sizeBytes).sum();
    if (after <= before) {
      return Optional.empty();
    }
    return Optional.of(
        String.format(
            Locale.ROOT,
            "The quantized model is larger than the float one, %,d bytes against %,d: its weights"
                + " are small beside what scales, zero points and their nodes take%s",
            after,
            before,
            model.mapping().mode() == Mode.WEIGHT_ONLY
                ? ""
                : "; quantize.mode=weight-only adds the least"));
  }

  /** So many layers are named at most. */
  private static final int NAMED_LAYERS = 3;

  /**
   * The layers that were found to cost most, as {@code OpType(name) (12.3 dB alone)}; empty if none
   * were searched for.
   *
   * @param costs the worst layer first
   */
  public static List<String> worstLayers(List<Corrections.Cost> costs) {
    return costs.stream()
        .filter(cost -> cost.floats().isEmpty())
        .limit(NAMED_LAYERS)
        .map(cost -> ofLayer(cost.nodes().get(0), cost.decibels()))
        .toList();
  }

  /** How a warning names a layer with its SQNR when nothing else is quantized. */
  public static String ofLayer(String layer, double decibels) {
    return String.format(Locale.ROOT, "%s (%.1f dB alone)", layer, decibels);
  }

  /**
   * Outputs that quantization changed much, or that the comparison leaves out, whole or in part.
   *
   * @param worst names the layers that lose most, the worst first; asked only if much is lost
   */
  public static List<String> ofOutputs(EvaluationJob.Result result, Supplier<List<String>> worst) {
    boolean losesMuch =
        result.outputs().values().stream().anyMatch(metrics -> metrics.sqnr() < LOW_SQNR);
    List<String> layers = losesMuch ? worst.get() : List.of();
    String most =
        layers.isEmpty()
            ? "the command compare, with --model, --quantized and --data, shows in which layers"
            : "most comes from "
                + String.join(", ", layers.subList(0, Math.min(NAMED_LAYERS, layers.size())));
    List<String> warnings = new ArrayList<>();
    for (String output : result.ofOtherShape()) {
      warnings.add(
          "Output \""
              + output
              + "\" is not compared: its shape depends on values, and was another in the quantized"
              + " model");
    }
    for (Map.Entry<String, OutputMetrics> output : result.outputs().entrySet()) {
      double sqnr = output.getValue().sqnr();
      if (sqnr < LOW_SQNR) {
        warnings.add(
            String.format(
                Locale.ROOT,
                "Output \"%s\" is far from float32's: an SQNR of %.1f dB, so that the error is %.0f"
                    + " %% of the signal; %s; quantize.overrides leaves layers float,"
                    + " quantize.mode=weight-only all activations",
                output.getKey(),
                sqnr,
                100 * Math.pow(10, sqnr / -20),
                most));
      }
      if (output.getValue().nonFinite() > 0) {
        warnings.add(
            String.format(
                Locale.ROOT,
                "Output \"%s\": %d values are NaN or infinite in one of the models",
                output.getKey(),
                output.getValue().nonFinite()));
      }
    }
    result
        .integers()
        .forEach(
            (name, metrics) -> {
              if (metrics.agreement() < LOW_AGREEMENT) {
                warnings.add(
                    String.format(
                        Locale.ROOT,
                        "Output \"%s\" is another integer than float32's in %.1f %% of values;"
                            + " quantize.overrides leaves layers float, quantize.mode=weight-only"
                            + " all activations",
                        name,
                        100 * (1 - metrics.agreement())));
              }
            });
    return warnings;
  }
}
