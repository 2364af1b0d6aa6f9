package org.tare.job;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.tare.TareException;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.infer.TemporaryModel;
import org.tare.onnx.OnnxModel;
import org.tare.plan.ChosenRanges;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.ChannelQParams;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.Sample;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.spark.tasks.TrainingJob;
import org.tare.stats.CalibrationState;
import org.tare.train.Grids;
import org.tare.train.Libtorch;
import org.tare.train.TrainedModel;
import org.tare.train.Trainer;
import org.tare.train.TrainingBatch;
import org.tare.train.TrainingRow;
import org.tare.train.TrainingState;

/**
 * Trains a float model for its quantized form: rounds of steps on Spark, with the scales and zero
 * points that it begins with, and measures the quantized model. What was best is kept, the model
 * without training included.
 */
public final class TrainingRun {
  /** Outputs of libtorch and of ONNX Runtime differ by so much of the greatest value at most. */
  private static final double TOLERANCE = 1e-4;

  private final JobContext context;
  private final QuantizeOptions options;
  private final Map<String, String> metadata;
  private final TrainingSettings settings;

  /**
   * A point of the loss curve.
   *
   * @param step steps taken so far
   * @param loss the mean over the steps of the round
   * @param measured of the quantized model after them, where it was measured
   */
  public record Point(long step, double loss, Optional<Measured> measured) {}

  /**
   * What was measured of a quantized model.
   *
   * @param sqnr the mean over outputs, in dB
   * @param top1 against the labels, if there are any
   */
  public record Measured(double sqnr, OptionalDouble top1) {
    /** With labels the top-1 counts, and of equal ones the SQNR. */
    boolean isBetterThan(Measured other) {
      if (top1.isPresent() && other.top1.isPresent()) {
        int order = Double.compare(top1.getAsDouble(), other.top1.getAsDouble());
        if (order != 0) {
          return order > 0;
        }
      }
      return sqnr > other.sqnr;
    }

    @Override
    public String toString() {
      String share =
          top1.isPresent() ? String.format(Locale.ROOT, ", top-1 %.4f", top1.getAsDouble()) : "";
      return String.format(Locale.ROOT, "%.2f dB%s", sqnr, share);
    }
  }

  /**
   * What training gives.
   *
   * @param best the quantized model that was measured best
   * @param before what was measured without training
   * @param bestStep after which step the best was reached; 0 if it is the one without training
   */
  public record Result(
      QuantizationRun.Result best,
      Measured before,
      List<Point> curve,
      long bestStep,
      long rows,
      long steps,
      List<String> warnings,
      double seconds) {
    /** What was measured of the best. */
    public Measured measured() {
      return curve.stream()
          .filter(point -> bestStep > 0 && point.step() == bestStep)
          .flatMap(point -> point.measured().stream())
          .findFirst()
          .orElse(before);
    }
  }

  public TrainingRun(
      JobContext context,
      QuantizeOptions options,
      Map<String, String> metadata,
      TrainingSettings settings) {
    // The share of bad rows was checked on all rows; among few it may be greater.
    this.context = context.with(context.rows().withoutLimit());
    this.settings = settings;
    this.metadata = Map.copyOf(metadata);
    QConfigMapping plain = options.mapping().withoutKernelSums().withoutBiasCorrection();
    CorrectionOptions.Switch off = CorrectionOptions.Switch.OFF;
    this.options =
        new QuantizeOptions(
            plain,
            options.form(),
            new CorrectionOptions(off, off, off, false, 0, 0),
            options.declaresShapes(),
            options.storesHalf(),
            options.exports());
  }

  /**
   * Checks what can be checked before data are read: natives, mode and operators.
   *
   * @throws TareException if the model cannot be trained here
   */
  public static void check(FloatModel model) {
    if (model.mapping().mode() != Mode.STATIC) {
      throw TareException.usage(
          "Cannot train %s in the mode %s: only the mode static rounds with scales that are known"
              + " in training",
          model.name(), model.mapping().mode().id());
    }
    TrainedModel.of(model.name(), model.prepared(), model.types(), model.mapping());
    Libtorch.load();
  }

  /**
   * Trains.
   *
   * @param begun what quantization without training came to
   * @param data to train on
   * @param measured rows to measure on
   * @param label their column of class numbers
   */
  public Result run(
      QuantizationRun.Result begun,
      CalibrationState state,
      DataSource data,
      DataSource measured,
      Optional<String> label) {
    long started = System.nanoTime();
    FloatModel model = begun.chosen().model().with(options.mapping());
    TrainedModel trained =
        TrainedModel.of(model.name(), model.prepared(), model.types(), model.mapping());
    QuantizedModel unrounded =
        Quantization.quantizeWith(
            trained.model(),
            model.types(),
            options.mapping(),
            Quantization.Form.QDQ,
            Optional.of(new ChosenRanges(state)),
            Map.of());
    Grids grids = trained.grids(unrounded);
    Map<String, ChannelQParams> weights = new HashMap<>();
    unrounded
        .weights()
        .forEach((name, weight) -> weight.channels().ifPresent(q -> weights.put(name, q)));
    checkSame(model, trained, data);
    DataSource sampled =
        new DataSource(
            measured.origin(),
            Optional.of(new Sample.Rows(settings.measureRows())),
            measured.key());
    Measured before = measure(model, begun.quantized().model(), sampled, label);
    context.progress().accept("Without training: " + before);
    List<Point> curve = new ArrayList<>();
    List<String> warnings = new ArrayList<>();
    Measured best = before;
    QuantizationRun.Result bestModel = begun;
    long bestStep = 0;
    try (TrainingJob job =
        TrainingJob.open(
            context.spark().get(),
            new TrainingJob.Request(
                trained,
                model.types(),
                data,
                settings.label(),
                context.rows().inputs(),
                context.rows().badRows(),
                settings.options()))) {
      long steps = job.steps();
      TrainingState now = trained.initialState();
      for (int round = 1; now.step() < steps; round++) {
        int next = (int) Math.min(settings.options().roundSteps(), steps - now.step());
        TrainingJob.Round done = job.round(now, grids, next);
        if (done.failure().isPresent()) {
          warnings.add(
              "Training stopped: "
                  + done.failure().get()
                  + "; what was best before is kept; set train.learning-rate lower than "
                  + settings.options().rate());
          break;
        }
        now = done.state();
        boolean isDue = round % settings.evaluateEvery() == 0 || now.step() == steps;
        Optional<Measured> found = Optional.empty();
        if (isDue) {
          QuantizationRun.Result quantized =
              quantized(begun, model.withPrepared(trained.with(now)), state, weights);
          Measured one = measure(model, quantized.quantized().model(), sampled, label);
          found = Optional.of(one);
          if (one.isBetterThan(best)) {
            best = one;
            bestModel = quantized;
            bestStep = now.step();
          }
        }
        Point point = new Point(now.step(), mean(done.losses()), found);
        curve.add(point);
        tell(point, steps);
      }
      if (bestStep == 0) {
        warnings.add(
            "Training made the model no better ("
                + before
                + " without it): the model without training is kept");
      }
      return new Result(
          bestModel,
          before,
          curve,
          bestStep,
          job.rows(),
          steps,
          warnings,
          (System.nanoTime() - started) / 1e9);
    }
  }

  private void tell(Point point, long steps) {
    context
        .progress()
        .accept(
            String.format(
                Locale.ROOT,
                "Training: step %,d of %,d, loss %.6g%s",
                point.step(),
                steps,
                point.loss(),
                point.measured().map(one -> ", " + one).orElse("")));
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private QuantizationRun.Result quantized(
      QuantizationRun.Result begun,
      FloatModel model,
      CalibrationState state,
      Map<String, ChannelQParams> weights) {
    QuantizationRun.Result made =
        new QuantizationRun(context, options, metadata)
            .with(weights)
            .run(model, Optional.of(state), Optional.empty());
    return new QuantizationRun.Result(
        new Corrections.Chosen(
            made.chosen().model(), begun.chosen().layers(), List.of(), List.of(), List.of()),
        made.quantized(),
        made.warnings(),
        begun.correctSeconds(),
        made.seconds());
  }

  private Measured measure(
      FloatModel model, OnnxModel quantized, DataSource rows, Optional<String> label) {
    EvaluationJob.Result result =
        new EvaluationRun(context)
            .run(model.name(), model.original(), quantized, model.types(), rows, label);
    double noise =
        result.outputs().values().stream()
            .mapToDouble(metrics -> Math.pow(10, -metrics.sqnr() / 10))
            .map(error -> Double.isFinite(error) ? error : 1e30)
            .average()
            .orElse(1e30);
    OptionalDouble top1 =
        result.outputs().values().stream()
            .filter(OutputMetrics::isLabelled)
            .mapToDouble(OutputMetrics::quantizedTop1)
            .findFirst();
    return new Measured(-10 * Math.log10(noise), top1);
  }

  /** Compares libtorch's outputs with those of ONNX Runtime on a row. */
  private void checkSame(FloatModel model, TrainedModel trained, DataSource data) {
    Optional<Map<String, InputTensor>> row = FirstRow.of(context, model, data);
    if (row.isEmpty()) {
      return;
    }
    TrainingBatch batch = batch(row.get());
    Map<String, float[]> expected = new HashMap<>();
    try (TemporaryModel temporary = TemporaryModel.of(trained.model());
        ModelSession session = ModelSession.open(temporary.file(), model.name(), 1)) {
      session.run(
          row.get(),
          session.outputs().keySet(),
          (name, tensor) -> {
            if (EvaluationJob.outputs(trained.model(), model.types()).contains(name)) {
              FloatBuffer floats = tensor.floats();
              float[] values = new float[floats.remaining()];
              floats.get(values);
              expected.put(name, values);
            }
          });
    }
    try (Trainer trainer = Trainer.of(trained, settings.options())) {
      Map<String, float[]> actual =
          trainer.outputs(batch, trained.initialState(), Optional.empty());
      expected.forEach((name, values) -> checkSame(model, name, values, actual.get(name)));
    }
  }

  private static void checkSame(FloatModel model, String output, float[] x, float[] y) {
    double greatest = 1;
    double error = x.length == y.length ? 0 : Double.POSITIVE_INFINITY;
    for (int i = 0; i < Math.min(x.length, y.length); i++) {
      greatest = Math.max(greatest, Math.abs(x[i]));
      error = Math.max(error, Math.abs(x[i] - y[i]));
    }
    if (!(error <= TOLERANCE * greatest)) {
      throw TareException.badInput(
          "Cannot train %s: libtorch computes its output \"%s\" otherwise than ONNX Runtime, by %s"
              + " where the greatest value is %s",
          model.name(), output, error, greatest);
    }
  }

  private static TrainingBatch batch(Map<String, InputTensor> row) {
    List<TrainingRow.Value> values = new ArrayList<>();
    row.forEach(
        (name, tensor) -> {
          long[] shape = tensor.shape();
          if (shape.length == 0 || shape[0] != 1) {
            throw TareException.badInput(
                "Cannot train: the input \"%s\" has no first axis that counts rows", name);
          }
          ByteBuffer bytes = tensor.direct().duplicate();
          byte[] copy = new byte[bytes.remaining()];
          bytes.get(copy);
          values.add(
              new TrainingRow.Value(
                  name,
                  tensor.elementType(),
                  java.util.Arrays.copyOfRange(shape, 1, shape.length),
                  copy));
        });
    return new TrainingBatch(
        List.of(new TrainingRow(values.toArray(TrainingRow.Value[]::new), -1)));
  }
}
