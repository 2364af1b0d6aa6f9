package org.tare.drift;

import java.util.List;
import java.util.Optional;
import org.tare.stats.TensorStats;

/**
 * How far one tensor moved.
 *
 * @param reference what was observed then
 * @param current what was observed now
 * @param distances between the finite values; empty if either has none
 * @param effect the largest effect of a distance or of a channel that is to be told from chance, in
 *     standard deviations; 0 if there is none
 * @param noise the least effect of the binned distances that could be told from chance
 * @param channel the channel that moved most, where both states know channels
 * @param deployed what the deployed qparams do to it, where they are known
 * @param reasons why it is not stable, in a few words each; empty if it is
 */
public record TensorDrift(
    String name,
    TensorStats reference,
    TensorStats current,
    Optional<Distances> distances,
    double effect,
    double noise,
    Optional<ChannelShift> channel,
    Optional<DeployedRange> deployed,
    Verdict verdict,
    List<String> reasons) {
  public TensorDrift {
    reasons = List.copyOf(reasons);
  }

  /** The share of NaN and infinities of a tensor; 0 if nothing was observed. */
  public static double nonFiniteShare(TensorStats stats) {
    long count = stats.count();
    return count == 0 ? 0 : (double) (count - stats.finiteCount()) / count;
  }
}
