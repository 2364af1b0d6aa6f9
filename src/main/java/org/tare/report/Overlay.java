package org.tare.report;

import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.quant.QParams;
import org.tare.stats.TensorStats;

/**
 * Two distributions over each other as an inline picture, by half powers of two: the reference as
 * bars, the current one as a line, the deployed range behind them.
 */
final class Overlay {
  private static final int BAR = 5;
  private static final int HEIGHT = 64;

  /** Half powers of two on each side: what is smaller than 2^-12 of the largest is in the last. */
  private static final int STEPS = 24;

  private final int top;

  private Overlay(double largest) {
    top = HalfPowers.of(largest);
  }

  static String svg(TensorStats reference, TensorStats current, Optional<QParams> deployed) {
    double largest = Math.max(largest(reference), largest(current));
    return largest > 0 ? new Overlay(largest).draw(reference, current, deployed) : "all zero";
  }

  private static double largest(TensorStats stats) {
    return stats.finiteCount() == 0 ? 0 : Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
  }

  private String draw(TensorStats reference, TensorStats current, Optional<QParams> deployed) {
    SortedMap<Integer, Double> bars = shares(reference);
    SortedMap<Integer, Double> line = shares(current);
    double most = 0;
    for (double share : bars.values()) {
      most = Math.max(most, share);
    }
    for (double share : line.values()) {
      most = Math.max(most, share);
    }
    StringBuilder svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"then from %.4g to %.4g, now"
                + " from %.4g to %.4g\">",
            BAR * (2 * STEPS + 3),
            HEIGHT,
            reference.min(),
            reference.max(),
            current.min(),
            current.max()));
    deployed.ifPresent(
        qparams -> {
          int from = x(position(qparams.lowest()));
          int to = x(position(qparams.highest())) + BAR;
          svg.append(rectangle("kept", from, 0, to - from, HEIGHT));
        });
    double highest = most;
    bars.forEach(
        (position, share) -> {
          double height = height(share, highest);
          svg.append(
              rectangle(
                  position == 0 ? "zero" : "bars", x(position), HEIGHT - height, BAR - 1, height));
        });
    svg.append("<path class=\"now\" d=\"M0 ").append(HEIGHT);
    for (int position = -STEPS - 1; position <= STEPS + 1; position++) {
      double y = HEIGHT - height(line.getOrDefault(position, 0.0), highest);
      svg.append(String.format(Locale.ROOT, "L%d %.1fh%d", x(position), y, BAR));
    }
    return svg.append("\"/></svg>").toString();
  }

  private static String rectangle(String style, int x, double y, int width, double height) {
    return String.format(
        Locale.ROOT,
        "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>",
        style,
        x,
        y,
        width,
        height);
  }

  /** Rare values would not be seen without the root. */
  private static double height(double share, double most) {
    return share == 0 ? 0 : Math.max(1, (HEIGHT - 1) * Math.sqrt(share / most));
  }

  private SortedMap<Integer, Double> shares(TensorStats stats) {
    SortedMap<Integer, Double> shares = new TreeMap<>();
    double all = Math.max(1, stats.finiteCount());
    stats
        .histogram()
        .forEachAscending(
            (low, high, count) ->
                shares.merge(
                    position(low < 0 ? low + (high - low) / 2 : low), count / all, Double::sum));
    if (stats.zeros() > 0) {
      shares.merge(0, stats.zeros() / all, Double::sum);
    }
    return shares;
  }

  private int position(double value) {
    if (value == 0) {
      return 0;
    }
    int step = Math.max(0, Math.min(STEPS, HalfPowers.of(Math.abs(value)) - top + STEPS));
    return value < 0 ? -step - 1 : step + 1;
  }

  private static int x(int position) {
    return BAR * (position + STEPS + 1);
  }
}
