package org.tare.stats;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/** Seeded random states, small ones, with the parts that are asked for. */
final class StateSamples {
  /** What a state has beside counts. */
  enum Part {
    PLAIN,
    CHANNELS,
    CHANNEL_HISTOGRAMS,
    AVERAGE,
    RECORDING,
    SMOOTHING,
    ALL
  }

  private StateSamples() {}

  /**
   * Stats of a few batches.
   *
   * @param place of these batches in the order: stats of different places merge
   */
  static TensorStats stats(Part part, long seed, int place) {
    Random random = new Random(seed);
    TensorStats stats = TensorStats.empty();
    boolean all = part == Part.ALL;
    if (part == Part.CHANNELS) {
      stats.with(ChannelStats.of(3));
    } else if (all || part == Part.CHANNEL_HISTOGRAMS) {
      stats.with(ChannelStats.withHistograms(3));
    }
    if (all || part == Part.AVERAGE) {
      stats.with(MovingAverage.at(place, 0.25f, 2));
    }
    if (all || part == Part.RECORDING) {
      stats.with(Recording.of(60));
    }
    if (all || part == Part.SMOOTHING) {
      stats.with(new Smoothing(0.35f, new int[] {-24, 0, 3, 24}));
    }
    StatsObserver observer = new StatsObserver(new LoopBlockScan());
    int batches = 1 + random.nextInt(3);
    for (int batch = 0; batch < batches; batch++) {
      float[] values = Samples.wild(random, 12);
      observer.observe(stats, values, 0, values.length);
      stats
          .channels()
          .ifPresent(
              channels -> new ChannelObserver(observer).observe(channels, values, 0, 12, 2, 2));
      float[] means = Samples.normal(random, 4);
      stats
          .average()
          .ifPresent(
              average ->
                  average.observe(
                      new float[] {means[0], means[1]}, new float[] {means[2], means[3]}));
      long sequence = 100L * place + batch;
      stats.recording().ifPresent(recording -> recording.observe(sequence, values));
    }
    return stats;
  }

  static CalibrationState state(Part part, long seed, int place) {
    TreeMap<String, TensorStats> tensors = new TreeMap<>();
    tensors.put("tënsor", stats(part, seed, place));
    tensors.put("other", stats(Part.PLAIN, seed + 1, place));
    return new CalibrationState("ab", "country=DE", 1 + (seed & 0xff), tensors);
  }

  static Lineage.Source source(String data, CalibrationState state) {
    return new Lineage.Source(
        new Lineage.Origin(data, "v3", state.slice(), "100 rows, seed 7", List.of("a", "ß")),
        state.rows(),
        state.digest(),
        new Lineage.Run(
            "5e77",
            Instant.parse("2026-11-24T10:15:30Z"),
            new TreeMap<>(Map.of("tare", "1.0", "java", "17.0.9", "spark", "3.5.7"))));
  }

  static CalibrationState withLineage(Part part, long seed, int place) {
    CalibrationState state = state(part, seed, place);
    return state.withLineage(Lineage.of(source("/data/" + place, state)));
  }
}
