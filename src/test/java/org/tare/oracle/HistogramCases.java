package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.tare.TareException;
import org.tare.quant.QuantSpec;
import org.tare.quant.TorchQParams;
import org.tare.range.torch.Histc;
import org.tare.range.torch.TorchHistogram;
import org.tare.range.torch.TorchRangeSearch;
import org.tare.range.torch.TorchVersion;
import org.tare.torch.TorchObserver;

/** PyTorch's histogram observer: histc, the three generations, the range search. */
final class HistogramCases {
  /** The share of counts that an edge moved by one ulp may move, as the records state. */
  private static final double EDGE_TOLERANCE = 1e-4;

  /** Another range is as good if its error is not larger than that of PyTorch's by more. */
  private static final double SEARCH_TOLERANCE = 1.05;

  private HistogramCases() {}

  static TorchVersion version(String algorithm) {
    return switch (algorithm) {
      case "1.13" -> TorchVersion.TORCH_1_13;
      case "2.0" -> TorchVersion.TORCH_2_0;
      case "main" -> TorchVersion.TORCH_2_5;
      default -> throw new IllegalArgumentException(algorithm);
    };
  }

  static void histc(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      float[] x = Oracle.floats(c.path("x"));
      boolean hasNan = false;
      for (float value : x) {
        hasNan |= Float.isNaN(value);
      }
      if (hasNan && !c.has("error")) {
        tally.skip("NaN: undefined behaviour in PyTorch");
        continue;
      }
      tally.hold(
          c.path("name").asText(),
          () -> {
            int bins = c.path("bins").asInt();
            double min = Oracle.number(c.path("min"));
            double max = Oracle.number(c.path("max"));
            if (c.has("error")) {
              assertThrows(TareException.class, () -> Histc.histc(x, bins, min, max));
            } else {
              assertArrayEquals(Oracle.floats(c.path("counts")), Histc.histc(x, bins, min, max));
            }
          });
    }
  }

  private static float[] dense(JsonNode sparse) {
    float[] histogram = new float[sparse.path("bins").asInt()];
    JsonNode index = sparse.path("nonzero_index");
    for (int i = 0; i < index.size(); i++) {
      histogram[index.get(i).asInt()] = Oracle.single(sparse.path("nonzero_value").get(i));
    }
    return histogram;
  }

  static void search(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      tally.hold(
          c.path("name").asText(),
          () -> {
            float[] histogram = dense(c.path("histogram"));
            float min = Oracle.single(c.path("min_val"));
            float max = Oracle.single(c.path("max_val"));
            double levels = c.path("dst_nbins").asDouble();
            compareSearch(c.path("search"), histogram, min, max, levels);
            double width = ((double) max - min) / histogram.length;
            for (JsonNode error : c.path("errors")) {
              double expected = Oracle.number(error.path("norm_float32"));
              double found =
                  TorchRangeSearch.error(
                      histogram,
                      width,
                      error.path("start_bin").asInt(),
                      error.path("end_bin").asInt(),
                      levels);
              assertEquals(expected, found, 1e-3 * Math.abs(expected), "error");
            }
          });
    }
  }

  private static void compareSearch(
      JsonNode expected, float[] histogram, float min, float max, double levels) {
    if (expected.path("robust").isNull()) {
      return;
    }
    TorchRangeSearch found = TorchRangeSearch.search(histogram, min, max, levels);
    int start = expected.path("start_bin").asInt();
    int end = expected.path("end_bin").asInt();
    if (expected.path("robust").asBoolean() || expected.path("robust_cmp32").asBoolean()) {
      assertEquals(start, found.startBin(), "start_bin");
      assertEquals(end, found.endBin(), "end_bin");
      assertEquals(Oracle.single(expected.path("new_min")), found.min(), "new_min");
      assertEquals(Oracle.single(expected.path("new_max")), found.max(), "new_max");
      return;
    }
    double width = ((double) max - min) / histogram.length;
    double theirs = TorchRangeSearch.error(histogram, width, start, end, levels);
    double ours =
        TorchRangeSearch.error(histogram, width, found.startBin(), found.endBin(), levels);
    assertTrue(ours <= SEARCH_TOLERANCE * theirs, ours + " is worse than PyTorch's " + theirs);
  }

  /** Holds streams of arrays. */
  static void observers(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      List<float[]> batches = new ArrayList<>();
      if (!c.path("name").asText().contains("no_data")) {
        for (JsonNode b : file.path("streams").path(c.path("stream").asText()).path("batches")) {
          batches.add(Oracle.floats(b.path("data")));
        }
      }
      tally.hold(c.path("name").asText(), () -> observer(c, batches));
    }
  }

  /** Holds streams that are made from a formula. */
  static void generated(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      tally.hold(
          c.path("name").asText(),
          () -> {
            List<float[]> batches =
                Streams.generate(file.path("streams").path(c.path("stream").asText()));
            if (c.path("class").asText().equals("HistogramObserver")) {
              observer(c, batches);
            } else {
              simple(c, batches);
            }
          });
    }
  }

  private static void simple(JsonNode c, List<float[]> batches) {
    TorchObserver observer =
        new TorchObserver(ObserverCases.config(c.path("class").asText(), c.path("args")));
    for (float[] batch : batches) {
      observer.observe(batch, batch.length);
    }
    JsonNode result = c.path("result");
    ObserverCases.same(result.path("min_val"), observer.min(), "min_val");
    ObserverCases.same(result.path("max_val"), observer.max(), "max_val");
    ObserverCases.qparams(result, observer.qparams());
  }

  private static void observer(JsonNode c, List<float[]> batches) {
    JsonNode args = c.path("args");
    TorchVersion version = version(c.path("algorithm").asText());
    TorchHistogram histogram =
        new TorchHistogram(
            version,
            args.path("bins").asInt(),
            args.path("upsample_rate").asInt(TorchHistogram.DEFAULT_UPSAMPLE_RATE));
    JsonNode state = c.path("state");
    JsonNode error = state.has("error") ? state.path("error") : c.path("error");
    boolean failed = false;
    for (int b = 0; b < batches.size() && !failed; b++) {
      try {
        histogram.observe(batches.get(b));
      } catch (TareException e) {
        failed = true;
        assertEquals("observe", error.path("stage").asText(), e.getMessage());
        assertEquals(error.path("batch").asInt(b), b, "batch that fails");
      }
      if (!failed && b < state.path("trace").path("min").size()) {
        same(state.path("trace").path("min").get(b), histogram.min(), "min after " + b);
        same(state.path("trace").path("max").get(b), histogram.max(), "max after " + b);
      }
    }
    assertEquals(error.path("stage").asText().equals("observe"), failed, "observe fails");
    if (failed) {
      return;
    }
    same(state.path("min_val"), histogram.min(), "min_val");
    same(state.path("max_val"), histogram.max(), "max_val");
    boolean isAtResolution =
        Arrays.asList("near_constant", "range_overflow").contains(c.path("stream").asText());
    if (state.has("histogram") && !(version == TorchVersion.TORCH_2_5 && isAtResolution)) {
      counts(dense(state.path("histogram")), histogram.histogram(), version);
    }
    JsonNode search = c.path("search");
    if (!search.isNull() && !search.isMissingNode() && !isAtResolution) {
      double levels = levelsOf(c);
      compareSearch(search, histogram.histogram(), histogram.min(), histogram.max(), levels);
    }
    for (JsonNode result : c.path("results")) {
      results(result, search, histogram);
    }
  }

  private static double levelsOf(JsonNode c) {
    for (JsonNode result : c.path("results")) {
      if (result.path("args").path("dtype").asText().equals("qint32")) {
        return 0x1p32;
      }
    }
    return 256;
  }

  /** Qparams from the range that PyTorch found. */
  private static void results(JsonNode result, JsonNode search, TorchHistogram histogram) {
    if (result.has("error")) {
      return;
    }
    QuantSpec spec = ObserverCases.config("HistogramObserver", result.path("args")).spec();
    if (histogram.isEmpty()) {
      ObserverCases.qparams(result, List.of(TorchQParams.NOTHING));
      return;
    }
    float min = Oracle.single(search.path("new_min"));
    float max = Oracle.single(search.path("new_max"));
    ObserverCases.qparams(result, List.of(TorchQParams.of(min, max, spec)));
  }

  private static void counts(float[] expected, float[] found, TorchVersion version) {
    if (version != TorchVersion.TORCH_2_5) {
      assertArrayEquals(expected, found, "histogram");
      return;
    }
    double total = 0;
    for (float count : expected) {
      total += count;
    }
    double difference = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += (double) expected[i] - found[i];
      assertTrue(
          Math.abs(difference) <= EDGE_TOLERANCE * total,
          "cumulative counts differ by " + difference + " at bin " + i);
    }
  }

  private static void same(JsonNode expected, float found, String what) {
    assertEquals(Oracle.single(expected) + 0f, found + 0f, what);
  }
}
