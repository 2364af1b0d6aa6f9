package org.tare.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.tare.quant.QParams;
import org.tare.quant.QuantSpec;
import org.tare.range.ExpectedFidelity;
import org.tare.range.LinearBins;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.stats.TensorStats;

/**
 * The distribution of a tensor as an SVG picture for papers and notebooks: a panel for each way to
 * quantize it, with dotted lines at the range. The area of the bars is the share of the finite
 * values; those of an attention mask are left out. Zeros are a bar of their own, cut off where it
 * would dwarf the others.
 */
public final class TensorPicture {
  private static final int WIDTH = 460;
  private static final int HEIGHT = 300;
  private static final int LEFT = 20;
  private static final int TOP = 46;
  private static final int BOTTOM = HEIGHT - 52;
  private static final int BREADTH = WIDTH - 2 * LEFT;

  private final String tensor;
  private final TensorStats stats;
  private final TensorStats drawn;
  private final RangeMethod method;
  private final int bins;
  private final StringBuilder svg = new StringBuilder();

  private TensorPicture(String tensor, TensorStats stats, RangeMethod method, int bins) {
    this.tensor = tensor;
    this.stats = stats;
    this.drawn = RangeSearch.withoutMask(stats);
    this.method = method;
    this.bins = bins;
  }

  /**
   * The picture.
   *
   * @param specs one for each panel
   * @param bins from the least to the greatest value
   * @throws org.tare.TareException if no finite value was observed, or the state lacks what the
   *     method needs
   */
  public static String svg(
      String tensor, TensorStats stats, RangeMethod method, List<QuantSpec> specs, int bins) {
    return new TensorPicture(tensor, stats, method, bins).draw(specs);
  }

  private String draw(List<QuantSpec> specs) {
    int width = WIDTH * specs.size();
    add(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\""
            + " role=\"img\" font-family=\"sans-serif\" font-size=\"12\">%n",
        width, HEIGHT, width, HEIGHT);
    add("<title>Distribution of %s</title>%n", Page.escape(tensor));
    add("<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>%n", width, HEIGHT);
    for (int i = 0; i < specs.size(); i++) {
      add("<g transform=\"translate(%d 0)\">%n", i * WIDTH);
      panel(specs.get(i));
      add("</g>%n");
    }
    return svg.append("</svg>\n").toString();
  }

  private void panel(QuantSpec spec) {
    RangeChoice choice = RangeSearch.choose(tensor, stats, method, spec);
    QParams qparams = spec.qparams(choice.range().min(), choice.range().max());
    Range range = ends(choice.range(), spec);
    Axis axis = new Axis(drawn, range);
    text(WIDTH / 2, 18, "middle", tensor, 14);
    text(
        WIDTH / 2,
        36,
        "middle",
        (spec.symmetric() ? "symmetric, " : "affine, ")
            + spec.dtype().id()
            + String.format(Locale.ROOT, ", scale %.5g, zero point ", qparams.scale())
            + qparams.zeroPoint(),
        12);
    bars(axis);
    for (float end : new float[] {range.min(), range.max()}) {
      add(
          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#7b2d9b\" stroke-width=\"2\""
              + " stroke-dasharray=\"2 4\"/>%n",
          axis.x(end), axis.x(end), TOP, BOTTOM);
    }
    add(
        "<line x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\" stroke=\"#444\"/>%n",
        LEFT, LEFT + BREADTH, BOTTOM, BOTTOM);
    for (double at : axis.marks()) {
      add(
          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#444\"/>%n",
          axis.x(at), axis.x(at), BOTTOM, BOTTOM + 4);
      text((int) axis.x(at), BOTTOM + 17, "middle", String.format(Locale.ROOT, "%.4g", at), 12);
    }
    ExpectedFidelity expected = ExpectedFidelity.of(stats, qparams);
    text(
        WIDTH / 2,
        HEIGHT - 12,
        "middle",
        String.format(
            Locale.ROOT,
            "%s: [%.5g, %.5g], expected SQNR %.2f dB, %.3g %% clipped",
            choice.method(),
            range.min(),
            range.max(),
            expected.sqnr(),
            100 * expected.clipped()),
        12);
  }

  /** A symmetric range reaches as far to both sides. */
  private static Range ends(Range range, QuantSpec spec) {
    float reach = Math.max(Math.abs(range.min()), Math.abs(range.max()));
    return spec.symmetric() ? new Range(-reach, reach) : range;
  }

  private void bars(Axis axis) {
    double from = drawn.min();
    double to = drawn.max();
    boolean isConstant = !(from < to);
    double[] counts =
        isConstant
            ? new double[] {drawn.finiteCount() - drawn.zeros()}
            : LinearBins.of(drawn, bins, from, to, false).counts();
    double most = Math.max(1e-300, Arrays.stream(counts).max().orElse(0));
    double width = isConstant ? 0 : (to - from) / counts.length;
    for (int i = 0; i < counts.length; i++) {
      if (counts[i] > 0) {
        double left = axis.x(from + i * width);
        bar(
            left,
            Math.max(1, axis.x(from + (i + 1) * width) - left - 0.5),
            counts[i] / most,
            "#4a7fb5");
      }
    }
    if (drawn.zeros() > 0) {
      bar(axis.x(0) - 1.5, 3, Math.min(1, drawn.zeros() / most), "#8a929b");
      text(
          (int) axis.x(0) + 5,
          TOP + 10,
          "start",
          String.format(Locale.ROOT, "zeros %.3g %%", 100.0 * drawn.zeros() / drawn.finiteCount()),
          11);
    }
  }

  private void bar(double x, double width, double share, String colour) {
    double height = Math.max(0.7, (BOTTOM - TOP) * share);
    add(
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>%n",
        x, BOTTOM - height, width, height, colour);
  }

  private void text(int x, int y, String anchor, String text, int size) {
    add(
        "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\" font-size=\"%d\">%s</text>%n",
        x, y, anchor, size, Page.escape(text));
  }

  private void add(String format, Object... values) {
    svg.append(String.format(Locale.ROOT, format, values).replace("\r\n", "\n"));
  }

  /** From the least to the greatest of values and range, with room at the ends. */
  private static final class Axis {
    private final double low;
    private final double high;

    Axis(TensorStats stats, Range range) {
      double least = Math.min(Math.min(stats.min(), range.min()), 0);
      double greatest = Math.max(Math.max(stats.max(), range.max()), 0);
      double margin = greatest > least ? 0.04 * (greatest - least) : 1;
      low = least - margin;
      high = greatest + margin;
    }

    double x(double value) {
      return LEFT + (value - low) / (high - low) * BREADTH;
    }

    /** Round numbers, some five of them. */
    List<Double> marks() {
      double rough = (high - low) / 5;
      double power = Math.pow(10, Math.floor(Math.log10(rough)));
      double step = power * (rough > 5 * power ? 10 : rough > 2 * power ? 5 : 2);
      List<Double> marks = new ArrayList<>();
      for (double i = Math.ceil(low / step); i * step <= high; i++) {
        marks.add(i * step);
      }
      return marks;
    }
  }
}
