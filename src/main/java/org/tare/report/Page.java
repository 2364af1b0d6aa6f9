package org.tare.report;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import org.tare.PrintableText;
import org.tare.report.ReportData.Fact;

/**
 * What all pages share: one file that asks the network for nothing. Its policy lets the browser use
 * no style and no script but those of Tare, which it knows by their digests.
 */
final class Page {
  private static final String STYLE = resource("page.css");

  private Page() {}

  /**
   * Begins a page with title, warnings and summary.
   *
   * @param script that the page may run; empty for none
   */
  static void begin(
      StringBuilder html, String title, List<String> warnings, List<Fact> summary, String script) {
    html.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
        .append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ")
        .append("img-src data:; style-src ")
        .append(source(STYLE))
        .append("; script-src ")
        .append(script.isEmpty() ? "'none'" : source(script))
        .append("; base-uri 'none'; form-action 'none'\"/>")
        .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>")
        .append("<link rel=\"icon\" href=\"data:,\"/><title>")
        .append(escape(title))
        .append("</title><style>")
        .append(STYLE)
        .append("</style></head><body>\n<h1>")
        .append(escape(title))
        .append("</h1>\n");
    for (String warning : warnings) {
      html.append("<p class=\"warning\">").append(escape(warning)).append("</p>\n");
    }
    facts(html, summary);
  }

  static void facts(StringBuilder html, List<Fact> facts) {
    html.append("<table class=\"facts\">\n");
    for (Fact fact : facts) {
      row(html, escape(fact.name()), escape(fact.value()));
    }
    html.append("</table>\n");
  }

  static void row(StringBuilder html, String... cells) {
    html.append("<tr>");
    for (String cell : cells) {
      html.append("<td>").append(cell).append("</td>");
    }
    html.append("</tr>\n");
  }

  /** Text as markup that shows it, on one line. */
  static String escape(String text) {
    return PrintableText.of(text)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }

  /** A file beside this class. */
  static String resource(String name) {
    try (InputStream in = Page.class.getResourceAsStream(name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) { // of the jar that this class was read from
      throw new UncheckedIOException(e);
    }
  }

  /** A text as a policy names it. */
  private static String source(String text) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return "'sha256-" + Base64.getEncoder().encodeToString(digest) + "'";
    } catch (NoSuchAlgorithmException e) { // every Java has it
      throw new IllegalStateException(e);
    }
  }
}
