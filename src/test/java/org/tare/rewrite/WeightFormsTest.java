package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.infer.ConstantFolding;
import org.tare.infer.StoredForms;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.Float16;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.onnx.passes.HalfToFloat;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization.Form;

/** However a weight is written down, it is quantized, and takes no more bytes than a plain one. */
class WeightFormsTest {
  private static final long HALF = ElementType.FLOAT16.code();
  private static final long FLOAT = ElementType.FLOAT32.code();

  private static QConfigMapping mapping(Mode mode, QConfigMapping.Rule... rules) {
    Backend backend = Backend.ONNXRUNTIME_CPU;
    return new QConfigMapping(mode, backend, backend.standard(mode), List.of(rules));
  }

  /** Of 11 bits, which float16 holds. */
  private static float[] numbers(int seed, int size) {
    Random random = new Random(seed);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = Math.round(256 * random.nextGaussian()) / 256f;
    }
    return values;
  }

  private static Tensor half(String name, long[] shape, float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(2 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putShort(Float16.bits(value));
    }
    return Tensor.ofBytes(name, ElementType.FLOAT16, shape, bytes.array());
  }

  private static int size(long... shape) {
    return (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
  }

  /** Ways to write down a constant. */
  enum Written {
    PLAIN,
    IDENTITIES,
    VALUE,
    HALF,
    TRANSPOSE,
    UNSQUEEZE_SQUEEZE,
    RESHAPE,
    SLICE,
    CONCAT,
    PRODUCT;

    void write(TestModel model, String name, long[] shape, float[] values) {
      String before = name + "0";
      int half = values.length / 2;
      switch (this) {
        case PLAIN -> model.constant(name, shape, values);
        case IDENTITIES ->
            model
                .constant(before, shape, values)
                .node("Identity", List.of(before), List.of(name + "_between"))
                .node("Identity", List.of(name + "_between"), List.of(name));
        case VALUE -> {
          Tensor value = Tensor.ofFloats("", shape, values);
          model.node("Constant", List.of(), List.of(name), "value", value);
        }
        case HALF ->
            model
                .initializer(half(before, shape, values))
                .node("Cast", List.of(before), List.of(name), "to", FLOAT);
        case TRANSPOSE -> {
          // The order of the axes turned round, and turned round again.
          model
              .constant(before, shape, values)
              .node("Transpose", List.of(before), List.of(name + "_between"))
              .node("Transpose", List.of(name + "_between"), List.of(name));
        }
        case UNSQUEEZE_SQUEEZE ->
            model
                .longs(name + "_axes", 0, -1)
                .constant(before, shape, values)
                .node("Unsqueeze", List.of(before, name + "_axes"), List.of(name + "_between"))
                .node("Squeeze", List.of(name + "_between", name + "_axes"), List.of(name));
        case RESHAPE ->
            model
                .node("Constant", List.of(), List.of(name + "_n"), "value_ints", shape)
                .node("Constant", List.of(), List.of(before), "value_floats", values)
                .node("Reshape", List.of(before, name + "_n"), List.of(name));
        case SLICE -> {
          float[] more = Arrays.copyOf(values, 2 * values.length);
          long[] doubled = shape.clone();
          doubled[0] *= 2;
          model
              .longs(name + "_start", 0)
              .longs(name + "_end", shape[0])
              .constant(before, doubled, more)
              .node("Slice", List.of(before, name + "_start", name + "_end"), List.of(name));
        }
        case CONCAT ->
            model
                .longs(name + "_n", shape)
                .constant(before, new long[] {half}, Arrays.copyOf(values, half))
                .constant(
                    name + "_rest",
                    new long[] {values.length - half},
                    Arrays.copyOfRange(values, half, values.length))
                .node(
                    "Concat",
                    List.of(before, name + "_rest"),
                    List.of(name + "_between"),
                    "axis",
                    0L)
                .node("Reshape", List.of(name + "_between", name + "_n"), List.of(name));
        case PRODUCT -> {
          float[] doubled = values.clone();
          for (int i = 0; i < doubled.length; i++) {
            doubled[i] *= 2;
          }
          model
              .constant(before, shape, doubled)
              .longs(name + "_rank", 1)
              .node(
                  "ConstantOfShape",
                  List.of(name + "_rank"),
                  List.of(name + "_by"),
                  "value",
                  Tensor.ofFloats("", new long[] {1}, 0.5f))
              .node("Mul", List.of(before, name + "_by"), List.of(name));
        }
      }
    }
  }

  /** Layers with weights in every place. */
  enum Layer {
    MATMUL(16, 24),
    GEMM(24, 16),
    CONV(8, 16, 3, 3),
    CONV1D(8, 16, 5),
    LSTM(1, 32, 16);

    private final long[] shape;

    Layer(long... shape) {
      this.shape = shape;
    }

    TestModel model(Written written) {
      TestModel model = TestModel.opset(this == GEMM ? 13 : 17);
      written.write(model, "w", shape, numbers(1, size(shape)));
      switch (this) {
        case MATMUL -> model.input("x", -1, 16).node("MatMul", List.of("x", "w"), List.of("y"));
        case GEMM -> {
          written.write(model, "b", new long[] {24}, numbers(2, 24));
          model.input("x", -1, 16).node("Gemm", List.of("x", "w", "b"), List.of("y"), "transB", 1L);
        }
        case CONV, CONV1D -> {
          written.write(model, "b", new long[] {8}, numbers(2, 8));
          model.input("x", this == CONV ? new long[] {-1, 16, 6, 6} : new long[] {-1, 16, 6});
          model.node("Conv", List.of("x", "w", "b"), List.of("y"));
        }
        case LSTM -> {
          written.write(model, "r", new long[] {1, 32, 8}, numbers(3, 256));
          written.write(model, "b", new long[] {1, 64}, numbers(2, 64));
          model
              .input("x", 5, -1, 16)
              .node("LSTM", List.of("x", "w", "r", "b"), List.of("y"), "hidden_size", 8L);
        }
      }
      return model.output("y");
    }

    Map<String, Values> rows() {
      long[] given =
          switch (this) {
            case MATMUL, GEMM -> new long[] {4, 16};
            case CONV -> new long[] {2, 16, 6, 6};
            case CONV1D -> new long[] {2, 16, 6};
            case LSTM -> new long[] {5, 2, 16};
          };
      return Map.of("x", new Values(given, numbers(4, size(given))));
    }
  }

  static Stream<Arguments> all() {
    List<Arguments> all = new ArrayList<>();
    for (Layer layer : Layer.values()) {
      for (Mode mode : Mode.values()) {
        all.add(Arguments.of(layer, mode, Form.QDQ));
      }
      all.add(Arguments.of(layer, Mode.STATIC, Form.QOPERATOR));
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("all")
  void isQuantizedAsAPlainOneIs(Layer layer, Mode mode, Form form) {
    QuantizedModel plain = quantize(layer, Written.PLAIN, mode, form);
    assertTrue(plain.weights().containsKey("w"), "the weight is quantized");
    int bytes = TestModel.bytes(plain.model()).length;
    float[] expected = TestModel.run(plain.model(), layer.rows()).get("y").floats();
    for (Written written : Written.values()) {
      QuantizedModel quantized = quantize(layer, written, mode, form);
      assertEquals(plain.weights().size(), quantized.weights().size(), written.toString());
      // Names may be longer by what stands before.
      assertEquals(bytes, TestModel.bytes(quantized.model()).length, 100, written.toString());
      assertArrayEquals(
          expected,
          TestModel.run(quantized.model(), layer.rows()).get("y").floats(),
          written.toString());
    }
  }

  private static QuantizedModel quantize(Layer layer, Written written, Mode mode, Form form) {
    return TestModel.quantize(layer.model(written).read(), layer.rows(), mapping(mode), form);
  }

  /** What stays float goes back to the form that took fewer bytes. */
  @ParameterizedTest
  @EnumSource(
      value = Written.class,
      names = {"PLAIN", "HALF", "IDENTITIES", "RESHAPE", "PRODUCT", "TRANSPOSE"})
  void whatStaysFloatTakesNoMoreBytes(Written written) {
    TestModel model = Layer.MATMUL.model(written);
    model
        .constant("v", new long[] {24, 24}, numbers(7, 576))
        .node("MatMul", List.of("y", "v"), List.of("z"))
        .output("z");
    OnnxModel original = model.read();
    QConfigMapping mapping =
        mapping(Mode.WEIGHT_ONLY, QConfigMapping.Rule.byName("y", QConfig.standard().asFloat()));
    OnnxModel quantized = finished(original, mapping);
    int before = TestModel.bytes(original).length;
    int after = TestModel.bytes(quantized).length;
    // The other weight's 576 values lose three bytes each.
    assertTrue(after < before - 1200, after + " bytes, of " + before);
    assertArrayEquals(
        TestModel.run(original, Layer.MATMUL.rows()).get("y").floats(),
        TestModel.run(quantized, Layer.MATMUL.rows()).get("y").floats());
  }

  private static OnnxModel finished(OnnxModel original, QConfigMapping mapping) {
    OnnxModel folded = ConstantFolding.apply(HalfToFloat.apply(original), "test");
    OnnxModel prepared =
        FloatPasses.prepare(
            folded, FloatPasses.Options.none(), model -> TensorTypes.of(model, "test"));
    OnnxModel quantized =
        Quantization.quantize(
                prepared,
                TensorTypes.of(prepared, "test"),
                mapping,
                Form.QDQ,
                Optional.empty(),
                Map.of())
            .model();
    StoredForms.restore(quantized, original, "test");
    StoredForms.restoreHalf(quantized, original);
    return quantized;
  }

  /** A table that is made of a shape is not written out. */
  @Test
  void aTableThatIsComputedStaysComputed() {
    OnnxModel original =
        TestModel.opset(13)
            .input("x", -1, 64)
            .longs("shape", 64, 64)
            .node("ConstantOfShape", List.of("shape"), List.of("ones"))
            .node("Gemm", List.of("x", "w", "ones"), List.of("y"))
            .constant("w", new long[] {64, 64}, numbers(1, 4096))
            .output("y")
            .read();
    OnnxModel quantized = finished(original, mapping(Mode.WEIGHT_ONLY));
    assertTrue(TestModel.bytes(quantized).length < 6000);
    assertTrue(
        quantized.graph().nodes().stream().anyMatch(n -> n.opType().equals("ConstantOfShape")));
  }

  /** One matrix as embedding and, transposed, as output layer. */
  @ParameterizedTest
  @EnumSource(Mode.class)
  void tiedEmbeddingsAreSmaller(Mode mode) {
    for (String tie : List.of("MatMul", "Gemm", "Gemm transB")) {
      TestModel model =
          TestModel.opset(17)
              .input("ids", ElementType.INT64, -1)
              .constant("table", new long[] {300, 16}, numbers(1, 4800))
              .node("Gather", List.of("table", "ids"), List.of("h"))
              .node("Relu", List.of("h"), List.of("r"));
      switch (tie) {
        case "MatMul" ->
            model
                .node("Transpose", List.of("table"), List.of("t"), "perm", new long[] {1, 0})
                .node("MatMul", List.of("r", "t"), List.of("y"));
        case "Gemm" ->
            model
                .node("Transpose", List.of("table"), List.of("t"))
                .node("Gemm", List.of("r", "t"), List.of("y"));
        default -> model.node("Gemm", List.of("r", "table"), List.of("y"), "transB", 1L);
      }
      OnnxModel original = model.output("y", -1, 300).read();
      OnnxModel prepared = FloatPasses.prepare(ConstantFolding.apply(original, "test"));
      // In the mode static with ranges of what the rows look up: the whole table's.
      QuantizedModel quantized =
          mode == Mode.STATIC
              ? Quantization.quantize(
                  prepared,
                  TensorTypes.of(prepared, "test"),
                  mapping(mode),
                  Form.QDQ,
                  Optional.of(
                      new org.tare.stats.CalibrationState(
                          original.digest(),
                          1,
                          new java.util.TreeMap<>(
                              Map.of(
                                  "h", org.tare.stats.TensorStats.of(numbers(1, 4800)),
                                  "r", org.tare.stats.TensorStats.of(numbers(1, 4800)))))),
                  Map.of())
              : Quantization.quantize(
                  prepared,
                  TensorTypes.of(prepared, "test"),
                  mapping(mode),
                  Form.QDQ,
                  Optional.empty(),
                  Map.of());
      int before = TestModel.bytes(original).length;
      int after = TestModel.bytes(quantized.model()).length;
      assertTrue(after < 0.75 * before, tie + ": " + after + " bytes, of " + before);
      assertTrue(
          quantized.model().graph().constants().stream()
              .noneMatch(t -> t.isFloat() && t.size() >= 4800),
          tie + ": no float copy");
    }
  }

  /** With the products in float32 inside, the types outside as they were. */
  @ParameterizedTest
  @EnumSource(Mode.class)
  void float16ModelsAreQuantized(Mode mode) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 32)
            .initializer(half("w", new long[] {32, 48}, numbers(1, 1536)))
            .initializer(half("v", new long[] {48, 16}, numbers(2, 768)))
            .initializer(half("s", new long[] {48}, numbers(3, 48)))
            .node("Cast", List.of("x"), List.of("x16"), "to", HALF)
            .node("MatMul", List.of("x16", "w"), List.of("a"))
            .node("Add", List.of("a", "s"), List.of("c"))
            .node("Relu", List.of("c"), List.of("p"))
            .node("MatMul", List.of("p", "v"), List.of("y16"))
            .node("Cast", List.of("y16"), List.of("y"), "to", FLOAT)
            .output("y", -1, 16);
    OnnxModel original = model.read();
    OnnxModel floats = HalfToFloat.apply(original);
    Map<String, Values> rows = Map.of("x", new Values(new long[] {4, 32}, numbers(4, 128)));
    OnnxModel prepared =
        FloatPasses.prepare(
            ConstantFolding.apply(floats, "test"),
            FloatPasses.Options.none(),
            one -> TensorTypes.of(one, "test"));
    assertEquals(
        List.of("MatMul", "Add", "Relu", "MatMul"),
        prepared.graph().nodes().stream().limit(4).map(Node::opType).toList());
    QuantizedModel quantized = TestModel.quantize(prepared, rows, mapping(mode));
    StoredForms.restoreHalf(quantized.model(), original);
    assertEquals(2, quantized.weights().size());
    int before = TestModel.bytes(original).length;
    int after = TestModel.bytes(quantized.model()).length;
    assertTrue(after < before, after + " bytes, of " + before);
    float[] expected = TestModel.run(original, rows).get("y").floats();
    float[] found = TestModel.run(quantized.model(), rows).get("y").floats();
    double signal = 0;
    double noise = 0;
    for (int i = 0; i < expected.length; i++) {
      signal += expected[i] * expected[i];
      noise += Math.pow(expected[i] - found[i], 2);
    }
    assertTrue(10 * Math.log10(signal / noise) > 30, "dB");
  }

  @Test
  void float16InputsAndOutputsKeepTheirTypes() {
    OnnxModel original =
        TestModel.opset(17)
            .input("x", ElementType.FLOAT16, -1, 8)
            .initializer(half("w", new long[] {8, 8}, numbers(1, 64)))
            .initializer(Tensor.ofBytes("yes", ElementType.BOOL, new long[0], new byte[] {1}))
            .node("MatMul", List.of("x", "w"), List.of("h"))
            .node(
                "If",
                List.of("yes"),
                List.of("y"),
                "then_branch",
                TestModel.opset(17)
                    .node("Neg", List.of("h"), List.of("t"))
                    .output("t", ElementType.FLOAT16, -1, 8),
                "else_branch",
                TestModel.opset(17)
                    .node("Mul", List.of("h", "two"), List.of("e"))
                    .initializer(half("two", new long[0], 2))
                    .output("e", ElementType.FLOAT16, -1, 8))
            .output("y", ElementType.FLOAT16, -1, 8)
            .read();
    OnnxModel floats = HalfToFloat.apply(original);
    Map<String, org.tare.onnx.TensorType> types = TensorTypes.of(floats, "test");
    assertEquals(ElementType.FLOAT16, types.get("x").elementType());
    assertEquals(ElementType.FLOAT16, types.get("y").elementType());
    assertEquals(ElementType.FLOAT32, types.get("h").elementType());
    assertEquals(List.of("x"), floats.graph().inputNames());
    assertEquals(List.of("y"), floats.graph().outputNames());
  }

  /**
   * Graphs inside of nodes read float16 inputs and outputs by name, and have names of their own.
   */
  @Test
  void float16InputsAreReadInsideOfNodes() {
    OnnxModel original =
        TestModel.opset(17)
            .input("x", ElementType.FLOAT16, -1, 8)
            .initializer(half("w", new long[] {8, 8}, numbers(1, 64)))
            .initializer(Tensor.ofBytes("yes", ElementType.BOOL, new long[0], new byte[] {1}))
            .node("MatMul", List.of("x", "w"), List.of("p"))
            .node(
                "If",
                List.of("yes"),
                List.of("y"),
                "then_branch",
                TestModel.opset(17)
                    .node("Sub", List.of("p", "x"), List.of("t"))
                    .output("t", ElementType.FLOAT16, -1, 8),
                "else_branch",
                TestModel.opset(17)
                    .node("Add", List.of("p", "x"), List.of("e"))
                    .output("e", ElementType.FLOAT16, -1, 8))
            .output("p", ElementType.FLOAT16, -1, 8)
            .output("y", ElementType.FLOAT16, -1, 8)
            .read();
    OnnxModel floats = HalfToFloat.apply(original);
    Map<String, org.tare.onnx.TensorType> types = TensorTypes.of(floats, "test");
    assertEquals(ElementType.FLOAT16, types.get("x").elementType());
    assertEquals(ElementType.FLOAT16, types.get("p").elementType());
    assertEquals(
        ElementType.FLOAT32, types.get(floats.graph().producers().get("p").input(0)).elementType());
    QuantizedModel quantized =
        Quantization.quantize(
            floats,
            types,
            mapping(Mode.WEIGHT_ONLY),
            Quantization.Form.QDQ,
            Optional.empty(),
            Map.of());
    assertEquals(1, quantized.weights().size());
  }

  /** No sum of integers can saturate: all bits, whatever is said of products. */
  @ParameterizedTest
  @EnumSource(Mode.class)
  void whatIsOnlyDequantizedHasAllBits(Mode mode) {
    QConfig standard = Backend.ONNXRUNTIME_CPU.standard(mode);
    QConfig reduced =
        new QConfig(true, standard.activation(), standard.weight(), true)
            .withProducts(standard.products());
    OnnxModel model =
        TestModel.opset(17)
            .input("ids", ElementType.INT64, 5, -1)
            .constant("table", new long[] {100, 16}, numbers(1, 1600))
            .constant("w", new long[] {1, 24, 16}, numbers(2, 384))
            .constant("r", new long[] {1, 24, 8}, numbers(3, 192))
            .node("Gather", List.of("table", "ids"), List.of("h"))
            .node("GRU", List.of("h", "w", "r"), List.of("y"), "hidden_size", 8L)
            .output("y")
            .read();
    OnnxModel quantized =
        finished(
            model,
            new QConfigMapping(
                mode,
                Backend.ONNXRUNTIME_CPU,
                reduced,
                // GRUs have integers where they are named.
                List.of(QConfigMapping.Rule.byName("y", reduced))));
    List<Tensor> integers =
        quantized.graph().constants().stream()
            .filter(tensor -> tensor.type() == ElementType.INT8 && tensor.size() > 100)
            .toList();
    assertEquals(3, integers.size());
    for (Tensor tensor : integers) {
      double largest = Arrays.stream(tensor.numbers()).map(Math::abs).max().orElseThrow();
      assertEquals(127, largest, tensor.name());
    }
  }

  /** Exporters write paths of a hundred characters, and a pair of quantizers ten names. */
  @ParameterizedTest
  @EnumSource(Mode.class)
  void longNamesAreNotRepeated(Mode mode) {
    String path = "/model/encoder/layers/with/a/path/of/a/hundred/characters/in/all/more/or/less/";
    int[] sizes = new int[2];
    for (int i = 0; i < 2; i++) {
      String prefix = i == 0 ? "" : path;
      TestModel model = TestModel.opset(17).input("x", -1, 32);
      String tensor = "x";
      for (int layer = 0; layer < 4; layer++) {
        String w = prefix + layer + "/weight";
        String next = layer == 3 ? "y" : prefix + layer + "/MatMul_output_0";
        model
            .constant(w, new long[] {32, 32}, numbers(layer, 1024))
            .node("MatMul", List.of(tensor, w), List.of(next));
        tensor = next;
      }
      OnnxModel read = model.output("y", -1, 32).read();
      Map<String, Values> rows = Map.of("x", new Values(new long[] {4, 32}, numbers(4, 128)));
      sizes[i] = TestModel.bytes(TestModel.quantize(read, rows, mapping(mode)).model()).length;
    }
    // What the model itself says twice, and as much again: not a tenfold.
    assertTrue(sizes[1] - sizes[0] < 4 * 6 * path.length(), sizes[1] + " after " + sizes[0]);
  }
}
