package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.quant.DType;
import org.tare.quant.DynamicQParams;
import org.tare.quant.FakeQuantize;
import org.tare.quant.Fidelity;
import org.tare.quant.LearnableFakeQuantize;
import org.tare.quant.QScheme;
import org.tare.quant.QuantizeRule;
import org.tare.quant.TorchQParams;
import org.tare.torch.FakeQuantizeConfig;
import org.tare.torch.FakeQuantizeModule;
import org.tare.torch.ObserverConfig;
import org.tare.torch.ObserverKind;

/** Quantize, dequantize, fake-quantize, learnable, dynamic, metrics. */
final class QuantizeCases {
  /** float32 sums of many terms, as the records state. */
  private static final double SUM_TOLERANCE = 2e-5;

  private QuantizeCases() {}

  private static int channel(JsonNode c, int index) {
    if (!c.has("axis")) {
      return 0;
    }
    long[] shape = Oracle.longs(c.path("shape"));
    int inner = 1;
    for (int i = c.path("axis").asInt() + 1; i < shape.length; i++) {
      inner *= (int) shape[i];
    }
    return index / inner % (int) shape[c.path("axis").asInt()];
  }

  private static JsonNode at(JsonNode oneOrMany, int channel) {
    return oneOrMany.isArray() ? oneOrMany.get(oneOrMany.size() == 1 ? 0 : channel) : oneOrMany;
  }

  static void quantize(JsonNode file, JsonNode newer, Tally tally) {
    Map<String, int[]> fbgemm = new HashMap<>();
    for (JsonNode c : newer.path("quantize")) {
      fbgemm.put(c.path("name").asText(), Oracle.ints(c.path("quantized")));
    }
    for (JsonNode c : file.path("cases")) {
      if (!c.path("portable").asBoolean()) {
        tally.skip("infinities and NaN: undefined behaviour in PyTorch 1.13");
        continue;
      }
      tally.hold(c.path("name").asText(), () -> quantize(c, fbgemm.get(c.path("name").asText())));
    }
  }

  private static void quantize(JsonNode c, int[] fbgemm) {
    float[] x = Oracle.floats(c.path("x"));
    int[] expected = Oracle.ints(c.path("quantized"));
    float[] dequantized = Oracle.floats(c.path("dequantized"));
    DType dtype = DType.of(c.path("dtype").asText());
    boolean isBias = c.has("scale_double");
    boolean isFloat = c.path("op").asText().contains("float zero_point");
    for (int i = 0; i < x.length; i++) {
      JsonNode one =
          at(isBias ? c.path("scale_double") : c.path("scale"), isBias ? i : channel(c, i));
      double wide = one.asDouble();
      float scale = (float) wide;
      JsonNode zero = isBias ? null : at(c.path("zero_point"), channel(c, i));
      if (isFloat) {
        float zeroPoint = Oracle.single(zero);
        int q =
            QuantizeRule.quantizeWithFloatZeroPoint(
                x[i], scale, zeroPoint, dtype.min(), dtype.max());
        assertEquals(expected[i], q, "of " + x[i]);
        float back = QuantizeRule.dequantizeWithFloatZeroPoint(q, scale, zeroPoint);
        assertEquals(dequantized[i], back, Math.ulp(dequantized[i]), "back from " + q);
        continue;
      }
      int zeroPoint = zero == null ? 0 : zero.asInt();
      int q = QuantizeRule.PYTORCH.quantize(x[i], scale, zeroPoint, dtype.min(), dtype.max());
      assertEquals(expected[i], q, "of " + x[i]);
      if (fbgemm != null) {
        assertEquals(
            fbgemm[i],
            QuantizeRule.PYTORCH_FBGEMM.quantize(x[i], scale, zeroPoint, dtype.min(), dtype.max()),
            "FBGEMM's of " + x[i]);
      }
      // Per channel and for biases PyTorch multiplies by the scale in float64.
      double back = ((double) q - zeroPoint) * (c.has("axis") || isBias ? wide : scale);
      float tolerance = isBias || c.has("axis") ? Math.ulp(dequantized[i]) : 0;
      assertEquals(dequantized[i], (float) back, tolerance, "back from " + q);
    }
  }

  static void fakeQuantize(JsonNode file, JsonNode newer, Tally tally) {
    Map<String, JsonNode> special = new HashMap<>();
    for (JsonNode c : newer.path("fake_quantize_special")) {
      special.put(c.path("name").asText(), c);
    }
    for (JsonNode c : file.path("cases")) {
      String name = c.path("name").asText();
      if (c.path("portable").asBoolean()) {
        tally.hold(name, () -> fakeQuantize(c));
      } else if (special.containsKey(name)) {
        tally.hold(name, () -> fakeQuantizeSpecial(c, special.get(name)));
      } else {
        tally.skip("infinities and NaN: undefined behaviour in PyTorch 1.13");
      }
    }
    for (JsonNode module : file.path("modules")) {
      tally.hold(module.path("name").asText(), () -> module(module));
    }
  }

  private static FakeQuantize fake(JsonNode c) {
    float[] scales = Oracle.oneOrMany(c.path("scale"));
    int[] zeroPoints =
        c.path("zero_point").isArray()
            ? Oracle.ints(c.path("zero_point"))
            : new int[] {c.path("zero_point").asInt()};
    int min = c.path("quant_min").asInt();
    int max = c.path("quant_max").asInt();
    return c.has("axis")
        ? FakeQuantize.perChannel(scales, zeroPoints, c.path("axis").asInt(), min, max)
        : FakeQuantize.perTensor(scales[0], zeroPoints[0], min, max);
  }

  private static void fakeQuantize(JsonNode c) {
    if (c.has("error")) {
      assertThrows(IllegalArgumentException.class, () -> fake(c));
      return;
    }
    FakeQuantize.Result result =
        fake(c).forward(Oracle.floats(c.path("x")), Oracle.longs(c.path("shape")));
    same(c.path("y"), result.y(), "y");
    if (c.has("mask")) {
      int[] mask = Oracle.ints(c.path("mask"));
      for (int i = 0; i < mask.length; i++) {
        assertEquals(mask[i] != 0, result.mask()[i], "mask at " + i);
      }
    }
    same(c.path("grad_x"), result.backward(Oracle.floats(c.path("grad_out"))), "grad_x");
  }

  /** PyTorch 2.13 saturates as we do; only its NaN, which it takes for the least, is 0 here. */
  private static void fakeQuantizeSpecial(JsonNode c, JsonNode newer) {
    float[] x = Oracle.floats(c.path("x"));
    FakeQuantize.Result result = fake(c).forward(x, Oracle.longs(c.path("shape")));
    float[] expected = Oracle.floats(newer.path("y"));
    for (int i = 0; i < x.length; i++) {
      float y = Float.isNaN(x[i]) ? 0f : expected[i];
      assertEquals(y, result.y()[i], "of " + x[i]);
    }
    same(newer.path("grad_x"), result.backward(Oracle.floats(c.path("grad_out"))), "grad_x");
  }

  private static void same(JsonNode expected, float[] found, String what) {
    assertEquals(expected.size(), found.length, what);
    for (int i = 0; i < found.length; i++) {
      assertEquals(Oracle.single(expected.get(i)) + 0f, found[i] + 0f, what + " at " + i);
    }
  }

  private static FakeQuantizeModule moduleOf(JsonNode m) {
    FakeQuantizeConfig.Kind kind = null;
    for (FakeQuantizeConfig.Kind one : FakeQuantizeConfig.Kind.values()) {
      kind = one.className().equals(m.path("class").asText()) ? one : kind;
    }
    ObserverConfig observer;
    if (kind == FakeQuantizeConfig.Kind.FIXED_QPARAMS) {
      JsonNode step = m.path("steps").get(0);
      observer =
          ObserverConfig.fixed(
              Oracle.floats(step.path("scale"))[0], step.path("zero_point").get(0).asInt());
    } else {
      observer =
          ObserverConfig.of(ObserverKind.of(m.path("observer").asText()))
              .with(DType.of(m.path("dtype").asText()), QScheme.of(m.path("qscheme").asText()))
              .withRange(m.path("quant_min").asInt(), m.path("quant_max").asInt())
              .withEps((float) m.path("eps").get(0).asDouble())
              .withAveragingConstant((float) m.path("averaging_constant").asDouble(0.01))
              .withAxis(Math.max(0, m.path("ch_axis").asInt()));
    }
    return new FakeQuantizeModule(new FakeQuantizeConfig(kind, observer));
  }

  private static void act(FakeQuantizeModule module, String action) {
    switch (action) {
      case "null", "" -> {}
      case "disable_observer" -> module.setObserving(false);
      case "enable_observer" -> module.setObserving(true);
      case "disable_fake_quant" -> module.setQuantizing(false);
      case "enable_fake_quant" -> module.setQuantizing(true);
      case "enable_param_learning" -> module.setObserving(false);
      default -> throw new IllegalArgumentException(action);
    }
  }

  private static void module(JsonNode m) {
    FakeQuantizeModule module = moduleOf(m);
    for (JsonNode step : m.path("steps")) {
      act(module, step.path("action_before").asText());
      FakeQuantize.Result result =
          module.forward(
              Oracle.floats(step.path("x").path("data")),
              Oracle.longs(step.path("x").path("shape")));
      ObserverCases.qparams(step, module.qparams());
      if (step.has("min_val")) {
        ObserverCases.same(step.path("min_val"), module.observer().min(), "min_val");
        ObserverCases.same(step.path("max_val"), module.observer().max(), "max_val");
      }
      same(step.path("y"), result.y(), "y");
      same(step.path("grad_x"), result.backward(Oracle.floats(step.path("grad_out"))), "grad_x");
    }
  }

  static void learnable(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      tally.hold(
          c.path("name").asText(),
          () -> {
            LearnableFakeQuantize learnable =
                new LearnableFakeQuantize(
                    Oracle.floats(c.path("scale")),
                    Oracle.floats(c.path("zero_point")),
                    c.path("quant_min").asInt(),
                    c.path("quant_max").asInt(),
                    c.has("axis") ? c.path("axis").asInt() : -1);
            learnableCase(
                learnable,
                c,
                Oracle.floats(c.path("x")),
                Oracle.longs(c.path("shape")),
                c.path("grad_factor").asDouble());
          });
    }
    for (JsonNode m : file.path("modules")) {
      tally.hold(m.path("name").asText(), () -> learnableModule(m));
    }
  }

  private static void learnableCase(
      LearnableFakeQuantize learnable, JsonNode c, float[] x, long[] shape, double factor) {
    same(c.path("y"), learnable.forward(x, shape), "y");
    if (c.path("forward_backward_zero_point_differ").asBoolean()) {
      // PyTorch's backward pass uses another zero point than its forward pass.
      return;
    }
    float[] gradient = Oracle.floats(c.path("grad_out"));
    LearnableFakeQuantize.Gradients found = learnable.backward(x, gradient, factor, shape);
    same(c.path("grad_x"), found.x(), "grad_x");
    double terms = 0;
    for (int i = 0; i < x.length; i++) {
      // Rounding errors come from the difference, which is as large as x / scale.
      terms +=
          Math.abs(gradient[i]) * factor * Math.max(256, Math.abs(x[i] / learnable.scale()[0]));
    }
    for (int k = 0; k < found.scale().length; k++) {
      assertEquals(
          Oracle.number(c.path("grad_scale").get(k)),
          found.scale()[k],
          SUM_TOLERANCE * terms,
          "grad_scale");
      assertEquals(
          Oracle.number(c.path("grad_zero_point").get(k)),
          found.zeroPoint()[k],
          SUM_TOLERANCE * terms * learnable.scale()[k],
          "grad_zero_point");
    }
  }

  private static void learnableModule(JsonNode m) {
    FakeQuantizeModule module = moduleOf(m);
    for (JsonNode step : m.path("steps")) {
      act(module, step.path("action_before").asText());
      float[] x = Oracle.floats(step.path("x").path("data"));
      long[] shape = Oracle.longs(step.path("x").path("shape"));
      module.forward(x, shape);
      ObserverCases.same(step.path("min_val"), module.observer().min(), "min_val");
      LearnableFakeQuantize learnable = module.learnable();
      same(step.path("scale"), learnable.scale(), "scale");
      same(step.path("zero_point"), learnable.zeroPoint(), "zero_point");
      // The module without gradient scaling has factor 1.
      double scaled = 1 / Math.sqrt((double) x.length * m.path("quant_max").asInt());
      boolean isScaled = !m.path("name").asText().contains("4bit");
      learnableCase(learnable, step, x, shape, isScaled ? scaled : 1);
    }
  }

  static void dynamic(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      JsonNode batches = file.path("streams").path(c.path("stream").asText()).path("batches");
      tally.hold(
          c.path("name").asText(),
          () -> {
            for (int b = 0; b < batches.size(); b++) {
              dynamicBatch(
                  c.path("per_batch").get(b),
                  Oracle.floats(batches.get(b).path("data")),
                  c.path("reduce_range").asBoolean());
            }
          });
    }
    for (JsonNode p : file.path("placeholders")) {
      tally.hold(
          p.path("name").asText(),
          () -> {
            assertTrue(p.path("forward_is_identity").asBoolean());
            String name = p.path("name").asText();
            ObserverKind kind =
                name.startsWith("Noop") ? ObserverKind.NOOP : ObserverKind.PLACEHOLDER;
            assertThrows(
                org.tare.TareException.class,
                () -> new org.tare.torch.TorchObserver(ObserverConfig.of(kind)).qparams());
          });
    }
  }

  private static void dynamicBatch(JsonNode expected, float[] values, boolean reduceRange) {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (float value : values) {
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    float low = min;
    float high = max;
    int top = reduceRange ? 127 : 255;
    boolean isFinite = Float.isFinite(min) && Float.isFinite(max);
    if (!isFinite) {
      // PyTorch: an error for NaN and nothing, an infinite scale for infinities. Here all are
      // refused.
      assertThrows(IllegalArgumentException.class, () -> DynamicQParams.choose(low, high, 0, top));
      return;
    }
    DynamicQParams q = DynamicQParams.choose(min, max, 0, top);
    assertEquals(expected.path("scale_double").asDouble(), q.scale(), "scale");
    assertEquals(expected.path("zero_point").asInt(), q.zeroPoint(), "zero_point");
    if (expected.has("quantized")) {
      int[] quantized = intsOf(expected.path("quantized"));
      // The tensor is quantized with the qparams that torch.quantize_per_tensor_dynamic reports.
      float scale = (float) expected.path("q_scale_double").asDouble();
      int zeroPoint = expected.path("q_zero_point").asInt();
      for (int i = 0; i < values.length; i++) {
        assertEquals(
            quantized[i],
            QuantizeRule.PYTORCH.quantize(values[i], scale, zeroPoint, 0, 255),
            "of " + values[i]);
      }
    }
    if (expected.has("qint8_scale_double")) {
      DynamicQParams signed =
          DynamicQParams.choose(min, max, reduceRange ? -64 : -128, reduceRange ? 63 : 127);
      assertEquals(expected.path("qint8_scale_double").asDouble(), signed.scale(), "qint8 scale");
      assertEquals(expected.path("qint8_zero_point").asInt(), signed.zeroPoint(), "qint8");
      int[] quantized = intsOf(expected.path("quantized_qint8"));
      for (int i = 0; i < values.length; i++) {
        assertEquals(
            quantized[i],
            QuantizeRule.PYTORCH.quantize(
                values[i], (float) signed.scale(), signed.zeroPoint(), -128, 127),
            "qint8 of " + values[i]);
      }
    }
  }

  /** A list of integers, or the one of a tensor without dimensions. */
  private static int[] intsOf(JsonNode node) {
    return node.isArray() ? Oracle.ints(node) : new int[] {node.asInt()};
  }

  static void metrics(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("cases")) {
      tally.hold(
          c.path("name").asText(),
          () -> {
            float[] x = Oracle.floats(c.path("x"));
            float[] y = Oracle.floats(c.path("y"));
            Fidelity fidelity = new Fidelity();
            fidelity.add(x, y, 0, x.length);
            long nonFinite = 0;
            for (int i = 0; i < x.length; i++) {
              nonFinite += Float.isFinite(x[i]) && Float.isFinite(y[i]) ? 0 : 1;
            }
            assertEquals(nonFinite, fidelity.nonFinite());
            if (nonFinite > 0) {
              // PyTorch's figures are NaN or infinite then; ours are those of the other pairs.
              assertEquals(x.length - nonFinite, fidelity.count());
              return;
            }
            close(c, "sqnr", fidelity.sqnr());
            close(c, "normalized_l2", fidelity.normalizedL2());
            close(c, "cosine", fidelity.cosine());
            assertEquals(
                Oracle.number(c.path("mse_float64")),
                fidelity.mse(),
                1e-9 * Math.abs(fidelity.mse()),
                "mse");
          });
    }
  }

  private static void close(JsonNode c, String metric, double found) {
    Set<String> names = new java.util.TreeSet<>();
    c.fieldNames().forEachRemaining(names::add);
    String field =
        names.stream()
            .filter(name -> name.startsWith(metric) && name.endsWith("_float64"))
            .findFirst()
            .orElseThrow();
    double expected = Oracle.number(c.path(field));
    if (Double.isFinite(expected)) {
      assertEquals(expected, found, 1e-9 * Math.max(Math.abs(expected), 1e-9), metric);
    } else {
      assertEquals(expected, found, metric);
    }
  }

  /** What differs in newer releases: NaN ranges, which 1.13 and we refuse. */
  static void newer(JsonNode file, Tally tally) {
    for (JsonNode c : file.path("observer_differences")) {
      tally.hold(
          c.path("name").asText(),
          () -> {
            List<Float> scales = new java.util.ArrayList<>();
            for (float scale : Oracle.floats(c.path("scale"))) {
              scales.add(scale);
            }
            for (float zeroPoint : Oracle.floats(c.path("zero_point"))) {
              scales.add(zeroPoint);
            }
            assertTrue(scales.contains(Float.NaN), "every difference is a NaN");
            assertThrows(
                IllegalArgumentException.class,
                () ->
                    TorchQParams.of(
                        Float.NaN, Float.NaN, ObserverConfig.of(ObserverKind.MIN_MAX).spec()));
          });
    }
  }
}
