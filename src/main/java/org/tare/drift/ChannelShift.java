package org.tare.drift;

import org.tare.stats.ChannelStats;
import org.tare.stats.TensorStats;

/**
 * The channel whose mean moved most, in standard deviations of the whole tensor: a tensor may look
 * the same while its channels changed places.
 *
 * <p>Of a channel the state knows mean, mean magnitude, least and greatest value, or the whole
 * histogram. The variance that chance needs is known from a histogram; else it is at most
 *
 * <pre>
 *   (max - mean) (mean - min)   and   max |x| E|x| - mean^2
 * </pre>
 *
 * @param channel its number, from 0
 * @param shift of its mean, current less reference, in standard deviations
 * @param effect what of it is to be told from chance, from 0
 */
public record ChannelShift(int channel, double shift, double effect) {
  /** Three standard deviations. */
  private static final double ONE_CHANNEL = 9;

  /**
   * The shift of the most moved channel.
   *
   * @param std of the reference, above 0
   * @return null if no channel has finite values in both
   */
  static ChannelShift of(ChannelStats reference, ChannelStats current, double std, Chance chance) {
    // Of many channels one is far off more often: the limit grows as that of a normal's tail does.
    double factor = ONE_CHANNEL + 2 * Math.log(reference.channels());
    ChannelShift most = null;
    for (int c = 0; c < reference.channels(); c++) {
      if (reference.finiteCount(c) == 0 || current.finiteCount(c) == 0) {
        continue;
      }
      double shift = (current.mean(c) - reference.mean(c)) / std;
      double expected = variance(reference, c) / std / std * chance.h();
      double square = shift * shift;
      double effect =
          chance.canTell() && square > factor * expected ? Math.sqrt(square - expected) : 0;
      boolean isFurther =
          most == null
              || effect > most.effect
              || (effect == most.effect && Math.abs(shift) > Math.abs(most.shift));
      if (isFurther) {
        most = new ChannelShift(c, shift, effect);
      }
    }
    return most;
  }

  private static double variance(ChannelStats stats, int c) {
    double mean = stats.mean(c);
    if (stats.hasHistograms()) {
      TensorStats histogram = stats.channel(c);
      double std = Distances.std(Cells.of(histogram, histogram));
      return std * std;
    }
    double min = stats.min(c);
    double max = stats.max(c);
    double byEnds = (max - mean) * (mean - min);
    double magnitude = stats.sumOfMagnitudes(c) / stats.finiteCount(c);
    double byMagnitude = Math.max(Math.abs(min), Math.abs(max)) * magnitude - mean * mean;
    return Math.max(0, Math.min(byEnds, byMagnitude));
  }
}
