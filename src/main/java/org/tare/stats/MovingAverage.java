package org.tare.stats;

import java.util.Arrays;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.tare.TareException;

/**
 * An exponential moving average of the least and greatest value of each batch, per tensor or per
 * channel, which merges in order.
 *
 * <p>The first batch sets the state, each later one moves it: {@code v = v + c (x - v)}. So a run
 * of batches is one affine map. Of a run of n batches it is enough to know the first x and the
 * state r that the run alone reaches: after a state v it reaches {@code r + (1 - c)^n (v - x)}.
 *
 * <p>Each run has a place in the order: a sequence number, in a Spark job that of the partition.
 * Runs join only with their neighbour in a binary tree over the numbers (2k with 2k + 1, and so on
 * up), so the result is the same to the last bit in whatever order parts arrive, and a state holds
 * about as many runs as the logarithm of the numbers, once all are there. Within a run the
 * arithmetic is PyTorch's {@code MovingAverageMinMaxObserver}, in float32: with a single run the
 * figures are PyTorch's.
 *
 * <p>The average depends on the order and on the batches' sizes. Two states that hold the same
 * number do not merge: which comes first is not known.
 *
 * <p>Batches without values are to be left out. What is added should be finite; infinities and NaN
 * follow float32's rules, as in PyTorch. Not thread-safe.
 */
public final class MovingAverage {
  /** Runs join up to this level. */
  static final int MAX_LEVEL = 62;

  /** The last place in the order. */
  static final long LAST_PLACE = (1L << MAX_LEVEL) - 1;

  /** PyTorch's default constant. */
  public static final float DEFAULT_CONSTANT = 0.01f;

  /**
   * Batches in a row.
   *
   * @param level the run stands for the numbers [start, start + 2^level)
   * @param first the first batch's minima, then its maxima, by channel
   * @param reached the state after the last batch, in the same order
   */
  record Run(long start, int level, long batches, double[] first, double[] reached) {
    long end() {
      return start + (1L << level);
    }

    /** Whether both are the halves of one run of the tree. */
    boolean joins(Run other) {
      return level == other.level && start == (other.start ^ 1L << level) && level < MAX_LEVEL;
    }

    /** This run, then the other. */
    private Run then(Run next, int joinedLevel, double constant) {
      double keep = StrictMath.pow(1 - constant, (double) next.batches);
      double[] joined = new double[reached.length];
      for (int i = 0; i < joined.length; i++) {
        joined[i] = next.reached[i] + keep * (reached[i] - next.first[i]);
      }
      long joinedStart = start >> joinedLevel << joinedLevel;
      return new Run(joinedStart, joinedLevel, batches + next.batches, first, joined);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Run that
          && start == that.start
          && level == that.level
          && batches == that.batches
          && Arrays.equals(first, that.first)
          && Arrays.equals(reached, that.reached);
    }

    @Override
    public int hashCode() {
      return Long.hashCode(start) * 31 + Arrays.hashCode(reached);
    }
  }

  private final float constant;
  private final int channels;
  private final NavigableMap<Long, Run> runs = new TreeMap<>();

  /** How many batches the runs are of. */
  private long runBatches;

  private boolean isOpen;
  private long openStart;
  private long openBatches;
  private float[] openFirst;
  private float[] openReached;

  private MovingAverage(float constant, int channels) {
    checkConstant(constant);
    if (channels < 1) {
      throw new IllegalArgumentException("channels: " + channels);
    }
    this.constant = constant;
    this.channels = channels;
  }

  /**
   * Checks an averaging constant.
   *
   * @throws TareException unless it is above 0 and at most 1
   */
  public static void checkConstant(float constant) {
    if (!(constant > 0 && constant <= 1)) {
      throw TareException.usage(
          "averaging constant %s cannot be used: it is above 0 and at most 1", constant);
    }
  }

  /** No batches: the identity of {@link #merge}. */
  public static MovingAverage empty(float constant, int channels) {
    return new MovingAverage(constant, channels);
  }

  /**
   * No batches yet; those that will be added stand at the given place in the order.
   *
   * @param sequence the place, from 0 to 2^62 - 1
   */
  public static MovingAverage at(long sequence, float constant, int channels) {
    if (sequence < 0 || sequence > LAST_PLACE) {
      throw new IllegalArgumentException("sequence: " + sequence);
    }
    MovingAverage average = new MovingAverage(constant, channels);
    average.isOpen = true;
    average.openStart = sequence;
    return average;
  }

  public float constant() {
    return constant;
  }

  public int channels() {
    return channels;
  }

  /** Adds a batch by its least and greatest value. */
  public void observe(float min, float max) {
    observe(new float[] {min}, new float[] {max});
  }

  /** Adds a batch by the least and greatest value of each channel. */
  public void observe(float[] min, float[] max) {
    if (!isOpen) {
      throw new IllegalStateException("only an average made at a place takes batches");
    }
    if (min.length != channels || max.length != channels) {
      throw TareException.badInput(
          "Cannot add a batch of %d channels to a moving average of %d", min.length, channels);
    }
    if (openBatches == 0) {
      openFirst = new float[2 * channels];
      System.arraycopy(min, 0, openFirst, 0, channels);
      System.arraycopy(max, 0, openFirst, channels, channels);
      openReached = openFirst.clone();
    } else {
      for (int i = 0; i < channels; i++) {
        openReached[i] = step(openReached[i], min[i]);
        openReached[channels + i] = step(openReached[channels + i], max[i]);
      }
    }
    openBatches++;
  }

  private float step(float state, float value) {
    return state + constant * (value - state);
  }

  /** The finished runs by their start: those that merged, and what was added here. */
  NavigableMap<Long, Run> runs() {
    if (openBatches == 0) {
      return runs;
    }
    NavigableMap<Long, Run> all = new TreeMap<>(runs);
    all.put(openStart, openRun());
    return all;
  }

  private Run openRun() {
    return new Run(openStart, 0, openBatches, widen(openFirst), widen(openReached));
  }

  private static double[] widen(float[] values) {
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return wide;
  }

  /**
   * The average of both, each run at its place. Neither is changed.
   *
   * @throws TareException if a place is taken in both, or if constant or channels differ
   */
  public MovingAverage merge(MovingAverage other) {
    requireMergeable(other);
    MovingAverage merged = new MovingAverage(constant, channels);
    merged.add(this);
    merged.add(other);
    return merged;
  }

  /**
   * Merges another one into this one, which takes no more batches then. The other is not changed.
   *
   * @throws TareException as {@link #merge} does; this one is then as it was
   */
  void add(MovingAverage other) {
    requireMergeable(other);
    if (openBatches > 0) {
      insert(openRun());
      openBatches = 0;
    }
    isOpen = false;
    for (Run run : other.runs().values()) {
      insert(run);
    }
  }

  void requireMergeable(MovingAverage other) {
    if (constant != other.constant || channels != other.channels) {
      throw TareException.badInput(
          "Cannot merge moving averages: one has constant %s and %d channels, the other %s and %d",
          constant, channels, other.constant, other.channels);
    }
    NavigableMap<Long, Run> ours = runs();
    for (Run run : other.runs().values()) {
      Map.Entry<Long, Run> before = ours.floorEntry(run.end() - 1);
      if (before != null && before.getValue().end() > run.start()) {
        throw TareException.badInput(
            "Cannot merge moving averages: both hold batches at place %d of the order, and which come"
                + " first is not known; a moving average merges only within one run over the data",
            Math.max(run.start(), before.getKey()));
      }
    }
    if (batches() + other.batches() < 0) {
      throw TareException.badInput(
          "Cannot merge moving averages: %d and %d batches are above 2^63 - 1, which no count passes",
          batches(), other.batches());
    }
  }

  /** Puts a run at its place, where none is, and joins neighbours of the tree. */
  private void insert(Run run) {
    runBatches += run.batches();
    Run joined = run;
    while (joined.level() < MAX_LEVEL) {
      long buddyStart = joined.start() ^ (1L << joined.level());
      Run buddy = runs.get(buddyStart);
      if (buddy == null || !buddy.joins(joined)) {
        break;
      }
      runs.remove(buddyStart);
      joined =
          buddyStart < joined.start()
              ? buddy.then(joined, joined.level() + 1, constant)
              : joined.then(buddy, joined.level() + 1, constant);
    }
    runs.put(joined.start(), joined);
  }

  /** Puts a run at its place, where none is and none joins it. */
  void put(Run run) {
    runBatches += run.batches();
    runs.put(run.start(), run);
  }

  /** How many batches were added. */
  public long batches() {
    return runBatches + openBatches;
  }

  /** The average of the least values of a channel; +infinity before the first batch. */
  public float min(int channel) {
    return state(channel, Float.POSITIVE_INFINITY);
  }

  /** The average of the greatest values of a channel; -infinity before the first batch. */
  public float max(int channel) {
    return state(channels + channel, Float.NEGATIVE_INFINITY);
  }

  private float state(int index, float nothing) {
    double state = nothing;
    boolean isFirst = true;
    for (Run run : runs().values()) {
      state =
          isFirst
              ? run.reached()[index]
              : run.reached()[index]
                  + StrictMath.pow(1 - (double) constant, (double) run.batches())
                      * (state - run.first()[index]);
      isFirst = false;
    }
    return (float) state;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof MovingAverage that
        && constant == that.constant
        && channels == that.channels
        && runs().equals(that.runs());
  }

  @Override
  public int hashCode() {
    return runs().hashCode();
  }

  @Override
  public String toString() {
    return "MovingAverage{constant=" + constant + ", batches=" + batches() + "}";
  }
}
