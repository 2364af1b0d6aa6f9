package org.tare.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.tare.drift.Drift;
import org.tare.drift.DriftReport;
import org.tare.drift.DriftThresholds;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.report.ReportData.Fact;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;
import org.w3c.dom.Document;

class DriftPageTest {
  private static CalibrationState state(float scale) {
    float[] values = new float[200];
    for (int i = 0; i < values.length; i++) {
      values[i] = scale * (i - 50) / 100;
    }
    TreeMap<String, TensorStats> tensors = new TreeMap<>();
    tensors.put("a<script>", TensorStats.of(values));
    tensors.put("nothing", TensorStats.of(Float.NaN));
    tensors.put("zeros", TensorStats.of(0, 0));
    return new CalibrationState("", 200, tensors);
  }

  private static String page() {
    DriftReport report =
        Drift.between(
            state(1),
            state(3),
            Map.of("a<script>", QParams.of(1.5f / 255, 85, DType.UINT8)),
            DriftThresholds.STANDARD);
    return DriftPage.render(
        "Drift & more", List.of(new Fact("Rows", "<1>")), report, List.of("few <rows>"));
  }

  /** Names come from models that anyone may have made: none becomes markup. */
  @Test
  void thePageIsWellFormedAndEscaped() throws Exception {
    String page = page();
    assertFalse(page.contains("<script"), page);
    Document document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(
                new ByteArrayInputStream(
                    page.replace("<!DOCTYPE html>", "")
                        .replace("<meta charset=\"utf-8\">", "")
                        .getBytes(StandardCharsets.UTF_8)));
    assertEquals("Drift & more", document.getElementsByTagName("h1").item(0).getTextContent());
    assertEquals(1, document.getElementsByTagName("svg").getLength());
    assertEquals(4, document.getElementsByTagName("tr").getLength() - 1, "head and three tensors");
  }

  @Test
  void bothDistributionsAndTheRangeAreDrawn() {
    String page = page();
    assertTrue(page.contains("class=\"kept\""), page);
    assertTrue(page.contains("class=\"bars\""), page);
    assertTrue(page.contains("class=\"now\""), page);
    assertTrue(page.contains("then from -0.5000 to 1.490, now from -1.500 to 4.470"), page);
    assertTrue(page.contains("<span class=\"moved\">moved</span>"), page);
    assertTrue(page.contains("all zero"), page);
  }

  /** The same shares give the same picture, however many values there are. */
  @Test
  void sharesAreDrawnAndNotCounts() {
    TensorStats one = TensorStats.of(1, -2, 0, 4);
    TensorStats many = TensorStats.empty().mergeTimes(one, 1000);
    assertEquals(Overlay.svg(one, one, Optional.empty()), Overlay.svg(many, one, Optional.empty()));
  }
}
