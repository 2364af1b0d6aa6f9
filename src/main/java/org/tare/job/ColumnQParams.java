package org.tare.job;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.tare.TareException;
import org.tare.quant.DynamicQParams;
import org.tare.quant.QParams;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.quant.TorchQParams;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.range.RangeSearch;
import org.tare.stats.ChannelStats;
import org.tare.stats.Extremes;
import org.tare.stats.MovingAverage;
import org.tare.stats.TensorStats;
import org.tare.torch.TorchObserver;

/**
 * The qparams of a column, or of a slice or batch of it.
 *
 * @param slice empty for the whole table
 * @param batch the number of the batch, of an observer that goes by batches
 * @param counts what was observed, of observers that count
 * @param pairs one, or one per channel; none where no value is finite
 * @param choice how the range was chosen, where a method chose it
 */
public record ColumnQParams(
    String slice,
    String column,
    Observer observer,
    OptionalInt batch,
    Optional<Counts> counts,
    List<Pair> pairs,
    Optional<RangeChoice> choice) {
  private static final int SHOWN_VALUES = 8;

  /**
   * Scale and zero point with the range that they are of.
   *
   * @param scale a float; of a batch a double, as PyTorch's dynamic quantization has it
   * @param zeroPoint a whole number; of schemes with float qparams a float
   */
  public record Pair(Number scale, Number zeroPoint, float min, float max) {}

  /**
   * How many values there were.
   *
   * @param recorded how many a recording kept, and the first of them
   */
  public record Counts(
      long values, long nans, long infinities, OptionalInt recorded, List<Float> first) {
    private static Counts of(TensorStats stats) {
      List<Float> first = new ArrayList<>();
      OptionalInt recorded = OptionalInt.empty();
      if (stats.recording().isPresent()) {
        int kept = 0;
        for (float[] batch : stats.recording().get().batches()) {
          for (int i = 0; i < batch.length && first.size() < SHOWN_VALUES; i++) {
            first.add(batch[i]);
          }
          kept += batch.length;
        }
        recorded = OptionalInt.of(kept);
      }
      return new Counts(
          stats.count(),
          stats.nans(),
          stats.positiveInfinities() + stats.negativeInfinities(),
          recorded,
          first);
    }
  }

  /** The qparams that dynamic quantization would choose for a batch. */
  static ColumnQParams ofBatch(String column, float[] values, QuantSpec spec, int number) {
    Extremes extremes = Extremes.of(values);
    if (!(extremes.min() <= extremes.max())) {
      throw TareException.badInput(
          "Cannot choose qparams of a batch of column \"%s\": it holds no finite value", column);
    }
    DynamicQParams q =
        DynamicQParams.choose(extremes.min(), extremes.max(), spec.quantMin(), spec.quantMax());
    return new ColumnQParams(
        "",
        column,
        Observer.PLACEHOLDER,
        OptionalInt.of(number),
        Optional.empty(),
        List.of(new Pair(q.scale(), q.zeroPoint(), extremes.min(), extremes.max())),
        Optional.empty());
  }

  /** What an observer of PyTorch's own found. */
  static ColumnQParams ofTorch(String column, Observer observer, TorchObserver found) {
    TorchQParams q = found.qparams().get(0);
    return new ColumnQParams(
        "",
        column,
        observer,
        OptionalInt.empty(),
        Optional.empty(),
        List.of(new Pair(q.scale(), (long) q.zeroPoint(), found.min()[0], found.max()[0])),
        Optional.empty());
  }

  /** The qparams of a column's stats; a column without finite values costs the others nothing. */
  static ColumnQParams of(String slice, String column, TensorStats stats, ObserveOptions options) {
    Optional<Counts> counts = Optional.of(Counts.of(stats));
    if (stats.finiteCount() == 0) {
      return new ColumnQParams(
          slice,
          column,
          options.observer(),
          OptionalInt.empty(),
          counts,
          List.of(),
          Optional.empty());
    }
    Optional<RangeChoice> choice =
        options.scheme().isPerChannel()
            ? Optional.empty()
            : Optional.of(
                RangeSearch.chooseForColumn(column, stats, options.method(), options.spec()));
    List<Pair> pairs =
        choice.isEmpty()
            ? perChannel(column, stats, options)
            : List.of(pair(choice.get().range(), options));
    return new ColumnQParams(
        slice, column, options.observer(), OptionalInt.empty(), counts, pairs, choice);
  }

  private static Pair pair(Range range, ObserveOptions options) {
    if (options.scheme() == QScheme.PER_CHANNEL_AFFINE_FLOAT_QPARAMS) {
      TorchQParams q = TorchQParams.ofFloatZeroPoint(range.min(), range.max(), options.spec());
      return new Pair(q.scale(), (float) q.zeroPoint(), range.min(), range.max());
    }
    QParams q = options.spec().qparams(range.min(), range.max());
    return new Pair(q.scale(), q.zeroPoint(), range.min(), range.max());
  }

  private static List<Pair> perChannel(String column, TensorStats stats, ObserveOptions options) {
    int count =
        stats
            .channels()
            .map(ChannelStats::channels)
            .or(() -> stats.average().map(MovingAverage::channels))
            .orElseThrow(
                () -> TareException.badInput("Cannot observe column \"%s\": it is empty", column));
    List<Pair> pairs = new ArrayList<>();
    for (int c = 0; c < count; c++) {
      pairs.add(pair(channelRange(column, stats, c), options));
    }
    return pairs;
  }

  private static Range channelRange(String column, TensorStats stats, int c) {
    if (stats.channels().isEmpty()) {
      MovingAverage average = stats.average().orElseThrow();
      return new Range(Math.min(average.min(c), average.max(c)), average.max(c));
    }
    ChannelStats channels = stats.channels().get();
    if (channels.finiteCount(c) == 0) {
      throw TareException.badInput(
          "Cannot choose a range for channel %d of column \"%s\": no finite value was observed",
          c, column);
    }
    return new Range(channels.min(c), channels.max(c));
  }
}
