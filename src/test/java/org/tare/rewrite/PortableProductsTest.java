package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.opentest4j.AssertionFailedError;
import org.tare.inspect.ModelInspection;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.IntegerSums;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.qconfig.WeightProducts;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.rewrite.Quantization.Form;
import org.tare.rewrite.WrittenProducts.Product;
import org.tare.stats.Samples;

/**
 * Written models in integer arithmetic, once exact and once as kernels without VNNI have it: two
 * neighbouring products are added in 16 bits, which saturate.
 */
class PortableProductsTest {
  private static float[] random(int seed, long... shape) {
    return Samples.normal(new Random(seed), (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b));
  }

  /** Weights of one sign saturate the most. */
  private static float[] positive(int seed, long... shape) {
    float[] values = random(seed, shape);
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.abs(values[i]);
    }
    return values;
  }

  private record Net(String name, Form form, Mode mode, TestModel model, Map<String, Values> x) {
    @Override
    public String toString() {
      return name + " " + mode + " " + form;
    }

    OnnxModel quantize(QConfig config) {
      return TestModel.quantize(
              model.read(), x, new QConfigMapping(mode, Backend.ONEDNN, config, List.of()), form)
          .model();
    }
  }

  private static List<Net> nets() {
    Values image = new Values(new long[] {2, 8, 7, 7}, random(5, 2, 8, 7, 7));
    TestModel conv =
        TestModel.opset(17)
            .input("x", -1, 8, 7, 7)
            .constant("w1", new long[] {8, 8, 3, 3}, positive(1, 8, 8, 3, 3))
            .node("Conv", List.of("x", "w1"), List.of("a"))
            .constant("w2", new long[] {8, 1, 3, 3}, positive(2, 8, 1, 3, 3))
            .node("Conv", List.of("a", "w2"), List.of("d"), "group", 8L)
            .constant("w3", new long[] {6, 4, 2, 1}, positive(3, 6, 4, 2, 1))
            .node("Conv", List.of("d", "w3"), List.of("g"), "group", 2L)
            .node("Flatten", List.of("g"), List.of("f"))
            .constant("w4", new long[] {5, 36}, positive(4, 5, 36))
            .node("Gemm", List.of("f", "w4"), List.of("h"), "transB", 1L)
            .node("Identity", List.of("h"), List.of("y"))
            .output("y", -1, 5);
    Values rows = new Values(new long[] {3, 24}, random(6, 3, 24));
    TestModel product =
        TestModel.opset(17)
            .input("x", -1, 24)
            .constant("w", new long[] {24, 7}, positive(7, 24, 7))
            .node("MatMul", List.of("x", "w"), List.of("y"))
            .output("y", -1, 7);
    Values steps = new Values(new long[] {3, 2, 6}, random(8, 3, 2, 6));
    TestModel lstm =
        TestModel.opset(17)
            .input("x", 3, 2, 6)
            .constant("w", new long[] {1, 16, 6}, positive(9, 1, 16, 6))
            .constant("r", new long[] {1, 16, 4}, positive(10, 1, 16, 4))
            .node("LSTM", List.of("x", "w", "r"), List.of("y"), "hidden_size", 4L)
            .output("y", -1, -1, -1, -1);
    List<Net> nets = new ArrayList<>();
    for (Form form : Form.values()) {
      nets.add(new Net("convolutions", form, Mode.STATIC, conv, Map.of("x", image)));
      nets.add(new Net("product", form, Mode.STATIC, product, Map.of("x", rows)));
    }
    nets.add(new Net("product", Form.QDQ, Mode.DYNAMIC, product, Map.of("x", rows)));
    nets.add(new Net("lstm", Form.QDQ, Mode.DYNAMIC, lstm, Map.of("x", steps)));
    nets.add(new Net("lstm", Form.QDQ, Mode.STATIC, lstm, Map.of("x", steps)));
    return nets;
  }

  static Stream<Arguments> configurations() {
    List<Arguments> all = new ArrayList<>();
    for (Net net : nets()) {
      for (QScheme scheme :
          new QScheme[] {QScheme.PER_CHANNEL_SYMMETRIC, QScheme.PER_TENSOR_SYMMETRIC}) {
        for (boolean sums : new boolean[] {false, true}) {
          all.add(Arguments.of(net, scheme, sums));
        }
      }
    }
    return all.stream();
  }

  private static QConfig config(QScheme scheme, boolean sums, WeightProducts products) {
    return new QConfig(
        true,
        new TensorQConfig(new RangeMethod.MinMax(), DType.UINT8, QScheme.PER_TENSOR_AFFINE),
        new TensorQConfig(new RangeMethod.MinMax(), DType.INT8, scheme),
        false,
        false,
        sums,
        products);
  }

  /** The sum of a column's products with integers of the input. */
  private static int exact(int[] x, int[] column) {
    int sum = 0;
    for (int k = 0; k < column.length; k++) {
      sum += x[k] * column[k];
    }
    return sum;
  }

  /** The same where two products are added in 16 bits. */
  private static int saturating(int[] x, int[] column) {
    int sum = 0;
    for (int k = 0; k < column.length; k += 2) {
      int second = k + 1 < column.length ? x[k + 1] * column[k + 1] : 0;
      int pair = x[k] * column[k] + second;
      sum += Math.max(Short.MIN_VALUE, Math.min(Short.MAX_VALUE, pair));
    }
    return sum;
  }

  /** Inputs that drive every pair of a column to its ends, and random ones. */
  private static List<int[]> inputs(int[] column, int most, Random random) {
    int[] up = new int[column.length];
    int[] down = new int[column.length];
    int[] all = new int[column.length];
    int[] any = new int[column.length];
    for (int k = 0; k < column.length; k++) {
      up[k] = column[k] > 0 ? most : 0;
      down[k] = column[k] < 0 ? most : 0;
      all[k] = most;
      any[k] = random.nextInt(most + 1);
    }
    return List.of(up, down, all, any);
  }

  /** How many sums differ between the two ways of adding. */
  private static int differing(OnnxModel model) {
    Random random = new Random(11);
    int differing = 0;
    for (Product product : WrittenProducts.of(model)) {
      for (int[] column : product.columns()) {
        for (int[] x : inputs(column, product.most(), random)) {
          differing += exact(x, column) == saturating(x, column) ? 0 : 1;
        }
      }
    }
    return differing;
  }

  @ParameterizedTest(name = "{0} {1} sums {2}")
  @MethodSource("configurations")
  void integersAreTheSameOnEveryCpu(Net net, QScheme scheme, boolean sums) {
    OnnxModel portable = net.quantize(config(scheme, sums, WeightProducts.PORTABLE));
    int expected = net.name().equals("convolutions") ? 3 : net.name().equals("lstm") ? 2 : 1;
    assertEquals(expected, WrittenProducts.of(portable).size());
    assertEquals(0, differing(portable));
    OnnxModel any = net.quantize(config(scheme, sums, WeightProducts.ANY_ORDER));
    assertEquals(0, differing(any));
    for (Product product : WrittenProducts.of(any)) {
      assertTrue(product.largestOfAnyTwo() <= 128, product.weight());
    }
    // The whole range is not exact there, or this test could not fail.
    OnnxModel full = net.quantize(config(scheme, sums, WeightProducts.FULL));
    assertTrue(
        WrittenProducts.of(full).stream().anyMatch(product -> product.differing() > 0),
        "the check of every written model can fail");
    assertTrue(differing(full) > 0);
    assertThrows(AssertionFailedError.class, () -> WrittenProducts.assertPortable(full));
  }

  /**
   * ONNX Runtime's own integers: exact ones of portable weights on every machine; of full ones
   * either all exact or all saturating, as the machine has it.
   */
  @ParameterizedTest
  @EnumSource(WeightProducts.class)
  void runtimeAddsAsTheInterpreterDoes(WeightProducts products) {
    int depth = 64;
    int columns = 9;
    int rows = 40;
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, depth)
            .constant("w", new long[] {depth, columns}, positive(12, depth, columns))
            .node("MatMul", List.of("x", "w"), List.of("y"))
            .output("y", -1, columns);
    QConfig config = config(QScheme.PER_CHANNEL_SYMMETRIC, false, products);
    QuantizedModel quantized =
        TestModel.quantize(
            model.read(),
            Map.of("x", new Values(new long[] {1, depth}, random(14, depth))),
            new QConfigMapping(Mode.DYNAMIC, Backend.ONNXRUNTIME_CPU, config, List.of()));
    float[] scales = quantized.weights().get("w").channels().orElseThrow().scales();
    int[][] weight = WrittenProducts.of(quantized.model()).get(0).columns();
    Random random = new Random(13);
    for (int run = 0; run < 20; run++) {
      // Whole numbers from 0 to 255 are their own integers.
      int count = run == 0 ? 1 : rows;
      int[][] integers = new int[count][depth];
      float[] x = new float[count * depth];
      for (int i = 0; i < x.length; i++) {
        int value = i == 0 ? 0 : i == 1 ? 255 : random.nextInt(3) == 0 ? 255 : random.nextInt(256);
        integers[i / depth][i % depth] = value;
        x[i] = value;
      }
      float[] y =
          TestModel.run(quantized.model(), Map.of("x", new Values(new long[] {count, depth}, x)))
              .get("y")
              .floats();
      float[] exact = new float[y.length];
      float[] saturated = new float[y.length];
      for (int i = 0; i < y.length; i++) {
        int[] column = weight[i % columns];
        exact[i] = exact(integers[i / columns], column) * scales[i % columns];
        saturated[i] = saturating(integers[i / columns], column) * scales[i % columns];
      }
      if (products == WeightProducts.FULL) {
        assertFalse(Arrays.equals(exact, saturated));
        assertTrue(Arrays.equals(exact, y) || Arrays.equals(saturated, y), "run " + run);
      } else {
        assertArrayEquals(exact, y, "run " + run);
      }
    }
  }

  /** One constant as the weight of a convolution, of another one in groups, and of products. */
  @ParameterizedTest
  @EnumSource(Form.class)
  void sharedWeightsKeepToTheLimitOfEachReader(Form form) {
    for (int seed = 0; seed < 10; seed++) {
      TestModel model =
          TestModel.opset(17)
              .input("x", 1, 6, 6)
              .constant("w", new long[] {6, 6, 1}, positive(seed, 6, 6, 1))
              .constant("m", new long[] {6, 6}, positive(seed + 20, 6, 6))
              .node("Conv", List.of("x", "w"), List.of("a"))
              .node("MatMul", List.of("a", "m"), List.of("b"))
              .node("Flatten", List.of("b"), List.of("c"), "axis", 2L)
              .node("Gemm", List.of("c", "m"), List.of("d"), "transB", 1L)
              .node("MatMul", List.of("b", "w"), List.of("e"))
              .node("Identity", List.of("d"), List.of("y"))
              .node("Identity", List.of("e"), List.of("z"))
              .output("y", -1, 6)
              .output("z", 1, 6, 1);
      Map<String, Values> x = Map.of("x", new Values(new long[] {1, 6, 6}, random(3, 1, 6, 6)));
      for (boolean sums : new boolean[] {false, true}) {
        OnnxModel written =
            TestModel.quantize(
                    model.read(),
                    x,
                    new QConfigMapping(
                        Mode.STATIC,
                        Backend.ONNXRUNTIME_CPU,
                        config(QScheme.PER_CHANNEL_SYMMETRIC, sums, WeightProducts.PORTABLE),
                        List.of()),
                    form)
                .model();
        assertEquals(4, WrittenProducts.of(written).size());
        assertEquals(0, differing(written));
      }
    }
  }

  private static QConfig reduced(boolean weights, boolean activations, DType dtype) {
    boolean isSigned = dtype == DType.INT8;
    return new QConfig(
        true,
        new TensorQConfig(
            new RangeMethod.MinMax(),
            dtype,
            isSigned ? QScheme.PER_TENSOR_SYMMETRIC : QScheme.PER_TENSOR_AFFINE),
        new TensorQConfig(new RangeMethod.MinMax(), DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC),
        weights,
        activations,
        false,
        WeightProducts.PORTABLE);
  }

  /** A Clip is left out where the integers are clipped; QuantizeLinear alone goes on to 255. */
  @ParameterizedTest
  @EnumSource(Form.class)
  void sevenBitsOfActivationsClip(Form form) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 4, 6, 6)
            .constant("w", new long[] {8, 4, 3, 3}, random(1, 8, 4, 3, 3))
            .node("Conv", List.of("x", "w"), List.of("h"))
            .constant("lo", new long[0], 0f)
            .constant("hi", new long[0], 2f)
            .node("Clip", List.of("h", "lo", "hi"), List.of("c"))
            .constant("v", new long[] {5, 8, 1, 1}, random(2, 5, 8, 1, 1))
            .node("Conv", List.of("c", "v"), List.of("d"))
            .node("Identity", List.of("d"), List.of("y"))
            .output("y", -1, 5, 4, 4);
    Values x = new Values(new long[] {3, 4, 6, 6}, random(4, 3, 4, 6, 6));
    for (DType dtype : new DType[] {DType.UINT8, DType.INT8}) {
      QuantizedModel quantized =
          TestModel.quantize(
              model.read(),
              Map.of("x", x),
              new QConfigMapping(
                  Mode.STATIC, Backend.ONNXRUNTIME_CPU, reduced(false, true, dtype), List.of()),
              form);
      List<String> operators =
          quantized.model().graph().nodes().stream().map(Node::opType).toList();
      float[] expected = TestModel.run(model.read(), Map.of("x", x)).get("y").floats();
      float[] actual = TestModel.run(quantized.model(), Map.of("x", x)).get("y").floats();
      double signal = 0;
      double noise = 0;
      for (int i = 0; i < expected.length; i++) {
        signal += expected[i] * expected[i];
        noise += Math.pow(expected[i] - actual[i], 2);
      }
      double decibels = 10 * Math.log10(signal / noise);
      assertTrue(decibels > 25, dtype + ": " + decibels + " dB, " + operators);
      // Symmetric integers begin below the bound of 0, so that the Clip of floats stays there.
      assertEquals(dtype == DType.UINT8 ? 1 : 0, quantized.removedActivations());
      long tensors =
          quantized.activations().values().stream().mapToLong(a -> a.sharedBy().size()).sum();
      assertEquals(
          tensors - quantized.removedActivations(),
          ModelInspection.of(quantized.model(), Map.of()).count(ModelInspection.Kind.ACTIVATION));
      if (form == Form.QOPERATOR && dtype == DType.UINT8) {
        assertTrue(operators.stream().filter("QLinearConv"::equals).count() == 2, "" + operators);
      }
    }
  }

  /** Beside 7 bits of uint8 no limit is needed; beside 7 bits of int8, which become uint8, one. */
  @Test
  void sevenBitsOfActivationsNeedNoLimit() {
    Net net = nets().get(0);
    OnnxModel seven = net.quantize(reduced(false, true, DType.UINT8));
    for (Product product : WrittenProducts.of(seven)) {
      assertEquals(127, product.most());
      assertTrue(product.largestPair() > 128, product.weight());
    }
    assertEquals(0, differing(seven));
  }

  @Test
  void weightsThatAreOnlyDequantizedKeepEightBits() {
    for (Mode mode : Mode.values()) {
      TestModel model =
          TestModel.opset(17)
              .input("x", 3, 2, 6)
              .constant("w", new long[] {1, 12, 6}, positive(9, 1, 12, 6))
              .constant("r", new long[] {1, 12, 4}, positive(10, 1, 12, 4))
              .constant("m", new long[] {6, 6}, positive(10, 6, 6))
              .node("MatMul", List.of("x", "m"), List.of("z"))
              .node("GRU", List.of("z", "w", "r"), List.of("y"), "hidden_size", 4L)
              .output("y", -1, -1, -1, -1);
      Map<String, Values> x = Map.of("x", new Values(new long[] {3, 2, 6}, random(8, 3, 2, 6)));
      QConfig reduced = reduced(true, false, DType.UINT8);
      List<QConfigMapping.Rule> asked =
          List.of(new QConfigMapping.Rule(QConfigMapping.By.OPERATOR, "GRU", reduced));
      QuantizedModel quantized =
          TestModel.quantize(
              model.read(), x, new QConfigMapping(mode, Backend.ONNXRUNTIME_CPU, reduced, asked));
      Map<String, Integer> greatest =
          quantized.weights().entrySet().stream()
              .collect(
                  Collectors.toMap(
                      Map.Entry::getKey,
                      e -> e.getValue().channels().orElseThrow().channels().get(0).quantMax()));
      int product = mode == Mode.WEIGHT_ONLY ? 127 : 64;
      assertEquals(Map.of("w", 127, "r", 127, "m", product), greatest, mode.id());
    }
  }

  @Test
  void sumsThatInt32DoesNotHoldStayFloat() {
    assertTrue(IntegerSums.MOST * 255 * 127 <= Integer.MAX_VALUE);
    assertTrue((IntegerSums.MOST + 1) * 255 * 127 > Integer.MAX_VALUE);
    for (int more = 0; more < 2; more++) {
      int depth = (int) IntegerSums.MOST + more;
      TestModel model =
          TestModel.opset(17)
              .input("x", -1, depth)
              .constant("w", new long[] {depth, 1}, random(1, depth))
              .node("MatMul", List.of("x", "w"), List.of("y"))
              .output("y", -1, 1);
      Map<String, Values> x = Map.of("x", new Values(new long[] {1, depth}, random(2, depth)));
      for (Mode mode : new Mode[] {Mode.STATIC, Mode.DYNAMIC}) {
        QuantizedModel quantized =
            TestModel.quantize(
                model.read(),
                x,
                new QConfigMapping(mode, Backend.ONNXRUNTIME_CPU, QConfig.standard(), List.of()));
        assertEquals(1 - more, WrittenProducts.of(quantized.model()).size());
        String why =
            quantized.floatNodes().stream()
                .map(node -> node.reason())
                .collect(Collectors.joining());
        assertEquals(more == 1, why.contains("it adds up 66312 products"), why);
      }
    }
  }
}
