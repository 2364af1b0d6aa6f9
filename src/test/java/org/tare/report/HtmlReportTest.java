package org.tare.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
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
  private static Tensor tensor(String name, String method, double error) {
    RangeChoice choice = new RangeChoice(new Range(0f, 2f), method, error, 2 * error, 0);
    return new Tensor(
        name,
        TensorStats.of(new float[] {0f, 0.5f, 1f, 3f}),
        new ActivationQParams(QParams.of(2f / 255, 0, DType.UINT8), choice, List.of(name)));
  }

  private static String page() {
    return HtmlReport.render(
        new ReportData(
            "Quantization of <a&b>.onnx",
            List.of(new Fact("Model", "8 bytes, \"small\"")),
            List.of(tensor("x<1>", "mse", 1.25e-5), tensor("p", "fixed", 0)),
            List.of(List.of("Erf", "Erf_1", "why & how")),
            List.of("beware of <script>")));
  }

  /** Names come from models that anyone may have made: none becomes markup. */
  @Test
  void textIsEscapedEverywhere() throws Exception {
    String page = page();
    assertFalse(page.contains("<script"), page);
    assertFalse(page.contains("<a&b>") || page.contains("x<1>"), page);
    Document document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(
                new ByteArrayInputStream(
                    page.replace("<!DOCTYPE html>", "")
                        .replace("<meta charset=\"utf-8\">", "")
                        .getBytes(StandardCharsets.UTF_8)));
    assertEquals("Quantization of <a&b>.onnx", text(document, "h1", 0));
    assertEquals("beware of <script>", text(document, "p", 0));
    assertTrue(text(document, "table", 0).contains("8 bytes, \"small\""));
    assertTrue(text(document, "table", 2).contains("why & how"));
  }

  @Test
  void expectedErrorsStandBesideThoseOfMinMax() {
    String page = page();
    assertTrue(page.contains("<td>mse</td><td>1.25e-05 (2.50e-05)</td>"), page);
    assertTrue(page.contains("<td>fixed</td><td></td>"), page);
  }

  @Test
  void everyTensorHasItsPicture() {
    assertEquals(3, page().split("<svg", -1).length);
  }

  private static String text(Document document, String tag, int index) {
    NodeList all = document.getElementsByTagName(tag);
    return all.item(index).getTextContent();
  }
}
