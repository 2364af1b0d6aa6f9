package org.tare.job;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.tare.job.TrainingRun.Measured;
import org.tare.onnx.OnnxModel;
import org.tare.plan.ChosenRanges;
import org.tare.prepare.FoldedBatchNormalization;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.stats.CalibrationState;
import org.tare.train.Grids;
import org.tare.train.TrainedModel;
import org.tare.train.TrainedQParams;
import org.tare.train.TrainingOptions;
import org.tare.train.TrainingState;
import org.tare.train.Untrainable;

/** From a quantized model to what is trained, and back. */
final class TrainableModel {
  private final JobContext context;
  private final QuantizeOptions options;
  private final Map<String, String> metadata;

  TrainableModel(JobContext context, QuantizeOptions options, Map<String, String> metadata) {
    // The share of bad rows was checked on all rows; among few it may be greater.
    this.context = context.with(context.rows().withoutLimit());
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

  JobContext context() {
    return context;
  }

  /**
   * What training begins with.
   *
   * @param unrounded the quantized model without corrections
   * @param grids its scales and zero points
   */
  record Begin(
      QuantizationRun.Result begun,
      CalibrationState state,
      FloatModel model,
      TrainedModel trained,
      QuantizedModel unrounded,
      Grids grids) {}

  /**
   * What training begins with.
   *
   * @param folded the batch normalizations to keep in training, where that can be
   */
  Begin begin(
      QuantizationRun.Result begun,
      CalibrationState state,
      Untrainable untrainable,
      List<FoldedBatchNormalization> folded) {
    FloatModel model = begun.chosen().model().with(options.mapping());
    TrainedModel trained =
        TrainedModel.of(
            model.name(), model.prepared(), model.types(), model.mapping(), untrainable, folded);
    QuantizedModel unrounded =
        Quantization.quantizeWith(
            trained.model(),
            model.types(),
            options.mapping(),
            Quantization.Form.QDQ,
            Optional.of(new ChosenRanges(state)),
            Map.of());
    return new Begin(begun, state, model, trained, unrounded, trained.grids(unrounded));
  }

  /** The quantized model of trained weights and scales. */
  QuantizationRun.Result quantized(Begin begin, TrainingState now, TrainingOptions training) {
    TrainedQParams qparams =
        begin.trained().qparams(begin.unrounded(), begin.grids(), now, training);
    FloatModel model = begin.model().withPrepared(begin.trained().with(now));
    QuantizationRun.Result made =
        new QuantizationRun(context, options, metadata)
            .with(qparams)
            .run(model, Optional.of(begin.state()), Optional.empty());
    return new QuantizationRun.Result(
        new Corrections.Chosen(
            made.chosen().model(),
            begin.begun().chosen().layers(),
            List.of(),
            List.of(),
            List.of()),
        made.quantized(),
        made.warnings(),
        begin.begun().correctSeconds(),
        made.seconds());
  }

  /** What a quantized model is worth. */
  Measured measure(FloatModel model, OnnxModel quantized, DataSource rows, Optional<String> label) {
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
}
