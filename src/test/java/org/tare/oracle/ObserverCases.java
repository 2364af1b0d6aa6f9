package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.OptionalInt;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.quant.TorchQParams;
import org.tare.torch.ObserverConfig;
import org.tare.torch.ObserverKind;
import org.tare.torch.TorchObserver;

/** PyTorch's observers of least and greatest values, and calculate_qparams by itself. */
final class ObserverCases {
  private ObserverCases() {}

  private static OptionalInt limit(JsonNode node) {
    return node.isNull() || node.isMissingNode()
        ? OptionalInt.empty()
        : OptionalInt.of(node.asInt());
  }

  /** The observer of a record's class and arguments. */
  static ObserverConfig config(String kind, JsonNode args) {
    ObserverConfig config =
        ObserverConfig.of(ObserverKind.of(kind))
            .with(DType.of(args.path("dtype").asText()), QScheme.of(args.path("qscheme").asText()))
            .withRange(limit(args.path("quant_min")), limit(args.path("quant_max")))
            .withEps((float) args.path("eps").asDouble(TorchQParams.EPS))
            .withAveragingConstant((float) args.path("averaging_constant").asDouble(0.01))
            .withAxis(args.path("ch_axis").asInt(0));
    return args.path("reduce_range").asBoolean() ? config.withReducedRange() : config;
  }

  /** Holds the files of streams that go through an observer. */
  static void observers(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      tally.hold(
          c.path("name").asText(),
          () -> {
            boolean noData = c.path("name").asText().contains("no_data");
            JsonNode batches = file.path("streams").path(c.path("stream").asText()).path("batches");
            observer(c, batches, noData);
          });
    }
  }

  private static void observer(JsonNode c, JsonNode batches, boolean noData) {
    JsonNode result = c.path("result");
    String stage = result.path("error").path("stage").asText("");
    if (stage.equals("construct")) {
      assertThrows(
          TareException.class,
          () -> new TorchObserver(config(c.path("class").asText(), c.path("args"))));
      return;
    }
    ObserverConfig config = config(c.path("class").asText(), c.path("args"));
    TorchObserver observer = new TorchObserver(config);
    QuantSpec spec = config.spec();
    assertEquals(c.path("effective_quant_min").asLong(), spec.quantMin(), "quant_min");
    assertEquals(c.path("effective_quant_max").asLong(), spec.quantMax(), "quant_max");
    boolean failed = false;
    for (int b = 0; !noData && b < batches.size() && !failed; b++) {
      JsonNode batch = batches.get(b);
      try {
        observer.observe(Oracle.floats(batch.path("data")), Oracle.longs(batch.path("shape")));
      } catch (TareException e) {
        failed = true;
        assertEquals("observe", stage, e.getMessage());
        // PyTorch broadcasts a state of one channel, and fails a batch later than we do.
        assertTrue(b <= result.path("error").path("batch").asInt(b), "batch that fails");
      }
      if (!failed && result.has("trace") && b < result.path("trace").path("min").size()) {
        same(result.path("trace").path("min").get(b), observer.min(), "min after " + b);
        same(result.path("trace").path("max").get(b), observer.max(), "max after " + b);
      }
    }
    assertEquals(stage.equals("observe"), failed, "observe fails");
    if (failed) {
      return;
    }
    if (result.has("min_val")) {
      same(result.path("min_val"), observer.min(), "min_val");
      same(result.path("max_val"), observer.max(), "max_val");
    }
    if (stage.equals("calculate_qparams")) {
      assertThrows(TareException.class, observer::qparams);
    } else {
      qparams(result, observer.qparams());
    }
  }

  /** Equal but for the sign of zeros; NaN equals NaN. */
  static void same(JsonNode expected, float[] found, String what) {
    float[] values = Oracle.oneOrMany(expected);
    assertEquals(values.length, found.length, what);
    for (int i = 0; i < values.length; i++) {
      assertEquals(values[i] + 0f, found[i] + 0f, what);
    }
  }

  /** Scale and zero point, exactly. */
  static void qparams(JsonNode expected, List<TorchQParams> found) {
    float[] scales = Oracle.oneOrMany(expected.path("scale"));
    float[] zeroPoints = new float[scales.length];
    double[] foundZeroPoints = new double[found.size()];
    float[] foundScales = new float[found.size()];
    for (int i = 0; i < found.size(); i++) {
      foundScales[i] = found.get(i).scale();
      foundZeroPoints[i] = found.get(i).zeroPoint() + 0.0;
    }
    assertArrayEquals(scales, foundScales, "scale");
    JsonNode zero = expected.path("zero_point");
    for (int i = 0; i < zeroPoints.length; i++) {
      double one = Oracle.number(zero.isArray() ? zero.get(i) : zero);
      boolean isFloat = expected.path("zero_point_dtype").asText().equals("float32");
      assertEquals((isFloat ? (float) one : one) + 0.0, foundZeroPoints[i], "zero_point");
    }
  }

  /** Holds the tables of ranges. */
  static void calculateQParams(JsonNode file, Tally tally) {
    for (JsonNode table : file.path("tables")) {
      QuantSpec spec = spec(table);
      for (JsonNode row : table.path("rows")) {
        tally.hold(
            table.path("name").asText() + row.path("min") + "," + row.path("max"),
            () -> {
              float min = Oracle.single(row.path("min"));
              float max = Oracle.single(row.path("max"));
              if (row.has("error")) {
                assertThrows(IllegalArgumentException.class, () -> TorchQParams.of(min, max, spec));
              } else {
                qparams(row, List.of(of(min, max, table, spec)));
                finiteOnesAreTaresToo(min, max, spec, row);
              }
            });
      }
    }
    for (JsonNode c : file.path("channel_cases")) {
      QuantSpec spec = spec(c);
      tally.hold(
          c.path("name").asText(),
          () -> {
            float[] min = Oracle.floats(c.path("min"));
            float[] max = Oracle.floats(c.path("max"));
            List<TorchQParams> found = new java.util.ArrayList<>();
            for (int i = 0; i < min.length; i++) {
              found.add(of(min[i], max[i], c, spec));
            }
            qparams(c, found);
          });
    }
  }

  /** The rule of that name gives the same, or says that the scale is not finite. */
  private static void finiteOnesAreTaresToo(float min, float max, QuantSpec spec, JsonNode row) {
    boolean isUnset = min == Float.POSITIVE_INFINITY && max == Float.NEGATIVE_INFINITY;
    if (isUnset || !Float.isFinite(min) || !Float.isFinite(max)) {
      return;
    }
    float scale = Oracle.single(row.path("scale"));
    if (Float.isInfinite(scale)) {
      assertThrows(TareException.class, () -> spec.qparams(min, max));
    } else {
      assertEquals(scale, spec.qparams(min, max).scale());
      assertEquals(row.path("zero_point").asInt(), spec.qparams(min, max).zeroPoint());
    }
  }

  private static TorchQParams of(float min, float max, JsonNode c, QuantSpec spec) {
    if (min == Float.POSITIVE_INFINITY && max == Float.NEGATIVE_INFINITY) {
      return TorchQParams.NOTHING;
    }
    boolean isFloat = c.path("args").path("qscheme").asText().endsWith("float_qparams");
    return isFloat
        ? TorchQParams.ofFloatZeroPoint(min, max, spec)
        : TorchQParams.of(min, max, spec);
  }

  private static QuantSpec spec(JsonNode c) {
    JsonNode args = c.path("args");
    QuantSpec spec =
        QParamsRule.PYTORCH.spec(
            DType.of(args.path("dtype").asText()),
            QScheme.of(args.path("qscheme").asText()).isSymmetric(),
            args.path("reduce_range").asBoolean(),
            limit(args.path("quant_min")),
            limit(args.path("quant_max")),
            (float) args.path("eps").asDouble());
    assertEquals(c.path("effective_quant_min").asLong(), spec.quantMin());
    assertEquals(c.path("effective_quant_max").asLong(), spec.quantMax());
    return spec;
  }
}
