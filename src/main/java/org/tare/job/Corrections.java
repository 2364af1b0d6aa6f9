package org.tare.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import org.tare.correct.SmoothQuant;
import org.tare.job.CorrectionOptions.Switch;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Operators;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.rewrite.Quantization;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.KeptRows;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.Evaluations;
import org.tare.spark.tasks.OutputMetrics;

/**
 * Chooses the corrections of a quantized model by the error that is measured on rows of the
 * calibration data: each that is automatic is left out in turn, and stays out unless the error is
 * lower with it. The error is noise over signal, the mean over the model's outputs.
 */
public final class Corrections {
  private static final String NOT_IN_SEQUENCE = "Biases are not corrected in sequence: ";

  private static final String NOT_COMPARABLE =
      "Corrections are not measured, and stay: the shapes of the outputs depend on values, and were"
          + " others in the quantized model";

  /**
   * SmoothQuant's factors cost time and bytes, unless they all went into constants: what the error
   * has to come down to for them.
   */
  private static final double WORTH_FACTORS = 0.95;

  /** Noise over signal where nothing of an output is left: -60 dB. */
  private static final double LOST = 1e6;

  /** A warning names so many nodes at most. */
  private static final int NAMED = 8;

  private final JobContext context;
  private final QuantizeOptions options;
  private final CorrectionOptions wanted;
  private final Quantizer quantizer;
  private final DataSource rows;
  private final Evaluations evaluations;

  private FloatModel model;

  /** Of the model, once it is measured. */
  private OptionalDouble error = OptionalDouble.empty();

  private boolean isComparable = true;
  private final List<Trial> trials = new ArrayList<>();

  /** Makes the quantized model of a float model with some of the corrections. */
  @FunctionalInterface
  public interface Quantizer {
    OnnxModel quantize(FloatModel model, Quantization.Form form);
  }

  /**
   * What was chosen.
   *
   * @param model with the factors, biases and configuration of the corrections that stay
   * @param layers the factors of SmoothQuant
   * @param trials what was measured, in order
   * @param costs of the layers that were measured to cost most, if any were searched for
   * @param warnings what was asked for and could not be done, or was done unasked
   */
  public record Chosen(
      FloatModel model,
      List<SmoothQuant.Layer> layers,
      List<Trial> trials,
      List<Cost> costs,
      List<String> warnings) {}

  /**
   * What a layer costs.
   *
   * @param nodes of the layer, each as {@code OpType(name)}
   * @param floats those of them that stay float32 for it
   * @param error noise over signal of the model with this layer alone quantized
   */
  public record Cost(List<String> nodes, List<String> floats, double error) {
    public double decibels() {
      return -10 * Math.log10(error);
    }
  }

  /**
   * One measurement.
   *
   * @param error noise over signal with this correction and all that are on at this point
   * @param without the same without this one
   */
  public record Trial(String correction, boolean isKept, double error, double without) {
    public double decibels() {
      return -10 * Math.log10(error);
    }

    public double decibelsWithout() {
      return -10 * Math.log10(without);
    }
  }

  private Corrections(
      JobContext context,
      QuantizeOptions options,
      Quantizer quantizer,
      FloatModel model,
      DataSource rows,
      Evaluations evaluations) {
    this.context = context;
    this.options = options;
    this.wanted = options.corrections();
    this.quantizer = quantizer;
    this.model = model;
    this.rows = rows;
    this.evaluations = evaluations;
  }

  /**
   * Chooses.
   *
   * @param smoothed what SmoothQuant makes of the plain model
   * @param data to measure on; without any, everything that is not switched off stays
   */
  static Chosen choose(
      JobContext context,
      QuantizeOptions options,
      Quantizer quantizer,
      FloatModel plain,
      SmoothQuant.Result smoothed,
      Optional<DataSource> data) {
    CorrectionOptions wanted = options.corrections();
    FloatModel all = plain.with(smoothed);
    Optional<String> obstacle = obstacle(wanted, all, data);
    if (obstacle.isPresent()) {
      return new Chosen(
          all,
          smoothed.layers(),
          List.of(),
          List.of(),
          obstacle.filter(why -> wanted.inSequence()).map(NOT_IN_SEQUENCE::concat).stream()
              .toList());
    }
    // The share of bad rows was checked on all rows; among few it may be greater.
    JobContext few = context.with(context.rows().withoutLimit());
    try (KeptRows rows =
            KeptRows.of(
                context.spark().get(),
                plain.name(),
                plain.original(),
                plain.types(),
                data.get(),
                context.rows().inputs(),
                wanted.measureRows());
        Evaluations evaluations =
            new EvaluationRun(few)
                .several(
                    plain.name(),
                    plain.original(),
                    plain.types(),
                    rows.source(),
                    Optional.empty())) {
      return new Corrections(few, options, quantizer, all, rows.source(), evaluations)
          .choose(plain, smoothed.layers());
    }
  }

  /** Why nothing can be measured. */
  private static Optional<String> obstacle(
      CorrectionOptions wanted, FloatModel model, Optional<DataSource> data) {
    if (data.isEmpty()) {
      return Optional.of("there are no rows to measure on; use the command run, with data");
    }
    if (wanted.measureRows() == 0) {
      return Optional.of("quantize.measure-rows is 0");
    }
    return EvaluationJob.outputs(model.original(), model.types()).isEmpty()
        ? Optional.of("no output of the model is of floats")
        : Optional.empty();
  }

  private Chosen choose(FloatModel plain, List<SmoothQuant.Layer> smoothed) {
    FloatModel all = model;
    List<SmoothQuant.Layer> layers = chooseSwitched(plain, smoothed);
    List<Cost> costs = List.of();
    List<String> warnings = new ArrayList<>();
    if (leavesFloat()) {
      CostlyLayers.Found found = leaveFloat();
      costs = costs(found);
      if (!found.left().isEmpty()) {
        warnings.add(ofFloatLayers(found, error()));
        // What was chosen amid that noise is chosen again without it.
        Trial trial = new Trial("float-layers", true, found.error(), error());
        trials.clear();
        trials.add(trial);
        model = all.with(all.mapping().withCostly(found.model().mapping().costly()));
        error = OptionalDouble.empty();
        layers = chooseSwitched(plain.with(model.mapping()), smoothed);
      }
    }
    if (wanted.inSequence()) {
      FloatModel before = model;
      double without = error();
      model = new SequentialCorrection(context).correct(model, rows, quantizer);
      error = OptionalDouble.empty();
      keeps("bias-sequential", before, without, 1);
    }
    if (!isComparable) {
      warnings.add(NOT_COMPARABLE);
    }
    return new Chosen(model, layers, trials, costs, warnings);
  }

  /** Whether the error is so great that layers may have to stay float32. */
  private boolean leavesFloat() {
    boolean mayBe =
        wanted.floatBelow() > 0
            && model.mapping().mode() == Mode.STATIC
            && model.mapping().standard().quantized();
    return mayBe && isComparable && error() > enough();
  }

  private double enough() {
    return Math.pow(10, wanted.floatBelow() / -10);
  }

  private CostlyLayers.Found leaveFloat() {
    context
        .progress()
        .accept(
            String.format(
                Locale.ROOT,
                "The SQNR is %.2f dB, below quantize.float-below: searching for the layers that"
                    + " cost most",
                -10 * Math.log10(error())));
    return CostlyLayers.find(model, one -> bounded(measure(one)), bounded(error()), enough());
  }

  /** Errors can be added and compared then; an output that is lost has an infinite one. */
  private static double bounded(double error) {
    return Double.isNaN(error) ? LOST : Math.min(error, LOST);
  }

  private static List<Cost> costs(CostlyLayers.Found found) {
    return found.worst().stream()
        .map(
            cost ->
                new Cost(
                    names(cost.nodes()),
                    names(cost.nodes().stream().filter(found::isFloat).toList()),
                    cost.error()))
        .toList();
  }

  private static List<String> names(List<Node> nodes) {
    return nodes.stream().map(node -> node.opType() + "(" + node.label() + ")").toList();
  }

  private String ofFloatLayers(CostlyLayers.Found found, double before) {
    List<String> names =
        found.left().stream().flatMap(cost -> names(cost.nodes()).stream()).toList();
    return String.format(
        Locale.ROOT,
        "%d %s float32, since the SQNR is %.1f dB with them quantized and %.1f dB without: %s%s;"
            + " quantize.float-below=0 quantizes them",
        names.size(),
        names.size() == 1 ? "node stays" : "nodes stay",
        -10 * Math.log10(before),
        -10 * Math.log10(found.error()),
        String.join(", ", names.subList(0, Math.min(NAMED, names.size()))),
        names.size() > NAMED ? " and " + (names.size() - NAMED) + " more" : "");
  }

  /** The corrections that were not asked for by name. */
  private List<SmoothQuant.Layer> chooseSwitched(
      FloatModel plain, List<SmoothQuant.Layer> smoothed) {
    List<SmoothQuant.Layer> layers = smoothed;
    if (wanted.smoothQuant() == Switch.AUTO && !layers.isEmpty()) {
      boolean isFree = layers.stream().allMatch(SmoothQuant.Layer::folded);
      layers = keeps("smooth-quant", plain, isFree ? 1 : WORTH_FACTORS) ? layers : List.of();
    }
    boolean hasConvolutions = hasConvolutions(model);
    if (wanted.kernelSums() == Switch.AUTO && hasConvolutions) {
      keeps("kernel-sums", model.with(model.mapping().withoutKernelSums()), 1);
    }
    boolean hasFast = model.mapping().mode() == Mode.STATIC && hasConvolutions;
    if (wanted.biasCorrection() == Switch.AUTO && hasFast) {
      keeps("bias-correction", model.with(model.mapping().withoutBiasCorrection()), 1);
    }
    return layers;
  }

  /** Whether the model is better with a correction. If not, it goes on without. */
  private boolean keeps(String correction, FloatModel other, double worth) {
    error();
    return keeps(correction, other, measure(other), worth);
  }

  private boolean keeps(String correction, FloatModel other, double without, double worth) {
    isComparable &= !Double.isNaN(error()) && !Double.isNaN(without);
    if (!isComparable) {
      return true;
    }
    boolean isKept = error() < worth * without;
    trials.add(new Trial(correction, isKept, error(), without));
    if (!isKept) {
      model = other;
      error = OptionalDouble.of(without);
    }
    return isKept;
  }

  private double error() {
    if (error.isEmpty()) {
      error = OptionalDouble.of(measure(model));
    }
    return error.getAsDouble();
  }

  /** NaN if no output can be compared. */
  private double measure(FloatModel candidate) {
    EvaluationJob.Result result =
        evaluations.run(quantizer.quantize(candidate, options.form()), context.progress());
    return OutputMetrics.error(result.outputs());
  }

  private static boolean hasConvolutions(FloatModel model) {
    return model.prepared().graph().nodes().stream()
        .filter(node -> Operators.CONVOLUTION.contains(node.opType()))
        .map(node -> model.mapping().of(node.opType(), node.label(), node.output(0)))
        .anyMatch(QConfig::quantized);
  }
}
