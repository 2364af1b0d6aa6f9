package org.tare.examples;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.quant.Fidelity;

/**
 * How close the maps of PP-OCR's detection model, which give every pixel a probability to be text,
 * are to the float model's: the mean absolute difference and the signal to quantization noise.
 */
final class OcrDetScore {
  private OcrDetScore() {}

  /** Prints one line a model; the first is the float one. */
  static void print(List<String> models, Path data) throws IOException {
    try (Comparison comparison =
        new Comparison("PP-OCRv4 detection", models, data.resolve("evaluate"), List.of("x"), 8)) {
      List<float[]> exact = new ArrayList<>();
      List<Map<String, Object>> figures = new ArrayList<>();
      for (Contender contender : comparison.contenders()) {
        Fidelity fidelity = new Fidelity();
        double difference = 0;
        for (int b = 0; b < comparison.batches(); b++) {
          float[] map = contender.run(comparison.batch(b));
          if (figures.isEmpty()) {
            exact.add(map);
          }
          float[] expected = exact.get(b);
          fidelity.add(expected, map, 0, map.length);
          for (int i = 0; i < map.length; i++) {
            difference += Math.abs(expected[i] - map[i]);
          }
        }
        Map<String, Object> each = new LinkedHashMap<>();
        each.put("sqnr_db", fidelity.sqnr());
        each.put("mean_difference", difference / fidelity.count());
        figures.add(each);
      }
      comparison.print(figures);
    }
  }
}
