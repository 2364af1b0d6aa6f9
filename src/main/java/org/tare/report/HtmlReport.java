package org.tare.report;

import java.util.List;
import java.util.Locale;
import org.tare.PrintableText;
import org.tare.plan.ActivationQParams;
import org.tare.quant.QParams;
import org.tare.report.ReportData.Fact;
import org.tare.report.ReportData.Tensor;

/**
 * The report as one HTML page that needs nothing else: no script, no font, no picture from outside.
 */
public final class HtmlReport {
  private static final String STYLE =
      """
      :root { color-scheme: light dark; }
      body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem;
        padding: 0 1rem; }
      h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
      table { border-collapse: collapse; } th { text-align: left; }
      th, td { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
      td.n { text-align: right; font-variant-numeric: tabular-nums; }
      .warning { border-left: 4px solid #c60; padding-left: .8rem; }
      .bars { fill: #4a7fb5; } .zero { fill: #8886; } .kept { fill: #4a7fb522; }
      .now { fill: none; stroke: #d33; stroke-width: 1.5; }
      .moved { color: #d33; font-weight: 600; } .moved-a-little { color: #c60; }
      code { overflow-wrap: anywhere; }
      """;

  private HtmlReport() {}

  /** The page. */
  public static String render(ReportData data) {
    StringBuilder html = new StringBuilder(1 << 16);
    begin(html, data.title(), data.warnings(), data.summary());
    if (!data.tensors().isEmpty()) {
      tensors(html, data.tensors());
    }
    if (!data.floatNodes().isEmpty()) {
      html.append("<h2>Left in float32</h2>\n<table><tr><th>Operator</th><th>Node</th>")
          .append("<th>Why</th></tr>\n");
      for (List<String> node : data.floatNodes()) {
        row(html, node.stream().map(HtmlReport::escape).toArray(String[]::new));
      }
      html.append("</table>\n");
    }
    return html.append("</body></html>\n").toString();
  }

  /** What every page begins with. */
  static void begin(StringBuilder html, String title, List<String> warnings, List<Fact> summary) {
    html.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>")
        .append(escape(title))
        .append("</title><style>")
        .append(STYLE)
        .append("</style></head><body>\n<h1>")
        .append(escape(title))
        .append("</h1>\n");
    for (String warning : warnings) {
      html.append("<p class=\"warning\">").append(escape(warning)).append("</p>\n");
    }
    html.append("<table>\n");
    for (Fact fact : summary) {
      row(html, escape(fact.name()), escape(fact.value()));
    }
    html.append("</table>\n");
  }

  private static void tensors(StringBuilder html, List<Tensor> tensors) {
    html.append("<h2>Activations</h2>\n<p>Each picture shows how often values of a magnitude")
        .append(" occurred, by powers of two: negative ones left of the middle, zeros in it. The")
        .append(
            " shaded part is what the integers reach. The expected error is the mean squared one")
        .append(
            " of the range, beside that of the range from least to greatest value.</p>\n<table><tr><th>Tensor</th>")
        .append("<th>Values</th><th>Observed</th><th>Quantized range</th><th>Scale</th>")
        .append("<th>Zero point</th><th>Method</th><th>Expected error</th>")
        .append("<th>Distribution</th></tr>\n");
    for (Tensor tensor : tensors) {
      QParams q = tensor.chosen().qparams();
      row(
          html,
          "<code>" + escape(tensor.name()) + "</code>",
          String.format(Locale.ROOT, "%,d", tensor.stats().count()),
          range(tensor.stats().min(), tensor.stats().max()),
          range(q.lowest(), q.highest()),
          String.format(Locale.ROOT, "%.6g", q.scale()),
          Integer.toString(q.zeroPoint()),
          escape(tensor.chosen().method()),
          error(tensor.chosen()),
          Distribution.svg(tensor.stats(), q));
    }
    html.append("</table>\n");
  }

  private static String error(ActivationQParams chosen) {
    return chosen.method().equals("fixed")
        ? ""
        : String.format(
            Locale.ROOT,
            "%.3g (%.3g)",
            chosen.choice().expectedError(),
            chosen.choice().minMaxError());
  }

  private static String range(double min, double max) {
    return String.format(Locale.ROOT, "%.5g … %.5g", min, max);
  }

  static void row(StringBuilder html, String... cells) {
    html.append("<tr>");
    for (String cell : cells) {
      html.append("<td>").append(cell).append("</td>");
    }
    html.append("</tr>\n");
  }

  static String escape(String text) {
    return PrintableText.of(text)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
