package org.tare.torch;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.tare.TareException;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.quant.TorchQParams;
import org.tare.range.torch.TorchHistogram;
import org.tare.range.torch.TorchRangeSearch;
import org.tare.stats.ChannelObserver;
import org.tare.stats.ChannelStats;
import org.tare.stats.MovingAverage;
import org.tare.stats.Recording;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

/**
 * An observer of PyTorch's by its name, with PyTorch's figures: it sees batches in order and
 * computes qparams.
 *
 * <p>Its state is Tare's {@link TensorStats}, so those of two observers merge; only the histogram
 * observer, whose algorithms depend on order, has one of its own that does not.
 *
 * <p>NaN and infinities follow PyTorch: they become the least or greatest value, and qparams of NaN
 * are refused. Not thread-safe.
 */
public final class TorchObserver {
  private static final int RECORDED_VALUES = 1 << 20;

  private final ObserverConfig config;
  private final QuantSpec spec;
  private final StatsObserver statsObserver = new StatsObserver();
  private final ChannelObserver channelObserver = new ChannelObserver(statsObserver);
  private final TensorStats stats = TensorStats.empty();
  private final TorchHistogram histogram;
  private long batches;

  /**
   * @throws TareException if PyTorch would refuse the arguments
   */
  public TorchObserver(ObserverConfig config) {
    this.config = config;
    this.spec = config.dtype().isPresent() ? config.spec() : null;
    this.histogram =
        config.kind() == ObserverKind.HISTOGRAM
            ? new TorchHistogram(config.version(), config.bins(), config.upsampleRate())
            : null;
  }

  /** What was observed, to be merged; of the histogram observer it is empty. */
  public TensorStats state() {
    return stats;
  }

  /** Adds a batch, a row-major tensor; one without values changes nothing. */
  public void observe(float[] values, long... shape) {
    if (values.length == 0) {
      return;
    }
    switch (config.kind()) {
      case MIN_MAX -> statsObserver.observe(stats, values, 0, values.length);
      case MOVING_AVERAGE -> {
        if (batches == 0) {
          stats.with(MovingAverage.at(0, config.averagingConstant(), 1));
        }
        float min = Float.POSITIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        for (float value : values) {
          min = Math.min(min, value);
          max = Math.max(max, value);
        }
        stats.average().orElseThrow().observe(min, max);
      }
      case HISTOGRAM -> histogram.observe(values);
      case PER_CHANNEL, MOVING_AVERAGE_PER_CHANNEL -> observeChannels(values, shape);
      case RECORDING -> {
        if (batches == 0) {
          stats.with(Recording.of(RECORDED_VALUES));
        }
        stats.recording().orElseThrow().observe(batches, values);
      }
      case PLACEHOLDER, FIXED_QPARAMS, REUSE_INPUT, NOOP -> {}
    }
    batches++;
  }

  private void observeChannels(float[] values, long... shape) {
    int axis = config.axis() < 0 ? config.axis() + shape.length : config.axis();
    if (shape.length < 2 || axis < 0 || axis >= shape.length) {
      throw TareException.badInput(
          "Cannot observe channels along axis %d of a tensor of shape %s",
          config.axis(), Arrays.toString(shape));
    }
    int channels = (int) shape[axis];
    int inner = 1;
    for (int i = axis + 1; i < shape.length; i++) {
      inner *= (int) shape[i];
    }
    ChannelStats batch = ChannelStats.of(channels);
    channelObserver.observe(batch, values, 0, values.length, 1, inner);
    if (config.kind() == ObserverKind.PER_CHANNEL) {
      if (batches == 0) {
        stats.with(ChannelStats.of(channels));
      }
      stats.channels().orElseThrow().merge(batch);
    } else {
      if (batches == 0) {
        stats.with(MovingAverage.at(0, config.averagingConstant(), channels));
      }
      stats.average().orElseThrow().observe(minima(batch), maxima(batch));
    }
  }

  private static float[] minima(ChannelStats channels) {
    float[] minima = new float[channels.channels()];
    for (int c = 0; c < minima.length; c++) {
      minima[c] =
          channels.nans(c) > 0
              ? Float.NaN
              : channels.negativeInfinities(c) > 0 ? Float.NEGATIVE_INFINITY : channels.min(c);
    }
    return minima;
  }

  private static float[] maxima(ChannelStats channels) {
    float[] maxima = new float[channels.channels()];
    for (int c = 0; c < maxima.length; c++) {
      maxima[c] =
          channels.nans(c) > 0
              ? Float.NaN
              : channels.positiveInfinities(c) > 0
                  ? Float.POSITIVE_INFINITY
                  : channels.finiteCount(c) > 0 ? channels.max(c) : Float.NEGATIVE_INFINITY;
    }
    return maxima;
  }

  /** The running minimum, one or one per channel; +infinity or none before the first batch. */
  public float[] min() {
    return switch (config.kind()) {
      case MIN_MAX ->
          new float[] {
            stats.nans() > 0
                ? Float.NaN
                : stats.negativeInfinities() > 0 ? Float.NEGATIVE_INFINITY : stats.min()
          };
      case HISTOGRAM -> new float[] {histogram.min()};
      case PER_CHANNEL -> stats.channels().map(TorchObserver::minima).orElse(new float[0]);
      case MOVING_AVERAGE -> {
        float[] min = averages(true);
        yield min.length == 0 ? new float[] {Float.POSITIVE_INFINITY} : min;
      }
      default -> averages(true);
    };
  }

  /** The running maximum, likewise. */
  public float[] max() {
    return switch (config.kind()) {
      case MIN_MAX ->
          new float[] {
            stats.nans() > 0
                ? Float.NaN
                : stats.positiveInfinities() > 0 ? Float.POSITIVE_INFINITY : stats.max()
          };
      case HISTOGRAM -> new float[] {histogram.max()};
      case PER_CHANNEL -> stats.channels().map(TorchObserver::maxima).orElse(new float[0]);
      case MOVING_AVERAGE -> {
        float[] max = averages(false);
        yield max.length == 0 ? new float[] {Float.NEGATIVE_INFINITY} : max;
      }
      default -> averages(false);
    };
  }

  private float[] averages(boolean minima) {
    Optional<MovingAverage> average = stats.average();
    if (average.isEmpty()) {
      return new float[0];
    }
    float[] values = new float[average.get().channels()];
    for (int c = 0; c < values.length; c++) {
      values[c] = minima ? average.get().min(c) : average.get().max(c);
    }
    return values;
  }

  /** The histogram observer's counts. */
  public Optional<TorchHistogram> histogram() {
    return Optional.ofNullable(histogram);
  }

  /** The values that a recording observer kept, batch by batch. */
  public List<float[]> recorded() {
    return stats.recording().map(Recording::batches).orElse(List.of());
  }

  /**
   * Scale and zero point, one or one per channel; 1 and 0 if there was no batch.
   *
   * @throws TareException if PyTorch computes none: of NaN, and for observers that observe nothing
   */
  public List<TorchQParams> qparams() {
    if (config.fixed().isPresent()) {
      return List.of(config.fixed().get());
    }
    if (!config.kind().observes()) {
      throw TareException.usage("%s computes no qparams", config.kind().className());
    }
    if (batches == 0) {
      return List.of(TorchQParams.NOTHING);
    }
    float[] min = min();
    float[] max = max();
    if (histogram != null) {
      if (histogram.isEmpty()) {
        return List.of(TorchQParams.NOTHING);
      }
      TorchRangeSearch found =
          TorchRangeSearch.search(
              histogram.histogram(), min[0], max[0], TorchRangeSearch.levels(spec.dtype()));
      min = new float[] {found.min()};
      max = new float[] {found.max()};
    }
    float[] low = min;
    float[] high = max;
    return IntStream.range(0, low.length).mapToObj(c -> qparams(low[c], high[c])).toList();
  }

  private TorchQParams qparams(float min, float max) {
    if (!(min <= max)) {
      throw TareException.badInput(
          "Cannot compute qparams as PyTorch does: the observed range is [%s, %s]", min, max);
    }
    return config.scheme() == QScheme.PER_CHANNEL_AFFINE_FLOAT_QPARAMS
        ? TorchQParams.ofFloatZeroPoint(min, max, spec)
        : TorchQParams.of(min, max, spec);
  }
}
