package org.tare.report;

import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.quant.QParams;
import org.tare.stats.TensorStats;

/** A histogram by powers of two as an inline picture. */
final class Distribution {
  private static final int BAR = 5;
  private static final int HEIGHT = 48;

  /** Octaves shown on each side: what is smaller than 2^-16 of the largest is added to the last. */
  private static final int OCTAVES = 16;

  private Distribution() {}

  static String svg(TensorStats stats, QParams qparams) {
    double largest = Math.max(Math.abs(stats.min()), Math.abs(stats.max()));
    if (!(largest > 0) || !Double.isFinite(largest)) {
      return "all zero";
    }
    int top = Math.getExponent(largest);
    SortedMap<Integer, Long> bars = new TreeMap<>();
    stats
        .histogram()
        .forEachAscending(
            (low, high, count) -> {
              double magnitude = low < 0 ? -high : low;
              int octave = Math.max(0, Math.getExponent(magnitude) - top + OCTAVES);
              bars.merge(low < 0 ? -octave - 1 : octave + 1, count, Long::sum);
            });
    bars.merge(0, stats.zeros(), Long::sum);
    long most = bars.values().stream().mapToLong(Long::longValue).max().orElse(1);
    int width = BAR * (2 * OCTAVES + 3);
    StringBuilder svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"from %.4g to %.4g\">",
            width,
            HEIGHT,
            stats.min(),
            stats.max()));
    int from = x(position(qparams.lowest(), top));
    int to = x(position(qparams.highest(), top)) + BAR;
    svg.append(
        String.format(
            Locale.ROOT,
            "<rect class=\"kept\" x=\"%d\" y=\"0\" width=\"%d\" height=\"%d\"/>",
            from,
            to - from,
            HEIGHT));
    bars.forEach(
        (position, count) -> {
          if (count > 0) {
            double height = Math.max(1, HEIGHT * Math.sqrt((double) count / most));
            svg.append(
                String.format(
                    Locale.ROOT,
                    "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>",
                    position == 0 ? "zero" : "bars",
                    x(position),
                    HEIGHT - height,
                    BAR - 1,
                    height));
          }
        });
    return svg.append("</svg>").toString();
  }

  private static int position(double value, int top) {
    if (value == 0) {
      return 0;
    }
    int octave = Math.max(0, Math.min(OCTAVES, Math.getExponent(Math.abs(value)) - top + OCTAVES));
    return value < 0 ? -octave - 1 : octave + 1;
  }

  private static int x(int position) {
    return BAR * (position + OCTAVES + 1);
  }
}
