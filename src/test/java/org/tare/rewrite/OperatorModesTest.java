package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxChecker;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.ActivationQParams;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.BlockQParams;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.quant.WeightQuantizer;
import org.tare.range.RangeMethod;
import org.tare.rewrite.Quantization.Form;
import org.tare.stats.Samples;

/**
 * Models of one weighted operator in each mode and form, against the float model. With min-max
 * ranges nothing is clipped, so rounding bounds the error of each sum:
 *
 * <pre>
 *   |dy| <= sum(|w| sx/2 + |x| sw/2 + sx sw/4) + sb/2 + sy/2
 * </pre>
 *
 * where the sum is the operator itself, of |x| + sx/2 and |w| + sw/2 less that of |x| and |w|.
 */
class OperatorModesTest {
  /** Float32 sums of some hundred terms, in another order. */
  private static final double ROUNDING = 1e-4;

  private static final String DYNAMIC_PRODUCT = "DynamicQuantizeMatMul";

  @TempDir private Path folder;

  /** One operator of x, w and perhaps b. */
  private record Case(
      String name, String op, long[] x, long[] w, long[] bias, Object... attributes) {
    @Override
    public String toString() {
      return name;
    }

    TestModel model(float[] weight, boolean withBias) {
      long[] free = x.clone();
      free[0] = -1;
      List<String> inputs = new ArrayList<>(List.of("x", "w"));
      TestModel model = TestModel.opset(17).input("x", free).constant("w", w, weight);
      if (withBias && bias.length > 0) {
        model.constant("b", bias, random(3, bias));
        inputs.add("b");
      }
      return model.node(op, inputs, List.of("y"), attributes).output("y", unknown(rank()));
    }

    int rank() {
      return x.length;
    }

    private static long[] unknown(int rank) {
      long[] shape = new long[rank];
      Arrays.fill(shape, -1);
      return shape;
    }
  }

  private static final Case MATMUL =
      new Case("MatMul", "MatMul", new long[] {3, 5, 24}, new long[] {24, 7}, new long[0]);

  private static final List<Case> CASES =
      List.of(
          MATMUL,
          new Case("Gemm", "Gemm", new long[] {5, 24}, new long[] {24, 7}, new long[] {7}),
          new Case(
              "Gemm with transB, alpha and beta",
              "Gemm",
              new long[] {5, 24},
              new long[] {7, 24},
              new long[] {7},
              "transB",
              1L,
              "alpha",
              0.5f,
              "beta",
              -2f),
          new Case(
              "Conv of one axis",
              "Conv",
              new long[] {2, 4, 11},
              new long[] {6, 4, 3},
              new long[] {6},
              "pads",
              new long[] {1, 2},
              "strides",
              new long[] {2}),
          new Case(
              "Conv of two axes",
              "Conv",
              new long[] {2, 4, 9, 8},
              new long[] {5, 4, 3, 2},
              new long[0],
              "pads",
              new long[] {1, 0, 2, 1},
              "strides",
              new long[] {2, 1}),
          new Case(
              "Conv in groups",
              "Conv",
              new long[] {2, 6, 7, 7},
              new long[] {6, 2, 3, 3},
              new long[] {6},
              "group",
              3L,
              "pads",
              new long[] {1, 1, 1, 1}),
          new Case(
              "Conv depthwise",
              "Conv",
              new long[] {2, 8, 7, 7},
              new long[] {8, 1, 3, 3},
              new long[] {8},
              "group",
              8L),
          new Case(
              "ConvTranspose",
              "ConvTranspose",
              new long[] {2, 4, 5, 5},
              new long[] {4, 3, 2, 2},
              new long[] {3},
              "strides",
              new long[] {2, 2}),
          new Case(
              "ConvTranspose in groups",
              "ConvTranspose",
              new long[] {2, 4, 5, 5},
              new long[] {4, 3, 2, 2},
              new long[] {6},
              "group",
              2L));

  private static float[] random(int seed, long... shape) {
    return Samples.normal(new Random(seed), (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b));
  }

  private static QConfigMapping mapping(Mode mode, Backend backend) {
    QConfig standard = backend.standard(mode);
    TensorQConfig activation = standard.activation();
    return new QConfigMapping(
        mode,
        backend,
        new QConfig(
            true,
            new TensorQConfig(new RangeMethod.MinMax(), activation.dtype(), activation.scheme()),
            standard.weight(),
            false),
        List.of());
  }

  private static QConfigMapping blocks(DType dtype, int block) {
    QConfig standard = Backend.ONNXRUNTIME_CPU.standard(Mode.WEIGHT_ONLY);
    QScheme scheme =
        dtype == DType.UINT4 ? QScheme.PER_CHANNEL_AFFINE : QScheme.PER_CHANNEL_SYMMETRIC;
    return new QConfigMapping(
        Mode.WEIGHT_ONLY,
        Backend.ONNXRUNTIME_CPU,
        new QConfig(
            true,
            standard.activation(),
            new TensorQConfig(new RangeMethod.MinMax(), dtype, scheme, block),
            false),
        List.of());
  }

  static Stream<Arguments> modes() {
    return CASES.stream()
        .flatMap(
            one ->
                Stream.of(
                    Arguments.of(one, mapping(Mode.STATIC, Backend.ONNXRUNTIME_CPU), Form.QDQ),
                    Arguments.of(one, mapping(Mode.STATIC, Backend.ONEDNN), Form.QDQ),
                    Arguments.of(one, mapping(Mode.STATIC, Backend.TENSORRT), Form.QDQ),
                    Arguments.of(
                        one, mapping(Mode.STATIC, Backend.ONNXRUNTIME_CPU), Form.QOPERATOR),
                    Arguments.of(one, mapping(Mode.STATIC, Backend.ONEDNN), Form.QOPERATOR),
                    Arguments.of(one, mapping(Mode.DYNAMIC, Backend.ONNXRUNTIME_CPU), Form.QDQ),
                    Arguments.of(
                        one, mapping(Mode.WEIGHT_ONLY, Backend.ONNXRUNTIME_CPU), Form.QDQ)));
  }

  @ParameterizedTest(name = "{0} {1} {2}")
  @MethodSource("modes")
  void errorIsThatOfRounding(Case one, QConfigMapping mapping, Form form) {
    Values x = new Values(one.x(), random(2, one.x()));
    OnnxModel model = one.model(random(1, one.w()), true).read();
    QuantizedModel quantized = TestModel.quantize(model, Map.of("x", x), mapping, form);
    check(quantized.model());
    assertWithin(one, model, quantized, x, mapping.mode());
    Set<String> kernels = kernels(quantized.model());
    String expected = expectedKernel(one.op(), mapping);
    assertTrue(expected.isEmpty() || kernels.contains(expected), kernels + " lack " + expected);
    if (form == Form.QOPERATOR && !expected.isEmpty()) {
      Set<String> written = operators(quantized.model());
      assertTrue(written.contains(expected), written + " lack " + expected);
    }
  }

  /** What ONNX Runtime's CPU provider makes of it; empty where no integer kernel is promised. */
  private static String expectedKernel(String op, QConfigMapping mapping) {
    boolean isUnsigned = mapping.backend() != Backend.TENSORRT;
    if (op.equals("ConvTranspose") || mapping.mode() == Mode.WEIGHT_ONLY || !isUnsigned) {
      return "";
    }
    boolean isDynamic = mapping.mode() == Mode.DYNAMIC;
    return switch (op) {
      case "Conv" -> isDynamic ? "ConvInteger" : "QLinearConv";
      case "Gemm" -> isDynamic ? DYNAMIC_PRODUCT : "QGemm";
      default -> isDynamic ? DYNAMIC_PRODUCT : "MatMulIntegerToFloat";
    };
  }

  static Stream<Arguments> blockModes() {
    return Stream.of(DType.UINT4, DType.INT4)
        .flatMap(
            dtype ->
                Stream.of(16, 32, 64, 128)
                    .flatMap(
                        block ->
                            Stream.of(128, 100, 7)
                                .flatMap(
                                    rows ->
                                        Stream.of(Form.values())
                                            .map(f -> Arguments.of(dtype, block, rows, f)))));
  }

  @ParameterizedTest(name = "{0} in blocks of {1} of {2} rows, {3}")
  @MethodSource("blockModes")
  void fourBitsAreRoundedInBlocks(DType dtype, int block, int rows, Form form) {
    Case one =
        new Case("MatMul", "MatMul", new long[] {5, rows}, new long[] {rows, 9}, new long[0]);
    Values x = new Values(one.x(), random(2, one.x()));
    OnnxModel model = one.model(random(1, one.w()), true).read();
    QuantizedModel quantized =
        TestModel.quantize(model, Map.of("x", x), blocks(dtype, block), form);
    check(quantized.model());
    assertWithin(one, model, quantized, x, Mode.WEIGHT_ONLY);
    Set<String> written = operators(quantized.model());
    assertEquals(
        form == Form.QDQ ? Set.of("DequantizeLinear", "MatMul") : Set.of("MatMulNBits"), written);
    assertEquals(form == Form.QDQ ? 21 : 17, quantized.model().opset());
  }

  private static void assertWithin(
      Case one, OnnxModel model, QuantizedModel quantized, Values x, Mode mode) {
    double inputStep =
        switch (mode) {
          case STATIC -> quantized.activations().get("x").qparams().scale();
          case DYNAMIC -> range(x.floats()) / 255;
          case WEIGHT_ONLY -> 0;
        };
    boolean isFolded = quantized.weights().containsKey("w_alpha");
    QuantizedWeight weight = quantized.weights().get(isFolded ? "w_alpha" : "w");
    float[] values = random(1, one.w());
    // Scales of a weight that alpha was folded into are those of the product.
    float unfold = isFolded ? 2 : 1;
    float[] magnitudes = new float[values.length];
    float[] wider = new float[values.length];
    double weightStep = 0;
    for (int i = 0; i < values.length; i++) {
      double step = unfold * step(weight, one.w(), i);
      weightStep = Math.max(weightStep, step);
      magnitudes[i] = Math.abs(values[i]);
      wider[i] = (float) (magnitudes[i] + step / 2);
    }
    float[] least = new float[x.floats().length];
    float[] most = new float[least.length];
    for (int i = 0; i < least.length; i++) {
      least[i] = Math.abs(x.floats()[i]);
      most[i] = (float) (least[i] + inputStep / 2);
    }
    float[] inner = run(one.model(magnitudes, false).read(), new Values(x.shape(), least));
    float[] outer = run(one.model(wider, false).read(), new Values(x.shape(), most));
    ActivationQParams output = quantized.activations().get("y");
    double outputStep = output == null ? 0 : output.qparams().scale();
    double biasStep = one.bias().length > 0 ? inputStep * weightStep : 0;
    float[] expected = run(model, x);
    float[] actual = run(quantized.model(), x);
    for (int i = 0; i < expected.length; i++) {
      double bound =
          (outer[i] - inner[i] + (biasStep + outputStep) / 2) * (1 + ROUNDING)
              + ROUNDING * Math.max(1, outer[i]);
      double error = Math.abs(expected[i] - actual[i]);
      assertTrue(error <= bound, error + " of at most " + bound + " at " + i);
    }
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

  private static double step(QuantizedWeight weight, long[] shape, int index) {
    if (weight.blocks().isPresent()) {
      BlockQParams blocks = weight.blocks().get();
      int columns = (int) shape[1];
      int block = index / columns / blocks.block();
      return blocks.scales()[index % columns * blocks.blocks() + block];
    }
    ChannelQParams channels = weight.channels().orElseThrow();
    if (!channels.isPerChannel()) {
      return channels.scales()[0];
    }
    // A transposed copy has its channels along the other axis of the same length.
    int axis = channels.axis();
    if (shape[axis] != channels.scales().length) {
      axis = 1 - axis;
    }
    int inner = WeightQuantizer.inner(shape, axis);
    return channels.scales()[index / inner % channels.scales().length];
  }

  private static float[] run(OnnxModel model, Values x) {
    return TestModel.run(model, Map.of("x", x)).get("y").floats();
  }

  private static Set<String> operators(OnnxModel model) {
    return model.graph().nodes().stream().map(Node::opType).collect(Collectors.toSet());
  }

  /** ONNX's checker, which takes operator set 21 and knows no operator of com.microsoft. */
  private static void check(OnnxModel model) {
    if (hasOnlyStandard(model.graph())) {
      OnnxChecker.check(TestModel.bytes(model));
    }
  }

  private static boolean hasOnlyStandard(Graph graph) {
    AtomicBoolean isStandard = new AtomicBoolean(graph.nodes().stream().allMatch(Node::isStandard));
    graph.editSubgraphs(
        inner -> {
          if (!hasOnlyStandard(inner)) {
            isStandard.set(false);
          }
        });
    return isStandard.get();
  }

  /** The operators of the graph that ONNX Runtime runs once it has fused what it can. */
  private Set<String> kernels(OnnxModel model) {
    Path written = folder.resolve("model.onnx");
    Path optimized = folder.resolve("optimized.onnx");
    model.write(written);
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.EXTENDED_OPT);
      options.setOptimizedModelFilePath(optimized.toString());
      OrtEnvironment.getEnvironment().createSession(written.toString(), options).close();
      Set<String> operators = operators(OnnxModel.read(optimized));
      Files.delete(optimized);
      return operators;
    } catch (OrtException | IOException e) {
      throw new IllegalStateException(e);
    }
  }

  static Stream<Arguments> recurrent() {
    return Stream.of("LSTM", "GRU", "RNN")
        .flatMap(
            op ->
                Stream.of(Mode.values())
                    .flatMap(
                        mode ->
                            Stream.of("forward", "bidirectional")
                                .map(direction -> Arguments.of(op, mode, direction))));
  }

  private static final int STEPS = 3;
  private static final int HIDDEN = 6;
  private static final int INPUTS = 5;

  /**
   * The error of the sums in the gates, carried through the steps: sigmoid is 1/4-Lipschitz, tanh
   * is 1-Lipschitz, states lie in [-1, 1] after the first step.
   */
  @ParameterizedTest(name = "{0} {1} {2}")
  @MethodSource("recurrent")
  void recurrentErrorIsThatOfRounding(String op, Mode mode, String direction) {
    int gates = op.equals("LSTM") ? 4 : op.equals("GRU") ? 3 : 1;
    long directions = direction.equals("forward") ? 1 : 2;
    float[] w = scaled(random(1, directions, gates * HIDDEN, INPUTS), 0.2f);
    float[] r = scaled(random(2, directions, gates * HIDDEN, HIDDEN), 0.2f);
    List<String> inputs = new ArrayList<>(List.of("x", "w", "r", "b", "", "h0"));
    TestModel test =
        TestModel.opset(17)
            .input("x", -1, 2, INPUTS)
            .constant("w", new long[] {directions, gates * HIDDEN, INPUTS}, w)
            .constant("r", new long[] {directions, gates * HIDDEN, HIDDEN}, r)
            .constant(
                "b",
                new long[] {directions, 2L * gates * HIDDEN},
                random(3, directions, 2L * gates * HIDDEN))
            .constant(
                "h0",
                new long[] {directions, 2, HIDDEN},
                scaled(random(4, directions, 2, HIDDEN), 0.2f));
    if (op.equals("LSTM")) {
      test.constant("c0", new long[] {directions, 2, HIDDEN}, random(5, directions, 2, HIDDEN));
      inputs.add("c0");
    }
    OnnxModel model =
        test.node(op, inputs, List.of("y"), "hidden_size", (long) HIDDEN, "direction", direction)
            .output("y", -1, directions, 2, HIDDEN)
            .read();
    Values x = new Values(new long[] {STEPS, 2, INPUTS}, random(6, STEPS, 2, INPUTS));
    QuantizedModel quantized =
        TestModel.quantize(model, Map.of("x", x), asking(op, mode), Form.QDQ);
    check(quantized.model());
    boolean isInteger = mode != Mode.WEIGHT_ONLY && op.equals("LSTM");
    assertEquals(isInteger, kernels(quantized.model()).contains("DynamicQuantizeLSTM"));
    double bound = recurrentBound(op, quantized, w, r, x.floats(), isInteger);
    float[] expected = run(model, x);
    float[] actual = run(quantized.model(), x);
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i] - actual[i]));
    }
    assertTrue(largest > 0 && largest <= bound, largest + " of at most " + bound);
  }

  /** With an override that names the operator. */
  private static QConfigMapping asking(String op, Mode mode) {
    QConfigMapping standard = mapping(mode, Backend.ONNXRUNTIME_CPU);
    return new QConfigMapping(
        mode,
        Backend.ONNXRUNTIME_CPU,
        standard.standard(),
        List.of(new QConfigMapping.Rule(QConfigMapping.By.OPERATOR, op, standard.standard())));
  }

  /** Stored as integers alone they are slower: only who asks for a smaller file gets them. */
  @ParameterizedTest
  @CsvSource({
    "GRU, STATIC, false",
    "GRU, DYNAMIC, false",
    "GRU, WEIGHT_ONLY, true",
    "RNN, DYNAMIC, false",
    "LSTM, DYNAMIC, true"
  })
  void recurrentLayersWithoutAnIntegerKernelStayFloat(String op, Mode mode, boolean isQuantized) {
    int gates = op.equals("LSTM") ? 4 : op.equals("GRU") ? 3 : 1;
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 2, INPUTS)
            .constant(
                "w", new long[] {1, gates * HIDDEN, INPUTS}, random(1, 1L, gates * HIDDEN, INPUTS))
            .constant(
                "r", new long[] {1, gates * HIDDEN, HIDDEN}, random(2, 1L, gates * HIDDEN, HIDDEN))
            .node(op, List.of("x", "w", "r"), List.of("y"), "hidden_size", (long) HIDDEN)
            .output("y", -1, 1, 2, HIDDEN)
            .read();
    Map<String, Values> x =
        Map.of("x", new Values(new long[] {STEPS, 2, INPUTS}, random(6, STEPS, 2, INPUTS)));
    QuantizedModel quantized =
        TestModel.quantize(model, x, mapping(mode, Backend.ONNXRUNTIME_CPU), Form.QDQ);
    assertEquals(isQuantized, quantized.weights().containsKey("w"));
    if (!isQuantized) {
      assertEquals(
          "it has no integer kernel, and with stored integers it is slower: name it in"
              + " quantize.overrides for a smaller file",
          quantized.floatNodes().get(0).reason());
    }
    assertEquals(isQuantized, quantized.floatNodes().isEmpty());
  }

  private static float[] scaled(float[] values, float factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return values;
  }

  private static double greatest(float[] values) {
    double greatest = 0;
    for (float value : values) {
      greatest = Math.max(greatest, Math.abs(value));
    }
    return greatest;
  }

  private static double scale(QuantizedModel model, String weight) {
    return greatest(model.weights().get(weight).channels().orElseThrow().scales());
  }

  private static double recurrentBound(
      String op, QuantizedModel model, float[] w, float[] r, float[] x, boolean isInteger) {
    double sx = isInteger ? range(x) / 255 : 0;
    double sh = isInteger ? 2.0 / 255 : 0;
    double sw = scale(model, "w");
    double sr = scale(model, "r");
    double spread = HIDDEN * greatest(r);
    double own =
        INPUTS * (greatest(w) * sx / 2 + greatest(x) * sw / 2 + sx * sw / 4)
            + HIDDEN * (greatest(r) * sh / 2 + sr / 2 + sh * sr / 4);
    double dh = 0;
    double dc = 0;
    double c = greatest(random(5, 2, 2, HIDDEN));
    for (int step = 0; step < STEPS; step++) {
      double gate = own + (spread + HIDDEN * sr / 2) * dh;
      switch (op) {
        case "LSTM" -> {
          dc = c * gate / 4 + dc + gate / 4 + gate;
          c += 1;
          dh = gate / 4 + dc;
        }
        case "GRU" -> dh = gate + spread * gate / 4 + gate / 2 + dh;
        default -> dh = gate;
      }
    }
    return dh;
  }

  /** How the weights of a branch are held. */
  private enum Held {
    CONSTANT_NODES,
    OUTER,
    SAME_NAMES
  }

  static Stream<Arguments> branches() {
    return Stream.of(Held.values())
        .flatMap(
            held ->
                Stream.of(
                    Arguments.of(held, mapping(Mode.STATIC, Backend.ONNXRUNTIME_CPU), Form.QDQ),
                    Arguments.of(
                        held, mapping(Mode.STATIC, Backend.ONNXRUNTIME_CPU), Form.QOPERATOR),
                    Arguments.of(held, mapping(Mode.DYNAMIC, Backend.ONNXRUNTIME_CPU), Form.QDQ),
                    Arguments.of(
                        held, mapping(Mode.WEIGHT_ONLY, Backend.ONNXRUNTIME_CPU), Form.QDQ),
                    Arguments.of(held, blocks(DType.UINT4, 16), Form.QDQ),
                    Arguments.of(held, blocks(DType.UINT4, 16), Form.QOPERATOR)));
  }

  /** x [1, 2, 16] through a product, a convolution and a long short-term memory. */
  private static TestModel branch(String name, Held held, int seed, int sign) {
    TestModel branch = TestModel.opset(17);
    String prefix = held == Held.SAME_NAMES ? "same_" : name;
    if (held != Held.OUTER) {
      weights(branch, prefix, held, seed, sign);
    } else {
      prefix = "";
    }
    return branch
        .node("MatMul", List.of("x", prefix + "m"), List.of(name + "1"))
        .node(
            "Conv",
            List.of(name + "1", prefix + "k"),
            List.of(name + "2"),
            "pads",
            new long[] {1, 1})
        .node(
            "LSTM",
            List.of(name + "2", prefix + "w", prefix + "r"),
            List.of(name + "3"),
            "hidden_size",
            4L)
        .node("Neg", List.of(name + "3"), List.of(name + "4"))
        .output(held == Held.OUTER && sign < 0 ? name + "4" : name + "3", 1, 1, 2, 4);
  }

  private static void weights(TestModel model, String prefix, Held held, int seed, int sign) {
    weight(model, prefix + "m", held, scaled(random(seed, 16, 16), 0.2f * sign), 16, 16);
    weight(model, prefix + "k", held, scaled(random(seed + 1, 2, 2, 3), 0.5f), 2, 2, 3);
    weight(model, prefix + "w", held, scaled(random(seed + 2, 1, 16, 16), 0.3f), 1, 16, 16);
    weight(model, prefix + "r", held, scaled(random(seed + 3, 1, 16, 4), 0.3f), 1, 16, 4);
  }

  private static void weight(
      TestModel model, String name, Held held, float[] values, long... shape) {
    if (held == Held.CONSTANT_NODES) {
      model.node("Constant", List.of(), List.of(name), "value", Tensor.ofFloats("", shape, values));
    } else {
      model.constant(name, shape, values);
    }
  }

  /** A wrong weight, the other branch's, say, is off by the whole signal; rounding by a part. */
  @ParameterizedTest(name = "{0} {1} {2}")
  @MethodSource("branches")
  void branchesKeepTheirWeights(Held held, QConfigMapping mapping, Form form) {
    TestModel test =
        TestModel.opset(17)
            .input("x", 1, 2, 16)
            .constant("zero", new long[0], 0f)
            .node("ReduceMax", List.of("x"), List.of("max"), "keepdims", 0L)
            .node("Greater", List.of("max", "zero"), List.of("positive"));
    if (held == Held.OUTER) {
      weights(test, "", held, 1, 1);
    }
    OnnxModel model =
        test.node(
                "If",
                List.of("positive"),
                List.of("y"),
                "then_branch",
                branch("t", held, 1, 1),
                "else_branch",
                branch("e", held, 5, -1))
            .output("y", 1, 1, 2, 4)
            .read();
    float[] values = random(9, 1, 2, 16);
    QuantizedModel quantized =
        TestModel.quantize(
            model, Map.of("x", new Values(new long[] {1, 2, 16}, values)), mapping, form);
    check(quantized.model());
    assertEquals(
        List.of(),
        quantized.floatNodes().stream()
            .filter(node -> Set.of("MatMul", "Conv", "LSTM").contains(node.opType()))
            .toList(),
        "every weighted node of both branches is quantized");
    for (int sign : new int[] {1, -1}) {
      for (int i = 0; i < values.length; i++) {
        values[i] = sign * Math.abs(values[i]);
      }
      Values x = new Values(new long[] {1, 2, 16}, values);
      assertAlike(run(model, x), run(quantized.model(), x), mapping);
    }
  }

  private static void assertAlike(float[] expected, float[] actual, QConfigMapping mapping) {
    double signal = 0;
    double noise = 0;
    for (int i = 0; i < expected.length; i++) {
      signal += expected[i] * expected[i];
      noise += (expected[i] - actual[i]) * (expected[i] - actual[i]);
    }
    double sqnr = 10 * Math.log10(signal / noise);
    double least = mapping.standard().weight().block() > 0 ? 10 : 25;
    assertTrue(sqnr > least, "SQNR " + sqnr + " dB");
  }

  static Stream<Arguments> loops() {
    return branches().filter(arguments -> arguments.get()[0] != Held.SAME_NAMES);
  }

  @ParameterizedTest(name = "{0} {1} {2}")
  @MethodSource("loops")
  void loopMultipliesByTheSameWeight(Held held, QConfigMapping mapping, Form form) {
    TestModel body =
        TestModel.opset(17)
            .input("i", ElementType.INT64)
            .input("go", ElementType.BOOL)
            .input("state", 2, 16);
    TestModel test =
        TestModel.opset(17)
            .input("x", 2, 16)
            .initializer(Tensor.ofLongs("three", new long[0], 3))
            .initializer(Tensor.ofBytes("yes", ElementType.BOOL, new long[0], new byte[] {1}));
    weight(held == Held.OUTER ? test : body, "m", held, scaled(random(1, 16, 16), 0.3f), 16, 16);
    body.node("Identity", List.of("go"), List.of("on"))
        .node("MatMul", List.of("state", "m"), List.of("next"))
        .output("on", ElementType.BOOL)
        .output("next", 2, 16);
    OnnxModel model =
        test.node("Loop", List.of("three", "yes", "x"), List.of("y"), "body", body)
            .output("y", 2, 16)
            .read();
    Values x = new Values(new long[] {2, 16}, random(2, 2, 16));
    QuantizedModel quantized = TestModel.quantize(model, Map.of("x", x), mapping, form);
    check(quantized.model());
    assertTrue(quantized.weights().containsKey("m"));
    assertAlike(run(model, x), run(quantized.model(), x), mapping);
  }
}
