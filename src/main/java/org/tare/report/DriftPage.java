package org.tare.report;

import static org.tare.report.Page.escape;

import java.util.List;
import java.util.Locale;
import org.tare.drift.DeployedRange;
import org.tare.drift.Distances;
import org.tare.drift.DriftReport;
import org.tare.drift.TensorDrift;
import org.tare.report.ReportData.Fact;

/** Drift as one HTML page: each tensor's two distributions over each other, the gravest first. */
public final class DriftPage {
  private static final String HEAD =
      """
      <h2>Tensors</h2>
      <p>Bars show how often values of a magnitude occurred in the reference, by half powers of two,
      negative ones left of the middle, zeros in it; the line shows the same now. The shaded part is what
      the deployed integers reach. Effects are in standard deviations: all distances are told as the
      shift of a normal distribution that gives them, less what chance makes of so many rows.</p>
      <table><tr><th>Tensor</th><th>Verdict</th><th>Effect</th><th>Then, now</th><th>Distances</th>
      <th>Range</th><th>Deployed</th></tr>
      """;

  private DriftPage() {}

  /**
   * The page.
   *
   * @param summary lines of name and value
   * @param warnings sentences
   */
  public static String render(
      String title, List<Fact> summary, DriftReport report, List<String> warnings) {
    StringBuilder html = new StringBuilder(1 << 16);
    Page.begin(html, title, warnings, summary, "");
    html.append(HEAD);
    for (TensorDrift tensor : report.tensors()) {
      Page.row(
          html,
          "<code>" + escape(tensor.name()) + "</code>",
          "<span class=\""
              + tensor.verdict().id()
              + "\">"
              + tensor.verdict().text()
              + "</span><br/>"
              + escape(String.join(", ", tensor.reasons())),
          text("%.2f", tensor.effect()),
          Overlay.svg(
              tensor.reference(), tensor.current(), tensor.deployed().map(DeployedRange::qparams)),
          tensor.distances().map(DriftPage::distances).orElse("no finite values")
              + tensor
                  .channel()
                  .map(
                      channel ->
                          "<br/>mean of channel "
                              + channel.channel()
                              + " "
                              + text("%+.2f std", channel.shift()))
                  .orElse(""),
          text("%.4g", tensor.reference().min())
              + " … "
              + text("%.4g", tensor.reference().max())
              + "<br/>"
              + text("%.4g", tensor.current().min())
              + " … "
              + text("%.4g", tensor.current().max()),
          tensor.deployed().map(DriftPage::deployed).orElse(""));
    }
    return html.append("</table>\n</body></html>\n").toString();
  }

  private static String distances(Distances found) {
    return text("PSI %.3f", found.psi())
        + text(", JS %.3f", found.jensenShannon())
        + text(", Hellinger %.3f", found.hellinger())
        + text(",<br/>KS %.3f", found.kolmogorovSmirnov())
        + text(", W1 %.3f std", found.scaledWasserstein());
  }

  private static String deployed(DeployedRange range) {
    return text("SQNR %.1f", range.reference().sqnr())
        + text(" → %.1f dB", range.current().sqnr())
        + text("<br/>clipped %.3g", 100 * range.reference().clipped())
        + text(" → %.3g %%", 100 * range.current().clipped());
  }

  private static String text(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }
}
