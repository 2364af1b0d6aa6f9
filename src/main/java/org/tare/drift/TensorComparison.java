package org.tare.drift;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.tare.quant.QParams;
import org.tare.stats.ChannelStats;
import org.tare.stats.TensorStats;

/**
 * Compares the stats of one tensor, then and now.
 *
 * @param rows of the reference
 * @param currentRows of the current state
 */
record TensorComparison(long rows, long currentRows, DriftThresholds thresholds) {

  /** An effect with what shows it. */
  private record Shown(double size, String text) {
    Shown orLarger(double other, String text, Object... args) {
      return other > size ? new Shown(other, String.format(Locale.ROOT, text, args)) : this;
    }
  }

  /**
   * @param qparams those that are deployed, or null
   */
  TensorDrift compare(String name, TensorStats then, TensorStats now, QParams qparams) {
    List<String> reasons = new ArrayList<>();
    Verdict verdict = nonFinite(then, now, reasons);
    boolean hasBoth = then.finiteCount() > 0 && now.finiteCount() > 0;
    Chance chance = Chance.of(rows, then.finiteCount(), currentRows, now.finiteCount());
    Optional<Distances> distances = Optional.empty();
    Optional<ChannelShift> channel = Optional.empty();
    Optional<DeployedRange> deployed = Optional.empty();
    double noise = 0;
    double effect = 0;
    if (hasBoth) {
      Cells cells = Cells.of(then, now);
      Bins bins = Bins.of(cells);
      Distances found = Distances.of(cells, bins, chance.smoothing());
      noise = chance.overBins(0, bins.count()).noise();
      Shown shown = largest(cells, bins, found, chance);
      distances = Optional.of(found);
      Verdict byEffect = thresholds.effect().verdict(shown.size());
      if (byEffect != Verdict.STABLE) {
        reasons.add(shown.text());
      }
      verdict = verdict.worst(byEffect);
      effect = shown.size();
      channel = channel(then, now, found.std(), chance);
      if (channel.isPresent()) {
        ChannelShift most = channel.get();
        Verdict byChannel = thresholds.channel().verdict(most.effect());
        if (byChannel != Verdict.STABLE) {
          reasons.add(
              String.format(
                  Locale.ROOT, "mean of channel %d moved %.2f std", most.channel(), most.shift()));
        }
        verdict = verdict.worst(byChannel);
        effect = Math.max(effect, most.effect());
      }
      if (qparams != null) {
        DeployedRange range = DeployedRange.of(qparams, then, now);
        deployed = Optional.of(range);
        verdict = verdict.worst(deployed(range, Distances.kurtosis(cells), chance, reasons));
      }
    } else if (then.finiteCount() != now.finiteCount()) {
      verdict = Verdict.MOVED;
      reasons.add(then.finiteCount() == 0 ? "no finite value before" : "no finite value any more");
    }
    return new TensorDrift(
        name, then, now, distances, effect, noise, channel, deployed, verdict, reasons);
  }

  private static Shown largest(Cells cells, Bins bins, Distances found, Chance chance) {
    int count = bins.count();
    double psi = chance.overBins(Math.sqrt(found.psi()), count).size();
    double js = chance.overBins(Math.sqrt(8 * Math.log(2)) * found.jensenShannon(), count).size();
    double hellinger = chance.overBins(Math.sqrt(8) * found.hellinger(), count).size();
    double ks = chance.ofSupremum(Math.sqrt(2 * Math.PI) * found.kolmogorovSmirnov()).size();
    double scaled = found.scaledWasserstein();
    double w1 =
        Double.isNaN(scaled)
            ? 0
            : chance.ofIntegral(scaled, Distances.spread(cells, found.std())).size();
    return new Shown(0, "")
        .orLarger(psi, "PSI %.3f", found.psi())
        .orLarger(js, "Jensen-Shannon %.3f", found.jensenShannon())
        .orLarger(hellinger, "Hellinger %.3f", found.hellinger())
        .orLarger(ks, "Kolmogorov-Smirnov %.3f", found.kolmogorovSmirnov())
        .orLarger(w1, "Wasserstein %.2f std", scaled);
  }

  private static Optional<ChannelShift> channel(
      TensorStats then, TensorStats now, double std, Chance chance) {
    Optional<ChannelStats> ours = then.channels();
    Optional<ChannelStats> theirs = now.channels();
    boolean canCompare =
        std > 0
            && ours.isPresent()
            && theirs.isPresent()
            && ours.get().channels() == theirs.get().channels();
    return canCompare
        ? Optional.ofNullable(ChannelShift.of(ours.get(), theirs.get(), std, chance))
        : Optional.empty();
  }

  private Verdict nonFinite(TensorStats then, TensorStats now, List<String> reasons) {
    double share = TensorDrift.nonFiniteShare(now);
    Verdict verdict = thresholds.nonFinite().verdict(share - TensorDrift.nonFiniteShare(then));
    if (verdict != Verdict.STABLE) {
      reasons.add(String.format(Locale.ROOT, "%.3g %% NaN or infinite", 100 * share));
    }
    return verdict;
  }

  private Verdict deployed(
      DeployedRange range, double kurtosis, Chance chance, List<String> reasons) {
    double loss = range.sqnrLoss();
    Verdict bySqnr =
        chance.isChanged(loss, kurtosis) ? thresholds.sqnrLoss().verdict(loss) : Verdict.STABLE;
    if (bySqnr != Verdict.STABLE) {
      reasons.add(String.format(Locale.ROOT, "SQNR %.1f dB lower", loss));
    }
    double now = range.current().clipped();
    Verdict byClipping =
        chance.isMore(range.reference().clipped(), now)
            ? thresholds.clipped().verdict(range.moreClipped())
            : Verdict.STABLE;
    if (byClipping != Verdict.STABLE) {
      reasons.add(String.format(Locale.ROOT, "%.3g %% clipped", 100 * now));
    }
    return bySqnr.worst(byClipping);
  }
}
