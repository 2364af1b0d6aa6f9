package org.tare.examples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.quant.Fidelity;

/**
 * How many lines PP-OCR's recognition model reads exactly, every letter and every space, and the
 * signal to quantization noise of its class probabilities.
 */
final class OcrRecScore {
  private OcrRecScore() {}

  /**
   * Prints one line a model; the first is the float one.
   *
   * @param keys the model's file of characters
   */
  static void print(Path keys, List<String> models, Path data) throws IOException {
    CtcAlphabet alphabet = CtcAlphabet.read(keys);
    Path folder = data.resolve("evaluate");
    List<String> labels = Files.readAllLines(folder.resolve("label.txt"));
    try (Comparison comparison =
        new Comparison("PP-OCRv4 recognition", models, folder, List.of("x"), 8)) {
      int count = comparison.contenders().size();
      int[] read = new int[count];
      List<Fidelity> fidelities = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        fidelities.add(new Fidelity());
      }
      int row = 0;
      for (int b = 0; b < comparison.batches(); b++) {
        Map<String, Npy> batch = comparison.batch(b);
        int rows = batch.get("x").rows();
        float[] exact = null;
        for (int i = 0; i < count; i++) {
          float[] scores = comparison.contenders().get(i).run(batch);
          exact = i == 0 ? scores : exact;
          fidelities.get(i).add(exact, scores, 0, scores.length);
          int perRow = scores.length / rows;
          if (perRow % alphabet.classes() != 0) {
            throw new IllegalArgumentException(
                String.format(
                    "Cannot read what %s recognises: %d values a line are no steps of the %d"
                        + " classes that %s gives",
                    comparison.contenders().get(i).name().file(),
                    perRow,
                    alphabet.classes(),
                    keys));
          }
          for (int r = 0; r < rows; r++) {
            String text = alphabet.decode(scores, r * perRow, perRow / alphabet.classes());
            read[i] += text.equals(labels.get(row + r)) ? 1 : 0;
          }
        }
        row += rows;
      }
      List<Map<String, Object>> figures = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        Map<String, Object> each = new LinkedHashMap<>();
        each.put("sqnr_db", fidelities.get(i).sqnr());
        each.put("lines_read", (double) read[i] / labels.size());
        figures.add(each);
      }
      comparison.print(figures);
    }
  }
}
