package org.tare.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;
import org.tare.job.TrainingRun.Measured;
import org.tare.qconfig.Mode;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.Sample;
import org.tare.spark.tasks.TrainingJob;
import org.tare.stats.CalibrationState;
import org.tare.train.Optimizer;
import org.tare.train.RoundingOptions;
import org.tare.train.TrainedModel;
import org.tare.train.TrainingOptions;
import org.tare.train.TrainingState;
import org.tare.train.Untrainable;
import org.tare.train.torch.Libtorch;

/**
 * Learns how the weights of a quantized model are rounded, on rows of the calibration data, and
 * keeps the model that measures better.
 */
public final class RoundingRun {
  private static final int LEAST_MEASURED = 256;

  private final TrainableModel model;
  private final RoundingOptions options;
  private final int rows;
  private final int measureRows;

  /**
   * How rounding is learned.
   *
   * @param rows to learn on
   * @param measureRows to measure both models on; more if they are few
   */
  public record Settings(RoundingOptions options, int rows, int measureRows) {}

  public RoundingRun(
      JobContext context,
      QuantizeOptions quantize,
      Map<String, String> metadata,
      Settings settings) {
    this.model = new TrainableModel(context, quantize, metadata);
    this.options = settings.options();
    this.rows = settings.rows();
    this.measureRows = Math.max(LEAST_MEASURED, settings.measureRows());
  }

  /**
   * Checks what can be checked before data are read.
   *
   * @throws TareException if rounding cannot be learned for the model
   */
  public static void check(FloatModel model) {
    if (model.mapping().mode() != Mode.STATIC) {
      throw TareException.usage(
          "quantize.weight.rounding=learned cannot be used in the mode %s: it is for the mode"
              + " static",
          model.mapping().mode().id());
    }
    Libtorch.load();
    Optional<String> obstacle = TrainedModel.obstacle(model.prepared());
    if (obstacle.isPresent()) {
      throw TareException.badInput(
          "Cannot learn the rounding of %s: %s; set quantize.weight.rounding=auto",
          model.name(), obstacle.get());
    }
    TrainingRun.check(model, Untrainable.REFUSED);
  }

  /** The better of the quantized models with and without learned rounding. */
  public QuantizationRun.Result run(
      QuantizationRun.Result begun, CalibrationState state, DataSource data) {
    JobContext context = model.context();
    TrainableModel.Begin begin = model.begin(begun, state, Untrainable.REFUSED, List.of());
    TrainingOptions training = plain();
    FirstRow.of(context, begin.model(), data)
        .ifPresent(row -> SameOutputs.check(begin.model(), begin.trained(), training, row));
    TrainingState learned;
    try (TrainingJob job =
        TrainingJob.open(
            context.spark().get(),
            new TrainingJob.Request(
                begin.trained(),
                begin.model().types(),
                sample(data, rows),
                Optional.empty(),
                context.rows().inputs(),
                context.rows().badRows(),
                Optional.empty(),
                training))) {
      context.progress().accept("Learning how weights are rounded, on " + job.rows() + " rows");
      learned = job.learnRounding(begin.trained().initialState(), begin.grids(), options);
    }
    QuantizationRun.Result rounded = model.quantized(begin, learned, training);
    DataSource measured = sample(data, measureRows);
    Measured before =
        model.measure(begin.model(), begun.quantized().model(), measured, Optional.empty());
    Measured after =
        model.measure(begin.model(), rounded.quantized().model(), measured, Optional.empty());
    context.progress().accept("Learned rounding: " + after + ", " + before + " without");
    List<String> warnings = new ArrayList<>(begun.warnings());
    boolean isBetter = after.isBetterThan(before);
    if (!isBetter) {
      warnings.add(
          "Learned rounding made the model no better ("
              + after
              + ", "
              + before
              + " without it): the model without it is kept");
    }
    QuantizationRun.Result best = isBetter ? rounded : begun;
    return new QuantizationRun.Result(
        best.chosen(), best.quantized(), warnings, begun.correctSeconds(), begun.seconds());
  }

  private static DataSource sample(DataSource data, int rows) {
    return new DataSource(data.origin(), Optional.of(new Sample.Rows(rows)), data.key());
  }

  /** One shard, with scales that stay. */
  private TrainingOptions plain() {
    return new TrainingOptions(
        TrainingOptions.Loss.MSE,
        0,
        Optimizer.Kind.ADAM,
        1,
        1,
        options.batch(),
        1,
        0,
        0,
        0,
        options.seed(),
        TrainingOptions.Scales.FIXED,
        0,
        TrainingOptions.Normalization.FOLDED,
        0,
        TrainingOptions.ZeroPoints.FIXED);
  }
}
