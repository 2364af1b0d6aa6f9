package org.tare.examples;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.quant.Fidelity;

/**
 * How close sentence embeddings are to the float model's: the mean cosine, the share of texts whose
 * nearest other text is the same one, and the signal to quantization noise. An embedding is the
 * mean of the token vectors that the attention mask keeps.
 */
final class MiniLmScore {
  private MiniLmScore() {}

  /** Prints one line a model; the first is the float one. */
  static void print(List<String> models, Path data) throws IOException {
    try (Comparison comparison =
        new Comparison(
            "all-MiniLM-L6-v2", models, data.resolve("evaluate"), MiniLmData.INPUTS, 32)) {
      List<List<float[]>> embeddings = new ArrayList<>();
      for (Contender contender : comparison.contenders()) {
        List<float[]> all = new ArrayList<>();
        for (int b = 0; b < comparison.batches(); b++) {
          Map<String, Npy> batch = comparison.batch(b);
          pool(contender.run(batch), batch.get("attention_mask"), all);
        }
        embeddings.add(all);
      }
      List<float[]> exact = embeddings.get(0);
      int[] neighbours = neighbours(exact);
      List<Map<String, Object>> figures = new ArrayList<>();
      for (List<float[]> each : embeddings) {
        figures.add(figures(exact, neighbours, each));
      }
      comparison.print(figures);
    }
  }

  private static Map<String, Object> figures(
      List<float[]> exact, int[] neighbours, List<float[]> embeddings) {
    Fidelity fidelity = new Fidelity();
    double cosines = 0;
    int same = 0;
    int[] found = neighbours(embeddings);
    for (int i = 0; i < found.length; i++) {
      float[] x = exact.get(i);
      fidelity.add(x, embeddings.get(i), 0, x.length);
      cosines += cosine(x, embeddings.get(i));
      same += found[i] == neighbours[i] ? 1 : 0;
    }
    Map<String, Object> figures = new LinkedHashMap<>();
    figures.put("sqnr_db", fidelity.sqnr());
    figures.put("cosine", cosines / found.length);
    figures.put("same_neighbour", (double) same / found.length);
    return figures;
  }

  /** Appends the embedding of each row of a batch. */
  private static void pool(float[] hidden, Npy mask, List<float[]> embeddings) {
    int tokens = (int) mask.shape()[1];
    int width = hidden.length / (mask.rows() * tokens);
    for (int row = 0; row < mask.rows(); row++) {
      double[] sum = new double[width];
      long kept = 0;
      for (int t = 0; t < tokens; t++) {
        int token = row * tokens + t;
        if (mask.bytes().getLong(8 * token) != 0) {
          kept++;
          for (int i = 0; i < width; i++) {
            sum[i] += hidden[token * width + i];
          }
        }
      }
      float[] mean = new float[width];
      for (int i = 0; i < width; i++) {
        mean[i] = (float) (sum[i] / kept);
      }
      embeddings.add(mean);
    }
  }

  /** For each embedding, which other one has the greatest cosine with it. */
  private static int[] neighbours(List<float[]> embeddings) {
    int[] nearest = new int[embeddings.size()];
    for (int i = 0; i < nearest.length; i++) {
      double best = Double.NEGATIVE_INFINITY;
      for (int k = 0; k < nearest.length; k++) {
        double cosine =
            k == i ? Double.NEGATIVE_INFINITY : cosine(embeddings.get(i), embeddings.get(k));
        if (cosine > best) {
          best = cosine;
          nearest[i] = k;
        }
      }
    }
    return nearest;
  }

  private static double cosine(float[] x, float[] y) {
    double product = 0;
    double xx = 0;
    double yy = 0;
    for (int i = 0; i < x.length; i++) {
      product += (double) x[i] * y[i];
      xx += (double) x[i] * x[i];
      yy += (double) y[i] * y[i];
    }
    return product / Math.sqrt(xx * yy);
  }
}
