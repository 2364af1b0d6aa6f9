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
 * How many of Fashion-MNIST's test pictures get their class, how many the same class as from the
 * float model, and the signal to quantization noise of the logits.
 */
final class FashionScore {
  private static final int CLASSES = 10;

  private FashionScore() {}

  /** Prints one line a model; the first is the float one. */
  static void print(List<String> models, Path data) throws IOException {
    Path folder = data.resolve("evaluate");
    List<String> labels = Files.readAllLines(folder.resolve("label.txt"));
    try (Comparison comparison =
        new Comparison("Fashion-MNIST", models, folder, List.of(FashionData.INPUT), 32)) {
      int count = comparison.contenders().size();
      int[] right = new int[count];
      int[] same = new int[count];
      List<Fidelity> fidelities = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        fidelities.add(new Fidelity());
      }
      int row = 0;
      for (int b = 0; b < comparison.batches(); b++) {
        Map<String, Npy> batch = comparison.batch(b);
        int rows = batch.get(FashionData.INPUT).rows();
        float[] exact = null;
        for (int i = 0; i < count; i++) {
          float[] logits = comparison.contenders().get(i).run(batch);
          exact = i == 0 ? logits : exact;
          fidelities.get(i).add(exact, logits, 0, rows * CLASSES);
          for (int r = 0; r < rows; r++) {
            int found = top(logits, r * CLASSES);
            right[i] += found == Integer.parseInt(labels.get(row + r)) ? 1 : 0;
            same[i] += found == top(exact, r * CLASSES) ? 1 : 0;
          }
        }
        row += rows;
      }
      List<Map<String, Object>> figures = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        Map<String, Object> each = new LinkedHashMap<>();
        each.put("sqnr_db", fidelities.get(i).sqnr());
        each.put("top1", (double) right[i] / row);
        each.put("same_class", (double) same[i] / row);
        figures.add(each);
      }
      // A batch alone is too short to be timed.
      int aRound = comparison.batches() / Comparison.ROUNDS;
      comparison.print(
          figures,
          aRound,
          round ->
              contender -> {
                for (int b = round * aRound; b < (round + 1) * aRound; b++) {
                  contender.runOnly(comparison.batch(b));
                }
              });
    }
  }

  /** The class of the greatest logit of the row that begins at an index. */
  private static int top(float[] logits, int from) {
    int best = 0;
    for (int c = 1; c < CLASSES; c++) {
      if (logits[from + c] > logits[from + best]) {
        best = c;
      }
    }
    return best;
  }
}
