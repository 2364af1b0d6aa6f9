package org.tare.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.tare.PrintableText;
import org.tare.plan.ActivationQParams;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.report.ReportData.Fact;
import org.tare.report.ReportData.Tensor;
import org.tare.stats.TensorStats;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

class HtmlReportTest {
  private static final Pattern SCRIPT =
      Pattern.compile("<script([^>]*)>(.*?)</script>", Pattern.DOTALL);

  private static String page() {
    return HtmlReport.render(MadeReports.report(12));
  }

  private static List<String> scripts(String page) {
    List<String> found = new ArrayList<>();
    Matcher matcher = SCRIPT.matcher(page);
    while (matcher.find()) {
      found.add(matcher.group(2));
    }
    return found;
  }

  private static JsonNode data(String page) throws Exception {
    return new ObjectMapper().readTree(scripts(page).get(0));
  }

  private static Document markup(String page) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(
            new ByteArrayInputStream(
                SCRIPT
                    .matcher(page)
                    .replaceAll("")
                    .replace("<!DOCTYPE html>", "")
                    .replace("<meta charset=\"utf-8\">", "")
                    .getBytes(StandardCharsets.UTF_8)));
  }

  private static String text(Document document, String tag, int index) {
    NodeList all = document.getElementsByTagName(tag);
    return all.item(index).getTextContent();
  }

  /** Names come from models that anyone may have made: none becomes markup, none a script. */
  @Test
  void textIsEscapedEverywhere() throws Exception {
    String page = page();
    List<String> scripts = scripts(page);
    assertEquals(2, scripts.size(), "the data and Tare's own script");
    assertEquals(3, page.split("<script", -1).length, "no name opens one");
    assertFalse(page.contains("<a&b>"), page);
    Document document = markup(page);
    assertEquals("Quantization of <a&b>.onnx", text(document, "h1", 0));
    assertEquals("beware of <script>", text(document, "p", 0));
    assertTrue(text(document, "table", 0).contains("8 bytes, \"small\""));
    assertTrue(text(document, "details", 1).contains("why & how"));
    assertTrue(
        text(document, "details", 1).contains(PrintableText.of(MadeReports.HOSTILE)),
        text(document, "details", 1));
  }

  /** ASCII in which nothing opens, closes or ends anything; the names are as they are printed. */
  @Test
  void dataAreJsonThatMeansNothingToMarkup() throws Exception {
    String json = scripts(page()).get(0);
    assertTrue(json.chars().allMatch(symbol -> symbol >= ' ' && symbol < 127), json);
    assertFalse(json.contains("<") || json.contains(">") || json.contains("&"), json);
    JsonNode tensors = new ObjectMapper().readTree(json).path("tensors");
    assertEquals(12, tensors.size());
    assertEquals(PrintableText.of(MadeReports.HOSTILE), tensors.get(1).path("name").asText());
  }

  /** The browser runs and styles with nothing but what the policy knows by its digest. */
  @Test
  void thePolicyNamesTheOwnScriptAndStyleAndNoPlaceOutside() throws Exception {
    String page = page();
    String script = scripts(page).get(1);
    byte[] digest =
        MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8));
    assertTrue(
        page.contains("script-src 'sha256-" + Base64.getEncoder().encodeToString(digest) + "'"));
    assertTrue(page.contains("default-src 'none'"), page);
    assertFalse(script.contains("<!--") || script.contains("innerHTML"), "text only");
    String own = script.replace("http://www.w3.org/2000/svg", "");
    assertFalse(own.contains("http:") || own.contains("https:"), "nothing is fetched");
  }

  @Test
  void everyTensorHasHistogramsOnBothAxesAndTheRangesOfAllMethods() throws Exception {
    JsonNode tensor = data(page()).path("tensors").get(0);
    assertEquals(TensorBins.BINS, tensor.path("linear").path("counts").size());
    double all = 0;
    for (JsonNode count : tensor.path("linear").path("counts")) {
      all += count.asDouble();
    }
    assertEquals(2000, all, 2000 * 1e-3, "four digits a bar");
    assertTrue(tensor.path("log").path("positive").size() > 4, tensor.toString());
    List<String> methods = new ArrayList<>();
    int chosen = 0;
    for (JsonNode method : tensor.path("methods")) {
      methods.add(method.path("method").asText());
      chosen += method.path("isChosen").asBoolean() ? 1 : 0;
      assertTrue(method.path("error").asDouble() > 0, method.toString());
      assertTrue(method.path("low").asDouble() < method.path("high").asDouble());
    }
    assertEquals(
        List.of("minmax", "percentile 99.999", "percentile 99.99", "entropy", "mse"), methods);
    assertTrue(chosen >= 1, "mse was chosen: " + tensor);
    assertEquals("mse", tensor.path("method").asText());
  }

  @Test
  void constantsZerosAndMasksAreTold() throws Exception {
    JsonNode tensors = data(page()).path("tensors");
    assertTrue(tensors.get(3).path("linear").isMissingNode(), "zeros only");
    assertEquals(2000, tensors.get(3).path("zeros").asLong());
    assertTrue(tensors.get(4).path("linear").isMissingNode(), "a constant");
    assertEquals(2.5, tensors.get(4).path("min").asDouble());
    assertEquals(2, tensors.get(5).path("nonFinite").asLong());
    assertEquals(600, tensors.get(6).path("masked").asLong());
    assertTrue(
        tensors.get(6).path("linear").path("from").asDouble() > -10, "the mask is not drawn");
    assertTrue(tensors.get(8).path("sqnr").asDouble() > 100, "a single value is hit");
  }

  @Test
  void sectionsWithoutDataAreLeftOut() throws Exception {
    String page =
        HtmlReport.render(
            ReportData.of("t", List.of(new Fact("a", "b")), List.of(), Analysis.NONE));
    assertEquals("{}", scripts(page).get(0));
    assertEquals(0, markup(page).getElementsByTagName("h2").getLength());
    Analysis one = Analysis.NONE.withLayers(List.of(new LayerError("x", "Conv", 30, Double.NaN)));
    assertEquals(
        "{\"layers\":[{\"name\":\"x\",\"op\":\"Conv\",\"accumulated\":30,\"local\":null}]}",
        ReportJson.of(ReportData.of("t", List.of(), List.of(), one)));
  }

  @Test
  void measurementsOfLayersAreCarried() {
    Analysis analysis =
        Analysis.NONE
            .with(
                new Sensitivity(
                    "top1",
                    "Only it.",
                    List.of(new LayerSensitivity("c", "int4", Double.POSITIVE_INFINITY, 0.5))))
            .with(
                new ParetoFront(
                    "bytes",
                    "kl",
                    OptionalDouble.of(0.25),
                    List.of(new ParetoPoint(7, -1.5, true, "a"))))
            .withLosses(List.of(new LossPoint(3, 0.125, 20.5, Double.NaN)));
    assertEquals(
        "{\"sensitivity\":{\"metric\":\"top1\",\"meaning\":\"Only it.\",\"layers\":["
            + "{\"name\":\"c\",\"type\":\"int4\",\"sqnr\":\"inf\",\"metric\":0.5}]},"
            + "\"front\":{\"unit\":\"bytes\",\"metric\":\"kl\",\"target\":0.25,\"points\":["
            + "{\"cost\":7,\"metric\":-1.5,\"isChosen\":true,\"label\":\"a\"}]},"
            + "\"losses\":[{\"step\":3,\"loss\":0.125,\"sqnr\":20.5,\"top1\":null}]}",
        ReportJson.of(ReportData.of("t", List.of(), List.of(), analysis)));
  }

  /** Of many channels neighbours are told together: the least low and the greatest high. */
  @Test
  void channelsAreBounded() throws Exception {
    List<QParams> qparams = new ArrayList<>();
    for (int c = 0; c < 1000; c++) {
      qparams.add(QParams.of(c == 9 ? 2f : 1f, 0, DType.INT8));
    }
    Weight weight =
        new Weight("w", "Conv", "int8", 9000, 9000, "1000", qparams, java.util.Optional.empty());
    ReportData data =
        new ReportData(
            "t",
            List.of(),
            List.of(),
            List.of(),
            List.of(weight),
            List.of(),
            List.of(),
            List.of(),
            Analysis.NONE);
    JsonNode channels =
        new ObjectMapper().readTree(ReportJson.of(data)).path("weights").get(0).path("channels");
    assertEquals(8, channels.path("each").asInt());
    assertEquals(125, channels.path("low").size());
    assertEquals(-128, channels.path("low").get(0).asInt());
    assertEquals(254, channels.path("high").get(1).asInt());
    assertEquals(127, channels.path("high").get(124).asInt());
  }

  /** A page of 2,000 tensors has to open at once: each is bounded, whatever its values are. */
  @Test
  void aTensorTakesAFewKilobytes() {
    float[] wide = new float[4000];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = Float.intBitsToFloat((i * 1_048_573) & 0x7effffff) * (i % 2 == 0 ? 1 : -1);
    }
    TensorStats stats = TensorStats.of(wide);
    RangeChoice choice = new RangeChoice(new Range(0f, 2f), "fixed", 0, 0, 0);
    Tensor tensor =
        new Tensor(
            "x",
            "Conv",
            stats,
            new ActivationQParams(QParams.of(2f / 255, 0, DType.UINT8), choice, List.of("x")),
            List.of());
    ReportData empty = ReportData.of("t", List.of(), List.of(), Analysis.NONE);
    String json =
        ReportJson.of(
            new ReportData(
                "t",
                empty.summary(),
                List.of(),
                List.of(tensor),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                Analysis.NONE));
    assertTrue(json.length() < 3000, json.length() + " characters: " + json);
  }

  /** Nodes that stay float32 for one reason are one group, that of the most first. */
  @Test
  void floatNodesAreGroupedByReason() throws Exception {
    Document document = markup(page());
    assertEquals(2, document.getElementsByTagName("details").getLength());
    assertEquals("no rule for it Pow × 6, Sqrt × 6", text(document, "summary", 0));
    assertEquals("why & how Erf", text(document, "summary", 1));
  }

  /** Pages for the check in a browser: {@code -Dtare.pages=FOLDER} writes them. */
  @Test
  void pagesForABrowserAreWrittenOnRequest() throws Exception {
    String folder = System.getProperty("tare.pages");
    if (folder != null) {
      for (int tensors : new int[] {30, 2000}) {
        Files.writeString(
            Path.of(folder, "report-" + tensors + ".html"),
            HtmlReport.render(MadeReports.report(tensors)));
      }
    }
  }
}
