package org.tare.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SortedMap;
import java.util.function.Function;
import org.tare.TareException;
import org.tare.prepare.FoldedBatchNormalization;
import org.tare.qconfig.Mode;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.Sample;
import org.tare.spark.tasks.TrainingJob;
import org.tare.stats.CalibrationState;
import org.tare.train.Grids;
import org.tare.train.TrainedModel;
import org.tare.train.TrainingOptions;
import org.tare.train.TrainingState;
import org.tare.train.Untrainable;
import org.tare.train.torch.Libtorch;

/**
 * Trains a float model for its quantized form: rounds of steps on Spark, with the scales and zero
 * points that it begins with, and measures the quantized model. What was best is kept, the model
 * without training included.
 */
public final class TrainingRun {
  private final JobContext context;
  private final TrainableModel model;
  private final TrainingSettings settings;
  private final TrainingCheckpoints checkpoints;

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
      return TrainingRun.measured(before, curve, bestStep);
    }
  }

  /** What was measured after a step; without training if it is 0. */
  static Measured measured(Measured before, List<Point> curve, long step) {
    return curve.stream()
        .filter(point -> step > 0 && point.step() == step)
        .flatMap(point -> point.measured().stream())
        .findFirst()
        .orElse(before);
  }

  public TrainingRun(
      JobContext context,
      QuantizeOptions options,
      Map<String, String> metadata,
      TrainingSettings settings,
      TrainingCheckpoints checkpoints) {
    this.model = new TrainableModel(context, options, metadata);
    this.context = model.context();
    this.settings = settings;
    this.checkpoints = checkpoints;
  }

  /**
   * Checks what can be checked before data are read: natives, mode and operators.
   *
   * @throws TareException if the model cannot be trained here
   */
  public static void check(FloatModel model, Untrainable untrainable) {
    if (model.mapping().mode() != Mode.STATIC) {
      throw TareException.usage(
          "Cannot train %s in the mode %s: only the mode static rounds with scales that are known"
              + " in training",
          model.name(), model.mapping().mode().id());
    }
    // First: without libtorch there are no operators to look at.
    Libtorch.load();
    TrainedModel.of(model.name(), model.prepared(), model.types(), model.mapping(), untrainable);
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
    List<FoldedBatchNormalization> folded =
        settings.options().normalization() == TrainingOptions.Normalization.TRAINED
            ? ModelReader.foldedBatchNormalizations(begun.chosen().model())
            : List.of();
    TrainableModel.Begin begin = model.begin(begun, state, settings.untrainable(), folded);
    FloatModel floats = begin.model();
    TrainedModel trained = begin.trained();
    Grids grids = begin.grids();
    FirstRow.of(context, floats, data)
        .ifPresent(row -> SameOutputs.check(floats, trained, settings.options(), row));
    DataSource sampled =
        new DataSource(
            measured.origin(),
            Optional.of(new Sample.Rows(settings.measureRows())),
            measured.key());
    Optional<String> mask = context.rows().mask(floats.original().graph().inputNames());
    try (TrainingJob job =
        TrainingJob.open(
            context.spark().get(),
            new TrainingJob.Request(
                trained,
                floats.types(),
                data,
                settings.label(),
                context.rows().inputs(),
                context.rows().badRows(),
                mask,
                settings.options()))) {
      SortedMap<String, String> origin = settings.origin();
      origin.put("mask", mask.orElse(""));
      origin.put(TrainingCheckpoint.MODEL, floats.original().digest());
      origin.put(TrainingCheckpoint.GRIDS, TrainingCheckpoint.digest(grids.text()));
      origin.put(TrainingCheckpoint.ROWS, job.rows() + " of hash " + job.digest());
      List<String> warnings = new ArrayList<>(normalizationWarnings(trained, folded));
      TrainingState initial = trained.initialState(grids, settings.options());
      TrainingCheckpoint reached =
          checkpoints
              .find(origin, initial)
              .map(this::goingOn)
              .orElseGet(
                  () ->
                      new TrainingCheckpoint(
                          origin,
                          model.measure(floats, begun.quantized().model(), sampled, label),
                          List.of(),
                          initial,
                          0,
                          Optional.empty()));
      context.progress().accept("Without training: " + reached.before());
      Quantizer quantizer = now -> model.quantized(begin, now, settings.options());
      Rounds rounds =
          new Rounds(
              job,
              grids,
              quantizer,
              quantized -> model.measure(floats, quantized.quantized().model(), sampled, label));
      reached = rounds.run(reached, warnings);
      if (reached.bestStep() == 0) {
        warnings.add(
            "Training made the model no better ("
                + reached.before()
                + " without it): the model without training is kept");
      }
      return new Result(
          reached.best().map(quantizer::quantized).orElse(begun),
          reached.before(),
          reached.curve(),
          reached.bestStep(),
          job.rows(),
          job.steps(),
          warnings,
          (System.nanoTime() - started) / 1e9);
    }
  }

  /** What a user who wants batch normalizations trained has to know. */
  private List<String> normalizationWarnings(
      TrainedModel trained, List<FoldedBatchNormalization> folded) {
    if (settings.options().normalization() == TrainingOptions.Normalization.FOLDED) {
      return List.of();
    }
    if (folded.isEmpty()) {
      return List.of(
          String.format(
              "train.batch-normalization=trained changes nothing: %s has no BatchNormalization"
                  + " after a Conv, ConvTranspose or Gemm with constant weights",
              trained.name()));
    }
    List<String> left =
        folded.stream()
            .map(FoldedBatchNormalization::label)
            .filter(label -> !trained.keptNormalizations().contains(label))
            .toList();
    return left.isEmpty()
        ? List.of()
        : List.of(
            String.format(
                "train.batch-normalization=trained leaves %,d of %,d normalizations folded, %s:"
                    + " their layers are not trained, or equalization, SmoothQuant or learned"
                    + " rounding changed them",
                left.size(), folded.size(), left.get(0) + (left.size() > 1 ? " and others" : "")));
  }

  private TrainingCheckpoint goingOn(TrainingCheckpoint from) {
    context
        .progress()
        .accept(
            String.format(
                Locale.ROOT,
                "Training goes on after step %,d, from its checkpoint",
                from.state().step()));
    return from;
  }

  /** Gives the quantized model of trained weights. */
  @FunctionalInterface
  private interface Quantizer {
    QuantizationRun.Result quantized(TrainingState state);
  }

  /** Goes through rounds, measures after them, and keeps how far it has come. */
  private final class Rounds {
    private final TrainingJob job;
    private final Grids grids;
    private final Quantizer quantizer;
    private final Function<QuantizationRun.Result, Measured> measure;

    Rounds(
        TrainingJob job,
        Grids grids,
        Quantizer quantizer,
        Function<QuantizationRun.Result, Measured> measure) {
      this.job = job;
      this.grids = grids;
      this.quantizer = quantizer;
      this.measure = measure;
    }

    TrainingCheckpoint run(TrainingCheckpoint from, List<String> warnings) {
      TrainingCheckpoint reached = from;
      while (reached.state().step() < job.steps()) {
        long step = reached.state().step();
        int next = (int) Math.min(settings.options().roundSteps(), job.steps() - step);
        TrainingJob.Round done = job.round(reached.state(), grids, next);
        if (done.failure().isPresent()) {
          warnings.add(stopped(done.failure().get(), step));
          return reached;
        }
        reached = after(reached, done);
        checkpoints.write(reached);
      }
      return reached;
    }

    private TrainingCheckpoint after(TrainingCheckpoint reached, TrainingJob.Round done) {
      TrainingState now = done.state();
      int round = reached.curve().size() + 1;
      Optional<Measured> found = Optional.empty();
      Measured best = reached.measured();
      boolean isBest = false;
      if (round % settings.evaluateEvery() == 0 || now.step() == job.steps()) {
        Measured one = measure.apply(quantizer.quantized(now));
        found = Optional.of(one);
        isBest = one.isBetterThan(best);
      }
      List<Point> curve = new ArrayList<>(reached.curve());
      curve.add(new Point(now.step(), mean(done.losses()), found));
      tell(curve.get(curve.size() - 1), job.steps());
      return new TrainingCheckpoint(
          reached.origin(),
          reached.before(),
          curve,
          now,
          isBest ? now.step() : reached.bestStep(),
          isBest ? Optional.of(now) : reached.best());
    }

    private String stopped(String failure, long step) {
      return "Training stopped: "
          + failure
          + checkpoints
              .file()
              .filter(file -> step > 0)
              .map(file -> "; " + file + " keeps the state after step " + step)
              .orElse("")
          + "; what was best before is kept; set train.learning-rate lower than "
          + settings.options().rate();
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
}
