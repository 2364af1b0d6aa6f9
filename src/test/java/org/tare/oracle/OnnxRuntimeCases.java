package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.range.Range;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.range.onnxruntime.OnnxRuntimeHistogram;
import org.tare.range.onnxruntime.OnnxRuntimeRanges;
import org.tare.stats.TensorStats;

/** ONNX Runtime's calibrators, on the values that the records give as a formula. */
final class OnnxRuntimeCases {
  private OnnxRuntimeCases() {}

  private static float[] values(int start, int count, double scale) {
    float[] values = new float[count];
    for (int k = 0; k < count; k++) {
      double u = (double) ((long) (start + k) * 7919 % 10007) / 10007;
      double v = 2 * u - 1;
      values[k] = (float) (scale * ((v * v) * v));
    }
    return values;
  }

  private static List<float[]> data(String name) {
    List<float[]> chunks = new ArrayList<>();
    switch (name) {
      case "A" -> chunks.add(values(0, 4000, 4));
      case "B" -> {
        float[] b = values(0, 4000, 4);
        b[0] = 40;
        chunks.add(b);
      }
      case "C_relu" -> {
        float[] c = values(0, 4000, 4);
        for (int i = 0; i < c.length; i++) {
          c[i] = Math.max(c[i], 0f);
        }
        chunks.add(c);
      }
      case "D_chunks" -> {
        double[] scales = {1, 2.5, 4, 0.5};
        for (int k = 0; k < scales.length; k++) {
          chunks.add(values(1000 * k, 1000, scales[k]));
        }
      }
      default -> throw new IllegalArgumentException(name);
    }
    return chunks;
  }

  static void calibrators(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      tally.hold(
          c.path("data").asText() + c.path("method").asText() + c.path("options"),
          () -> calibrator(c));
    }
  }

  private static void calibrator(JsonNode c) {
    List<float[]> chunks = data(c.path("data").asText());
    if (!c.path("chunked").asBoolean()) {
      chunks = List.of(joined(chunks));
    }
    JsonNode options = c.path("options");
    boolean symmetric = options.path("symmetric").asBoolean();
    String method = c.path("method").asText();
    Range range;
    if (method.equals("MinMax")) {
      TensorStats stats = TensorStats.of(joined(chunks));
      range =
          RangeSearch.range(
              "t",
              stats,
              new RangeMethod.MinMax(),
              QParamsRule.ONNXRUNTIME.spec(DType.UINT8, symmetric));
      if (symmetric) {
        float greatest = Math.max(-range.min(), range.max());
        range = new Range(-greatest, greatest);
      }
    } else {
      int defaultBins = method.equals("Percentile") ? 2048 : 128;
      int bins = options.path("num_bins").asInt(defaultBins);
      OnnxRuntimeHistogram histogram =
          method.equals("Percentile") && symmetric
              ? OnnxRuntimeHistogram.ofMagnitudes(bins)
              : OnnxRuntimeHistogram.ofValues(bins);
      chunks.forEach(histogram::collect);
      range =
          method.equals("Percentile")
              ? OnnxRuntimeRanges.percentile(
                  histogram, options.path("percentile").asDouble(), symmetric)
              : OnnxRuntimeRanges.entropy(histogram, options.path("num_quantized_bins").asInt(128));
      float[] edges = histogram.edges();
      assertEquals(c.path("hist_bins").asInt(), histogram.counts().length, "bins");
      assertEquals((float) c.path("edge_first").asDouble(), edges[0], "first edge");
      assertEquals((float) c.path("edge_last").asDouble(), edges[edges.length - 1], "last edge");
      long total = 0;
      for (long count : histogram.counts()) {
        total += count;
      }
      assertEquals(c.path("hist_total").asLong(), total, "total");
      if (!c.path("hist").isNull()) {
        assertArrayEquals(Oracle.longs(c.path("hist")), histogram.counts(), "counts");
      }
    }
    assertEquals((float) c.path("lowest").asDouble(), range.min(), "lowest");
    assertEquals((float) c.path("highest").asDouble(), range.max(), "highest");
  }

  private static float[] joined(List<float[]> chunks) {
    int length = chunks.stream().mapToInt(chunk -> chunk.length).sum();
    float[] all = new float[length];
    int at = 0;
    for (float[] chunk : chunks) {
      System.arraycopy(chunk, 0, all, at, chunk.length);
      at += chunk.length;
    }
    return all;
  }
}
