package org.tare.report;

import static org.tare.report.Page.escape;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.tare.plan.FloatNode;

/**
 * The report as one HTML page that needs nothing else. What has no figures is markup; tables and
 * charts are drawn by the page's own script from the data that it carries as JSON.
 */
public final class HtmlReport {
  private static final String SCRIPT =
      Page.resource("chart.js") + Page.resource("table.js") + Page.resource("report.js");

  private HtmlReport() {}

  /** The page. */
  public static String render(ReportData data) {
    StringBuilder html = new StringBuilder(1 << 16);
    Page.begin(html, data.title(), data.warnings(), data.summary(), SCRIPT);
    html.append("<noscript><p class=\"warning\">Tables and charts need JavaScript, which is off.")
        .append("</p></noscript>\n<main id=\"sections\"></main>\n");
    floatNodes(html, data.floatNodes());
    if (!data.origin().isEmpty()) {
      html.append("<h2 id=\"origin\">Versions and dates</h2>\n");
      Page.facts(html, data.origin());
    }
    if (!data.settings().isEmpty()) {
      html.append(
          "<h2 id=\"settings\">Settings</h2>\n<p>Those that are not at their default.</p>\n");
      Page.facts(html, data.settings());
    }
    return html.append("<script type=\"application/json\" id=\"data\">")
        .append(ReportJson.of(data))
        .append("</script>\n<script>")
        .append(SCRIPT)
        .append("</script>\n</body></html>\n")
        .toString();
  }

  /** By reason, that of the most nodes first: a transformer has hundreds of them. */
  private static void floatNodes(StringBuilder html, List<FloatNode> nodes) {
    if (nodes.isEmpty()) {
      return;
    }
    Map<String, List<FloatNode>> byReason = new LinkedHashMap<>();
    nodes.forEach(
        node -> byReason.computeIfAbsent(node.reason(), r -> new ArrayList<>()).add(node));
    html.append("<section id=\"float-nodes\"><h2>Left in float32</h2>\n<p>")
        .append(nodes.size() == 1 ? "1 node" : nodes.size() + " nodes")
        .append(", by reason.</p>\n");
    byReason.entrySet().stream()
        .sorted((a, b) -> b.getValue().size() - a.getValue().size())
        .forEach(entry -> group(html, entry.getKey(), entry.getValue()));
    html.append("</section>\n");
  }

  private static void group(StringBuilder html, String reason, List<FloatNode> nodes) {
    Map<String, Long> operators =
        nodes.stream()
            .collect(Collectors.groupingBy(FloatNode::opType, TreeMap::new, Collectors.counting()));
    String counts =
        operators.entrySet().stream()
            .map(one -> one.getKey() + (one.getValue() == 1 ? "" : " × " + one.getValue()))
            .collect(Collectors.joining(", "));
    html.append("<details><summary>")
        .append(escape(reason))
        .append(" <span class=\"quiet\">")
        .append(escape(counts))
        .append("</span></summary>\n<ul>");
    for (FloatNode node : nodes) {
      html.append("<li>")
          .append(escape(node.opType()))
          .append(" <code>")
          .append(escape(node.name()))
          .append("</code></li>\n");
    }
    html.append("</ul></details>\n");
  }
}
