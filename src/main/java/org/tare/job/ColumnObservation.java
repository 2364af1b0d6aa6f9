package org.tare.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.spark.sql.SparkSession;
import org.tare.quant.QScheme;
import org.tare.range.torch.TorchHistogram;
import org.tare.range.torch.TorchVersion;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.ObserveJob;
import org.tare.stats.CalibrationState;
import org.tare.torch.ObserverConfig;
import org.tare.torch.ObserverKind;
import org.tare.torch.TorchObserver;

/** Observes columns of a table, without a model, and chooses their qparams. */
public final class ColumnObservation {
  /** Values that a recording keeps. */
  private static final int RECORDED = 1 << 16;

  private final SparkSession spark;
  private final ObserveOptions options;
  private final ObserveJob.Request request;

  private ColumnObservation(SparkSession spark, DataSource data, ObserveOptions options) {
    this.spark = spark;
    this.options = options;
    this.request =
        new ObserveJob.Request(
            data,
            new ObserveJob.Columns(
                options.columns(),
                options.observer().part(),
                options.batch(),
                options.averagingConstant(),
                RECORDED),
            options.by());
  }

  /**
   * What was observed.
   *
   * @param qparams of each column, or of each slice or batch of it
   * @param states by slice, the whole table's under an empty name; none of observers that keep no
   *     state
   */
  public record Result(List<ColumnQParams> qparams, SortedMap<String, CalibrationState> states) {}

  /**
   * Observes.
   *
   * @param progress gets a line now and then
   */
  public static Result run(
      SparkSession spark, DataSource data, ObserveOptions options, Consumer<String> progress) {
    ColumnObservation observation = new ColumnObservation(spark, data, options);
    return options.observer().seesAllInOrder()
        ? new Result(observation.inOrder(), new TreeMap<>())
        : observation.merged(progress);
  }

  private Result merged(Consumer<String> progress) {
    ObserveJob.Result observed = ObserveJob.run(spark, request, progress);
    List<ColumnQParams> qparams = new ArrayList<>();
    SortedMap<String, CalibrationState> states = new TreeMap<>();
    observed
        .slices()
        .forEach(
            (slice, tensors) -> {
              tensors.forEach(
                  (column, stats) -> qparams.add(ColumnQParams.of(slice, column, stats, options)));
              states.put(
                  slice, new CalibrationState("", slice, observed.rows().get(slice), tensors));
            });
    return new Result(qparams, states);
  }

  private List<ColumnQParams> inOrder() {
    List<ColumnQParams> qparams = new ArrayList<>();
    if (options.observer() == Observer.PLACEHOLDER) {
      Map<String, Integer> batches = new TreeMap<>();
      ObserveJob.inOrder(
          spark,
          request,
          (column, values) -> {
            int batch = batches.merge(column, 1, Integer::sum) - 1;
            qparams.add(ColumnQParams.ofBatch(column, values, options.spec(), batch));
          });
      return qparams;
    }
    SortedMap<String, TorchObserver> observers = new TreeMap<>();
    options.columns().forEach(column -> observers.put(column, new TorchObserver(torchConfig())));
    ObserveJob.inOrder(
        spark, request, (column, values) -> observers.get(column).observe(values, values.length));
    observers.forEach(
        (column, one) -> qparams.add(ColumnQParams.ofTorch(column, options.observer(), one)));
    return qparams;
  }

  private ObserverConfig torchConfig() {
    ObserverConfig config =
        ObserverConfig.of(ObserverKind.HISTOGRAM)
            .with(
                options.spec().dtype(),
                options.spec().symmetric()
                    ? QScheme.PER_TENSOR_SYMMETRIC
                    : QScheme.PER_TENSOR_AFFINE)
            .withHistogram(
                TorchVersion.of(options.observer().id()),
                TorchHistogram.DEFAULT_BINS,
                TorchHistogram.DEFAULT_UPSAMPLE_RATE);
    return options.reducesRange() ? config.withReducedRange() : config;
  }
}
