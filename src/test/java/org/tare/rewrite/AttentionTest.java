package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.Sqnr;
import org.tare.TareException;
import org.tare.inspect.ModelInspection;
import org.tare.inspect.ModelInspection.OperatorCount;
import org.tare.inspect.ModelInspection.QuantizedTensor;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.FloatNode;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.QConfigMapping.By;
import org.tare.qconfig.QConfigMapping.Rule;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.rewrite.Quantization.Form;
import org.tare.stats.Samples;

/**
 * ONNX Runtime's Attention in each mode and form. ONNX's checker knows no operator of
 * com.microsoft; ONNX Runtime checks them when it loads a model, and every model here is loaded
 * with all optimisations.
 */
class AttentionTest {
  private static final int BATCH = 2;
  private static final int STEPS = 5;
  private static final int PAST = 3;
  private static final int CHANNELS = 16;
  private static final int HIDDEN = 12;
  private static final int HEADS = 2;
  private static final int HEAD = HIDDEN / HEADS;
  private static final int COLUMNS = 3 * HIDDEN;

  /** Float32 sums of some hundred terms, in another order. */
  private static final double ROUNDING = 1e-4;

  private static final Values X =
      new Values(new long[] {BATCH, STEPS, CHANNELS}, random(1, 1, BATCH * STEPS * CHANNELS));
  private static final float[] WEIGHT = weight();
  private static final float[] BIAS = random(3, 0.3f, COLUMNS);
  private static final float[] PAST_VALUES = random(4, 0.5f, 2 * BATCH * HIDDEN * PAST);

  /** One value for each row of the batch and each step of the sequence. */
  private static final int[] MASK = {1, 1, 1, 0, 0, 0, 1, 1, 1, 1};

  /** What the mask's zeros add to scores: so little that it shows. */
  private static final float FILTER = -1;

  /** Columns of unlike magnitudes, so that no scale does another column's work. */
  private static float[] weight() {
    float[] values = random(2, 0.1f, CHANNELS * COLUMNS);
    for (int i = 0; i < values.length; i++) {
      values[i] *= i % COLUMNS % 5 == 0 ? 0.1f : 1;
    }
    return values;
  }

  private static float[] random(int seed, float scale, int size) {
    float[] values = Samples.normal(new Random(seed), size);
    for (int i = 0; i < size; i++) {
      values[i] *= scale;
    }
    return values;
  }

  /** What the operator is given beside input, weights and bias. */
  private enum Variant {
    PLAIN,
    CAUSAL_AND_SCALED,
    MASKED,
    WITH_PAST,
    NEUTRAL_ATTRIBUTES
  }

  private static OnnxModel model(Variant variant) {
    return switch (variant) {
      case PLAIN -> with((inputs, attributes) -> {});
      case CAUSAL_AND_SCALED ->
          with(
              (inputs, attributes) ->
                  attributes.addAll(List.of("unidirectional", 1L, "scale", 0.9f)));
      case MASKED ->
          with(
              (inputs, attributes) -> {
                inputs.put(3, "mask");
                attributes.addAll(List.of("mask_filter_value", FILTER));
              });
      case WITH_PAST -> with((inputs, attributes) -> inputs.put(4, "past"));
      case NEUTRAL_ATTRIBUTES ->
          with(
              (inputs, attributes) ->
                  attributes.addAll(
                      List.of(
                          "qkv_hidden_sizes",
                          new long[] {HIDDEN, HIDDEN, HIDDEN},
                          "do_rotary",
                          0L,
                          "rotary_embedding_dim",
                          0L)));
    };
  }

  /** A model of one Attention; the change may set inputs by index and add attributes. */
  private static OnnxModel with(BiConsumer<Map<Integer, String>, List<Object>> change) {
    TestModel model = TestModel.opset(17).input("x", -1, STEPS, CHANNELS);
    return attention(constants(model), change).output("y", -1, STEPS, -1).read();
  }

  private static TestModel constants(TestModel model) {
    return model
        .constant("w", new long[] {CHANNELS, COLUMNS}, WEIGHT)
        .constant("b", new long[] {COLUMNS}, BIAS)
        .constant("past", new long[] {2, BATCH, HEADS, PAST, HEAD}, PAST_VALUES)
        .constant(
            "added",
            new long[] {BATCH, HEADS, STEPS, STEPS},
            random(5, 1, BATCH * HEADS * STEPS * STEPS))
        .initializer(Tensor.ofQuantized("mask", DType.INT32, new long[] {BATCH, STEPS}, MASK));
  }

  private static TestModel attention(
      TestModel model, BiConsumer<Map<Integer, String>, List<Object>> change) {
    Map<Integer, String> given = new LinkedHashMap<>(Map.of(0, "x", 1, "w", 2, "b"));
    List<Object> attributes = new ArrayList<>(List.of("num_heads", (long) HEADS));
    change.accept(given, attributes);
    int last = given.keySet().stream().mapToInt(i -> i).max().orElseThrow();
    List<String> inputs = new ArrayList<>();
    for (int i = 0; i <= last; i++) {
      inputs.add(given.getOrDefault(i, ""));
    }
    // The kernel wants a place for the keys and values that it appends to the past.
    List<String> outputs = given.containsKey(4) ? List.of("y", "present") : List.of("y");
    return model
        .node("Attention", inputs, outputs, attributes.toArray())
        .domain(Node.MICROSOFT, "Attention");
  }

  private static QConfigMapping mapping(Mode mode, Backend backend) {
    QConfig standard = backend.standard(mode);
    return mapping(
        mode, backend, standard.activation().dtype(), standard.activation().scheme(), standard);
  }

  private static QConfigMapping mapping(
      Mode mode, Backend backend, DType dtype, QScheme scheme, QConfig standard) {
    return new QConfigMapping(
        mode,
        backend,
        new QConfig(
            true,
            new TensorQConfig(new RangeMethod.MinMax(), dtype, scheme),
            standard.weight(),
            false),
        List.of());
  }

  private static QConfigMapping cpu(Mode mode) {
    return mapping(mode, Backend.ONNXRUNTIME_CPU);
  }

  private static QuantizedModel quantize(OnnxModel model, QConfigMapping mapping, Form form) {
    return TestModel.quantize(model, Map.of("x", X), mapping, form);
  }

  private static float[] run(OnnxModel model) {
    return TestModel.run(model, Map.of("x", X)).get("y").floats();
  }

  private static Set<String> operators(OnnxModel model) {
    return model.graph().nodes().stream().map(Node::opType).collect(Collectors.toSet());
  }

  static Stream<Arguments> modes() {
    return Stream.of(Variant.values())
        .flatMap(
            variant ->
                Stream.of(
                    Arguments.of(
                        variant,
                        cpu(Mode.STATIC),
                        Form.QDQ,
                        Set.of("QuantizeLinear", "DequantizeLinear", "Attention")),
                    Arguments.of(
                        variant,
                        cpu(Mode.STATIC),
                        Form.QOPERATOR,
                        Set.of("QuantizeLinear", "QAttention")),
                    Arguments.of(
                        variant,
                        mapping(Mode.STATIC, Backend.QNNPACK), // one scale for the whole weight
                        Form.QOPERATOR,
                        Set.of("QuantizeLinear", "QAttention")),
                    Arguments.of(
                        variant,
                        cpu(Mode.DYNAMIC),
                        Form.QDQ,
                        Set.of("DynamicQuantizeLinear", "QAttention")),
                    Arguments.of(
                        variant,
                        cpu(Mode.WEIGHT_ONLY),
                        Form.QDQ,
                        Set.of("DequantizeLinear", "Attention"))));
  }

  @ParameterizedTest(name = "{0} {1} {2}")
  @MethodSource("modes")
  void errorIsThatOfRounding(
      Variant variant, QConfigMapping mapping, Form form, Set<String> expected) {
    OnnxModel model = model(variant);
    QuantizedModel quantized = quantize(model, mapping, form);
    assertEquals(expected, operators(quantized.model()));
    assertEquals(List.of(), quantized.floatNodes());
    assertWithin(variant, model, quantized, mapping.mode());
  }

  private static void assertWithin(
      Variant variant, OnnxModel model, QuantizedModel quantized, Mode mode) {
    double step =
        switch (mode) {
          case STATIC -> quantized.activations().get("x").qparams().scale();
          case DYNAMIC -> range(X.floats()) / 255;
          case WEIGHT_ONLY -> 0;
        };
    Reference reference =
        new Reference(
            variant, step, quantized.weights().get("w").channels().orElseThrow().scales());
    float[] expected = run(model);
    float[] actual = run(quantized.model());
    double signal = 0;
    double largestError = 0;
    double largestBound = 0;
    for (int i = 0; i < expected.length; i++) {
      assertEquals(reference.y[i], expected[i], ROUNDING, "the float model at " + i);
      double bound = reference.bound[i] + ROUNDING;
      double error = Math.abs(expected[i] - actual[i]);
      assertTrue(error <= bound, error + " of at most " + bound + " at " + i);
      largestBound = Math.max(largestBound, bound);
      signal += expected[i] * expected[i];
      largestError = Math.max(largestError, error);
    }
    double rms = Math.sqrt(signal / expected.length);
    assertTrue(largestBound < rms, "a bound of " + largestBound + " shows little");
    assertTrue(largestError > 0, "nothing is rounded");
  }

  private static double range(float[] values) {
    double min = 0;
    double max = 0;
    for (float value : values) {
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    return max - min;
  }

  /**
   * The operator in doubles, with how far its result can be off. Queries, keys and values are
   * products, whose errors are bounded by
   *
   * <pre>
   *   e = sum(|w| sx/2 + |x| sw/2 + sx sw/4)
   * </pre>
   *
   * so a score is off by d = scale * sum(|q| ek + |k| eq + eq ek) at most, a probability by a
   * factor between exp(-2d) and exp(2d) of the greatest d of its row, and, since the probabilities
   * p add up to one, the result by
   *
   * <pre>
   *   (exp(2d) - 1) * sum(p |v - y|) + max(ev)
   * </pre>
   */
  private static final class Reference {
    final double[] y = new double[BATCH * STEPS * HIDDEN];
    final double[] bound = new double[y.length];

    private final Variant variant;
    private final double inputStep;
    private final float[] weightSteps;

    /** A number and how far it can be off. */
    private record Number(double value, double error) {}

    Reference(Variant variant, double inputStep, float[] weightSteps) {
      this.variant = variant;
      this.inputStep = inputStep;
      this.weightSteps = weightSteps;
      for (int i = 0; i < y.length; i++) {
        result(i / HIDDEN / STEPS, i / HIDDEN % STEPS, i % HIDDEN);
      }
    }

    private int past() {
      return variant == Variant.WITH_PAST ? PAST : 0;
    }

    /** Column of queries (part 0), keys (1) or values (2), at a step that counts from the past. */
    private Number project(int part, int batch, int step, int column) {
      if (step < past()) {
        int head = column / HEAD;
        int at = (((part - 1) * BATCH + batch) * HEADS + head) * PAST + step;
        return new Number(PAST_VALUES[at * HEAD + column % HEAD], 0);
      }
      int c = part * HIDDEN + column;
      double weightStep = weightSteps[weightSteps.length == 1 ? 0 : c];
      double sum = BIAS[c];
      double error = 0;
      for (int h = 0; h < CHANNELS; h++) {
        double x = X.floats()[(batch * STEPS + step - past()) * CHANNELS + h];
        double w = WEIGHT[h * COLUMNS + c];
        sum += x * w;
        error +=
            Math.abs(w) * inputStep / 2 + Math.abs(x) * weightStep / 2 + inputStep * weightStep / 4;
      }
      return new Number(sum, error);
    }

    /** What is added to the score of a step for another. */
    private double mask(int batch, int step, int other) {
      return switch (variant) {
        case CAUSAL_AND_SCALED -> other <= step ? 0 : Double.NEGATIVE_INFINITY;
        case MASKED -> MASK[batch * STEPS + other] == 1 ? 0 : FILTER;
        default -> 0;
      };
    }

    private void result(int batch, int step, int column) {
      double scale = variant == Variant.CAUSAL_AND_SCALED ? 0.9f : 1 / Math.sqrt(HEAD);
      int first = column / HEAD * HEAD;
      int steps = past() + STEPS;
      double[] weights = new double[steps];
      double total = 0;
      double off = 0;
      for (int t = 0; t < steps; t++) {
        double mask = mask(batch, step, t);
        double score = 0;
        double error = 0;
        for (int c = first; c < first + HEAD; c++) {
          Number q = project(0, batch, past() + step, c);
          Number k = project(1, batch, t, c);
          score += q.value * k.value;
          error += Math.abs(q.value) * k.error + Math.abs(k.value) * q.error + q.error * k.error;
        }
        weights[t] = Math.exp(scale * score + mask);
        total += weights[t];
        off = Math.max(off, Double.isInfinite(mask) ? 0 : scale * error);
      }
      int at = (batch * STEPS + step) * HIDDEN + column;
      for (int t = 0; t < steps; t++) {
        y[at] += weights[t] / total * project(2, batch, t, column).value;
      }
      double spread = 0;
      double own = 0;
      for (int t = 0; t < steps; t++) {
        Number v = project(2, batch, t, column);
        spread += weights[t] / total * Math.abs(v.value - y[at]);
        own = Math.max(own, v.error);
      }
      bound[at] = Math.expm1(2 * off) * spread + own;
    }
  }

  @ParameterizedTest
  @EnumSource(Form.class)
  void fourBitsAreEight(Form form) {
    OnnxModel model = model(Variant.PLAIN);
    QConfig standard = Backend.ONNXRUNTIME_CPU.standard(Mode.WEIGHT_ONLY);
    QConfig four =
        new QConfig(
            true,
            standard.activation(),
            new TensorQConfig(
                new RangeMethod.MinMax(), DType.UINT4, QScheme.PER_CHANNEL_AFFINE, 32),
            false);
    QConfigMapping mapping =
        new QConfigMapping(Mode.WEIGHT_ONLY, Backend.ONNXRUNTIME_CPU, four, List.of());
    QuantizedModel quantized = quantize(model, mapping, form);
    assertEquals(Set.of("DequantizeLinear", "Attention"), operators(quantized.model()));
    assertWithin(Variant.PLAIN, model, quantized, Mode.WEIGHT_ONLY);
  }

  /** Attention as only the float kernel computes it, and why. */
  private enum FloatOnly {
    ATTENTION_BIAS("QAttention does not read its attention_bias"),
    SIZES("QAttention does not carry out its qkv_hidden_sizes"),
    ROTARY("QAttention does not carry out its rotary_embedding_dim");

    private final String reason;

    FloatOnly(String reason) {
      this.reason = reason;
    }

    OnnxModel model() {
      return with(
          (inputs, attributes) -> {
            switch (this) {
              case ATTENTION_BIAS -> inputs.put(5, "added");
              case SIZES ->
                  attributes.addAll(
                      List.of("qkv_hidden_sizes", new long[] {HIDDEN + 2, HIDDEN + 2, HIDDEN - 4}));
              case ROTARY -> attributes.addAll(List.of("rotary_embedding_dim", 32L));
            }
          });
    }
  }

  @ParameterizedTest
  @EnumSource(FloatOnly.class)
  void weightAloneIsQuantizedWhereQAttentionCannot(FloatOnly one) {
    OnnxModel model = one.model();
    QuantizedModel dynamic = quantize(model, cpu(Mode.DYNAMIC), Form.QDQ);
    assertEquals(Set.of("DequantizeLinear", "Attention"), operators(dynamic.model()));
    assertEquals(
        List.of(
            new FloatNode(
                "Attention", "Attention_0", one.reason + ", so only its weight is quantized")),
        dynamic.floatNodes());
    assertArrayEquals(
        run(quantize(model, cpu(Mode.WEIGHT_ONLY), Form.QDQ).model()), run(dynamic.model()));
    QuantizedModel integers = quantize(model, cpu(Mode.STATIC), Form.QOPERATOR);
    assertEquals(
        Set.of("QuantizeLinear", "DequantizeLinear", "Attention"), operators(integers.model()));
    assertArrayEquals(
        run(quantize(model, cpu(Mode.STATIC), Form.QDQ).model()), run(integers.model()));
  }

  /** ONNX Runtime 1.29 ends the JVM when it runs one, so these are not run. */
  @Test
  void withoutBiasThereIsNoQAttention() {
    OnnxModel model = with((inputs, attributes) -> inputs.remove(2));
    QuantizedModel quantized =
        DataFreeRewriter.quantize(FloatPasses.prepare(model), Map.of(), cpu(Mode.DYNAMIC), true);
    assertEquals(Set.of("DequantizeLinear", "Attention"), operators(quantized.model()));
    assertEquals(
        List.of("it has no bias, which QAttention wants, so only its weight is quantized"),
        quantized.floatNodes().stream().map(FloatNode::reason).toList());
  }

  /** The kernel would run it, without the rotation. */
  @Test
  void rotationIsNotDropped() {
    OnnxModel model = with((inputs, attributes) -> attributes.addAll(List.of("do_rotary", 1L)));
    QuantizedModel quantized =
        DataFreeRewriter.quantize(FloatPasses.prepare(model), Map.of(), cpu(Mode.DYNAMIC), true);
    assertEquals(Set.of("DequantizeLinear", "Attention"), operators(quantized.model()));
  }

  @Test
  void signedActivationsStayPairs() {
    OnnxModel model = model(Variant.PLAIN);
    QConfigMapping mapping =
        mapping(
            Mode.STATIC,
            Backend.ONNXRUNTIME_CPU,
            DType.INT8,
            QScheme.PER_TENSOR_SYMMETRIC,
            Backend.ONNXRUNTIME_CPU.standard(Mode.STATIC));
    QuantizedModel quantized = quantize(model, mapping, Form.QOPERATOR);
    assertEquals(
        Set.of("QuantizeLinear", "DequantizeLinear", "Attention"), operators(quantized.model()));
    assertWithin(Variant.PLAIN, model, quantized, Mode.STATIC);
  }

  /**
   * A model that came with pairs of its own, and a zero point that QAttention's form here lacks.
   */
  @Test
  void foreignPairsWithZeroPointsStay() {
    byte[] integers = new byte[CHANNELS * COLUMNS];
    new Random(8).nextBytes(integers);
    OnnxModel model =
        constants(TestModel.opset(17).input("x", -1, STEPS, CHANNELS))
            .constant("s", new long[0], 0.02f)
            .initializer(Tensor.ofQuantized("z", DType.UINT8, new long[0], 128))
            .constant("ws", new long[0], 0.002f)
            .initializer(
                Tensor.ofBytes("wq", ElementType.UINT8, new long[] {CHANNELS, COLUMNS}, integers))
            .node("QuantizeLinear", List.of("x", "s", "z"), List.of("xq"))
            .node("DequantizeLinear", List.of("xq", "s", "z"), List.of("xd"))
            .node("DequantizeLinear", List.of("wq", "ws", "z"), List.of("wd"))
            .node("Attention", List.of("xd", "wd", "b"), List.of("y"), "num_heads", (long) HEADS)
            .domain(Node.MICROSOFT, "Attention")
            .output("y", -1, STEPS, HIDDEN)
            .read();
    QuantizedModel quantized = quantize(model, cpu(Mode.STATIC), Form.QOPERATOR);
    assertArrayEquals(run(model), run(quantized.model()));
  }

  @ParameterizedTest
  @EnumSource(Form.class)
  void backendsThatRoundEveryResultRoundIts(Form form) {
    OnnxModel model =
        constants(TestModel.opset(17).input("x", -1, STEPS, CHANNELS))
            .constant("one", new long[] {HIDDEN}, random(6, 1, HIDDEN))
            .node("Attention", List.of("x", "w", "b"), List.of("h"), "num_heads", (long) HEADS)
            .node("LayerNormalization", List.of("h", "one"), List.of("y"))
            .domain(Node.MICROSOFT, "Attention")
            .output("y", -1, STEPS, HIDDEN)
            .read();
    float[] expected = run(model);
    for (Backend backend : List.of(Backend.ONNXRUNTIME_CPU, Backend.ONEDNN)) {
      QuantizedModel quantized = quantize(model, mapping(Mode.STATIC, backend), form);
      assertEquals(
          backend.roundsProducts(), quantized.activations().containsKey("h"), backend.id());
      assertTrue(Sqnr.of(expected, run(quantized.model())) > 25, backend.id());
    }
  }

  @Test
  void tensorRtLeavesItFloat() {
    QuantizedModel quantized =
        quantize(model(Variant.PLAIN), mapping(Mode.STATIC, Backend.TENSORRT), Form.QDQ);
    assertEquals(Set.of("Attention"), operators(quantized.model()));
    assertEquals(1, quantized.floatNodes().size());
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void overridesLeaveItFloat(Mode mode) {
    QConfig none = QConfig.standard().asFloat();
    for (Rule override :
        List.of(
            new Rule(By.OPERATOR, "Attention", none),
            Rule.byName("Attention_*", none),
            Rule.byName("y", none))) {
      QConfigMapping standard = cpu(mode);
      QConfigMapping mapping =
          new QConfigMapping(mode, standard.backend(), standard.standard(), List.of(override));
      QuantizedModel quantized = quantize(model(Variant.PLAIN), mapping, Form.QDQ);
      assertEquals(Set.of("Attention"), operators(quantized.model()));
      assertEquals(
          List.of(new FloatNode("Attention", "Attention_0", "left float by an override")),
          quantized.floatNodes());
    }
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void computedWeightStaysFloat(Mode mode) {
    OnnxModel model =
        constants(TestModel.opset(17).input("x", -1, STEPS, CHANNELS))
            .node("ReduceMax", List.of("x"), List.of("max"), "keepdims", 0L)
            .node("Mul", List.of("w", "max"), List.of("computed"))
            .node(
                "Attention", List.of("x", "computed", "b"), List.of("y"), "num_heads", (long) HEADS)
            .domain(Node.MICROSOFT, "Attention")
            .output("y", -1, STEPS, HIDDEN)
            .read();
    QuantizedModel quantized = quantize(model, cpu(mode), Form.QDQ);
    String reason =
        quantized.floatNodes().stream()
            .filter(node -> node.opType().equals("Attention"))
            .map(FloatNode::reason)
            .findFirst()
            .orElseThrow();
    assertEquals(
        mode == Mode.STATIC
            ? "its weight is not a constant"
            : "its weight is not a float32 constant",
        reason);
    assertArrayEquals(run(model), run(quantized.model()));
  }

  @ParameterizedTest
  @EnumSource(Mode.class)
  void weightThatIsNotFiniteIsRefused(Mode mode) {
    float[] weight = WEIGHT.clone();
    weight[7] = Float.NaN;
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, STEPS, CHANNELS)
            .constant("w", new long[] {CHANNELS, COLUMNS}, weight)
            .constant("b", new long[] {COLUMNS}, BIAS)
            .node("Attention", List.of("x", "w", "b"), List.of("y"), "num_heads", (long) HEADS)
            .domain(Node.MICROSOFT, "Attention")
            .output("y", -1, STEPS, HIDDEN)
            .read();
    TareException refusal =
        assertThrows(TareException.class, () -> quantize(model, cpu(mode), Form.QDQ));
    assertEquals(
        "Cannot quantize Attention(Attention_0): its constant \"w\" holds NaN",
        refusal.getMessage());
  }

  @Test
  void attentionWithoutWeightSaysSo() {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, STEPS, CHANNELS)
            .node("MultiHeadAttention", List.of("x", "x", "x"), List.of("y"), "num_heads", (long) 2)
            .domain(Node.MICROSOFT, "MultiHeadAttention")
            .output("y", -1, STEPS, CHANNELS)
            .read();
    QuantizedModel quantized = quantize(model, cpu(Mode.STATIC), Form.QDQ);
    assertEquals(
        List.of(
            new FloatNode(
                "MultiHeadAttention",
                "MultiHeadAttention_0",
                "it has no weight: it multiplies activations, in floats")),
        quantized.floatNodes());
    assertArrayEquals(run(model), run(quantized.model()));
  }

  /** ONNX's operator of the same name reads queries, keys and values; a constant is no weight. */
  @ParameterizedTest
  @EnumSource(Mode.class)
  void attentionOfOnnxIsAnother(Mode mode) {
    OnnxModel model =
        TestModel.opset(23)
            .input("x", BATCH, STEPS, CHANNELS)
            .constant(
                "k", new long[] {BATCH, STEPS, CHANNELS}, random(7, 1, BATCH * STEPS * CHANNELS))
            .node(
                "Attention",
                List.of("x", "k", "k"),
                List.of("y"),
                "q_num_heads",
                2L,
                "kv_num_heads",
                2L)
            .output("y", BATCH, STEPS, CHANNELS)
            .read();
    QuantizedModel quantized = quantize(model, cpu(mode), Form.QDQ);
    assertEquals(Set.of("Attention"), operators(quantized.model()));
    assertArrayEquals(run(model), run(quantized.model()));
    assertEquals(mode == Mode.STATIC ? 1 : 0, quantized.floatNodes().size());
  }

  static Stream<Arguments> inspected() {
    return Stream.of(
        Arguments.of(
            Mode.STATIC, Form.QDQ, "QDQ", "ONNX Runtime does not fuse the pairs around it"),
        Arguments.of(Mode.STATIC, Form.QOPERATOR, "QOperator", ""),
        Arguments.of(Mode.DYNAMIC, Form.QDQ, "dynamic", ""),
        Arguments.of(Mode.WEIGHT_ONLY, Form.QDQ, "weight-only", "only its weight is quantized"));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("inspected")
  void inspectionFindsWhatWasWritten(Mode mode, Form form, String id, String reason) {
    QuantizedModel quantized = quantize(model(Variant.MASKED), cpu(mode), form);
    ModelInspection found = ModelInspection.of(quantized.model(), Map.of());
    boolean isInteger = reason.isEmpty();
    assertEquals(
        List.of(
            new OperatorCount(
                isInteger ? "QAttention" : "Attention", isInteger ? 1 : 0, isInteger ? 0 : 1)),
        found.operators());
    assertEquals(
        isInteger ? List.of() : List.of(reason),
        found.floatNodes().stream().map(FloatNode::reason).toList());
    QuantizedTensor weight =
        found.tensors().stream().filter(t -> t.name().equals("w_q")).findFirst().orElseThrow();
    float[] scales = quantized.weights().get("w").channels().orElseThrow().scales();
    assertEquals(ModelInspection.Kind.WEIGHT, weight.kind());
    assertEquals("int8", weight.type());
    assertEquals(1, weight.axis());
    assertEquals(COLUMNS, weight.scale().count());
    assertEquals(scales.length, weight.scale().count());
    assertEquals(id, weight.form().id());
    assertEquals(mode == Mode.WEIGHT_ONLY ? 0 : 1, found.count(ModelInspection.Kind.ACTIVATION));
  }

  @ParameterizedTest
  @EnumSource(
      value = Mode.class,
      names = {"DYNAMIC", "WEIGHT_ONLY"})
  void branchesReadWeightsAroundThem(Mode mode) {
    OnnxModel model =
        constants(TestModel.opset(17).input("x", -1, STEPS, CHANNELS))
            .constant("zero", new long[0], 0f)
            .node("ReduceMax", List.of("x"), List.of("max"), "keepdims", 0L)
            .node("Greater", List.of("max", "zero"), List.of("positive"))
            .node(
                "If",
                List.of("positive"),
                List.of("y"),
                "then_branch",
                branch("t", 1),
                "else_branch",
                branch("e", 0))
            .domain(Node.MICROSOFT)
            .output("y", -1, STEPS, HIDDEN)
            .read();
    QuantizedModel quantized = quantize(model, cpu(mode), Form.QDQ);
    assertEquals(List.of(), quantized.floatNodes());
    assertFalse(quantized.model().graph().isConstant("w"), "the float weight is gone");
    assertTrue(Sqnr.of(run(model), run(quantized.model())) > 25);
  }

  private static TestModel branch(String name, long unidirectional) {
    return TestModel.opset(17)
        .node(
            "Attention",
            List.of("x", "w", "b"),
            List.of(name),
            "num_heads",
            (long) HEADS,
            "unidirectional",
            unidirectional)
        .domain(Node.MICROSOFT, "Attention")
        .output(name, -1, STEPS, HIDDEN);
  }
}
