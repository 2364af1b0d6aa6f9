package org.tare.infer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;

/** What has no input from the data becomes initializers, of the values that ONNX Runtime gives. */
class ConstantFoldingTest {
  private static final long HALF = ElementType.FLOAT16.code();
  private static final long FLOAT = ElementType.FLOAT32.code();
  private static final float[] EDGES = {
    Float.NaN, Float.POSITIVE_INFINITY, -0f, Float.MIN_VALUE, 65519.9f, 1e-8f, -1e30f, 0.1f
  };

  private static float[] values(Random random, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] =
          random.nextInt(20) == 0
              ? EDGES[random.nextInt(EDGES.length)]
              : (float) random.nextGaussian();
    }
    return values;
  }

  private static List<String> operators(Graph graph) {
    return graph.nodes().stream().map(Node::opType).toList();
  }

  private static Graph fold(TestModel model) {
    return ConstantFolding.apply(model.read(), "test").graph();
  }

  /** A chain of operators on a constant, of a shape that is known at each step. */
  private static final class Chain {
    private final Random random;
    private final TestModel model = TestModel.opset(13).input("x", 1);
    private final List<Long> shape = new ArrayList<>();
    private String tensor = "c";
    private int count;

    Chain(long seed) {
      random = new Random(seed);
      int rank = random.nextInt(5);
      for (int i = 0; i < rank; i++) {
        shape.add(1L + random.nextInt(4));
      }
      model.constant("c", array(), values(random, size()));
      for (int i = random.nextInt(1, 8); i > 0; i--) {
        step();
      }
      // The output itself stays a node.
      model.node("Identity", List.of(tensor), List.of("y")).output("y");
    }

    private long[] array() {
      return shape.stream().mapToLong(Long::longValue).toArray();
    }

    private int size() {
      return (int) LongStream.of(array()).reduce(1, (a, b) -> a * b);
    }

    private void node(String op, List<String> more, Object... attributes) {
      List<String> inputs = new ArrayList<>(List.of(tensor));
      inputs.addAll(more);
      tensor = "t" + count++;
      model.node(op, inputs, List.of(tensor), attributes);
    }

    private String longs(long... numbers) {
      String name = "n" + count++;
      if (random.nextBoolean()) {
        model.longs(name, numbers);
      } else {
        model.node("Constant", List.of(), List.of(name), "value_ints", numbers);
      }
      return name;
    }

    private void step() {
      int axis = shape.isEmpty() ? 0 : random.nextInt(shape.size());
      switch (random.nextInt(shape.isEmpty() ? 6 : 13)) {
        case 0 -> node("Identity", List.of());
        case 1 -> {
          node("Cast", List.of(), "to", HALF);
          node("Cast", List.of(), "to", FLOAT);
        }
        case 2 -> {
          node("Unsqueeze", List.of(longs(0)));
          shape.add(0, 1L);
        }
        case 3 -> {
          model.node("Constant", List.of(), List.of("f" + count), "value_float", 1.1f);
          node("Mul", List.of("f" + count));
        }
        case 4 -> node("Sqrt", List.of());
        case 5 -> {
          node("Reshape", List.of(longs(-1)));
          long size = size();
          shape.clear();
          shape.add(size);
        }
        case 6 -> {
          List<Integer> order = new ArrayList<>(IntStream.range(0, shape.size()).boxed().toList());
          Collections.shuffle(order, random);
          node(
              "Transpose",
              List.of(),
              "perm",
              order.stream().mapToLong(Integer::longValue).toArray());
          List<Long> turned = order.stream().map(shape::get).toList();
          shape.clear();
          shape.addAll(turned);
        }
        case 7 -> {
          node("Slice", List.of(longs(-1), longs(-100), longs(axis), longs(-1)));
        }
        case 8 -> {
          node("Concat", List.of(tensor), "axis", (long) axis);
          shape.set(axis, 2 * shape.get(axis));
        }
        case 9 -> {
          node("Gather", List.of(longs(0, -1, 0)), "axis", (long) axis);
          shape.set(axis, 3L);
        }
        case 10 -> {
          String sizes = "s" + count;
          model.node("Shape", List.of(tensor), List.of(sizes));
          String filled = "o" + count;
          Tensor two = Tensor.ofFloats("", new long[] {1}, 2);
          model.node("ConstantOfShape", List.of(sizes), List.of(filled), "value", two);
          node("Div", List.of(filled));
        }
        case 11 -> {
          node("ReduceSum", List.of(longs(axis)), "keepdims", 1L);
          shape.set(axis, 1L);
        }
        default -> {
          long[] by = new long[shape.size()];
          Arrays.fill(by, 1);
          by[axis] = 2;
          node("Tile", List.of(longs(by)));
          shape.set(axis, 2 * shape.get(axis));
        }
      }
    }
  }

  static LongStream seeds() {
    return LongStream.range(0, 40);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void equalsOnnxRuntimeBitForBit(long seed) {
    Chain chain = new Chain(seed);
    OnnxModel model = chain.model.read();
    Graph folded = ConstantFolding.apply(model, "test").graph();
    assertEquals(List.of("Identity"), operators(folded), "seed " + seed);
    Tensor found = folded.constant(folded.nodes().get(0).input(0)).orElseThrow();
    Values expected =
        TestModel.run(model, Map.of("x", new Values(new long[] {1}, new float[1]))).get("y");
    assertArrayEquals(expected.shape(), found.shape(), "seed " + seed);
    float[] floats = found.floats();
    for (int i = 0; i < floats.length; i++) {
      assertEquals(
          Float.floatToRawIntBits(expected.floats()[i]),
          Float.floatToRawIntBits(floats[i]),
          "seed " + seed + ", at " + i);
    }
  }

  @Test
  void constantNodesOfEveryAttributeAreInitializers() {
    Graph graph =
        fold(
            TestModel.opset(13)
                .input("x", 1)
                .node("Constant", List.of(), List.of("f"), "value_float", -0f)
                .node("Constant", List.of(), List.of("fs"), "value_floats", new float[] {1, 2})
                .node("Constant", List.of(), List.of("i"), "value_int", 1L << 60)
                .node("Constant", List.of(), List.of("is"), "value_ints", new long[] {0, 1})
                .node("Constant", List.of(), List.of("s"), "value_string", "a")
                .node("Constant", List.of(), List.of("ss"), "value_strings", new String[] {"b"})
                .node("Constant", List.of(), List.of("none"), "value_ints", new long[0])
                .node("Pack", List.of("x", "f", "fs", "i", "is", "s", "ss", "none"), List.of("y"))
                .domain("test.domain", "Pack")
                .output("y"));
    assertEquals(List.of("Pack"), operators(graph));
    assertArrayEquals(new float[] {-0f}, graph.constant("f").orElseThrow().floats());
    assertArrayEquals(new float[] {1, 2}, graph.constant("fs").orElseThrow().floats());
    assertArrayEquals(new long[] {1L << 60}, graph.constant("i").orElseThrow().longs());
    assertArrayEquals(new long[0], graph.constant("i").orElseThrow().shape());
    assertArrayEquals(new long[] {0, 1}, graph.constant("is").orElseThrow().longs());
    assertArrayEquals(new long[0], graph.constant("none").orElseThrow().longs());
    assertEquals(ElementType.STRING, graph.constant("s").orElseThrow().type());
    assertArrayEquals(new long[] {1}, graph.constant("ss").orElseThrow().shape());
  }

  /** Each makes 2^33 elements, or would on the way. */
  private static TestModel huge(String kind) {
    TestModel model = TestModel.opset(13).input("x", 1);
    switch (kind) {
      case "shape" ->
          model
              .longs("half", 1L << 16, 1L << 16)
              .longs("two", 2L)
              .node("Concat", List.of("half", "two"), List.of("sizes"), "axis", 0L)
              .node("ConstantOfShape", List.of("sizes"), List.of("big"));
      case "range" ->
          model
              .scalar("zero", 0)
              .scalar("one", 1)
              .scalar("n", 1L << 17)
              .scalar("m", 1L << 16)
              .node("Mul", List.of("n", "m"), List.of("end"))
              .node("Range", List.of("zero", "end", "one"), List.of("steps"))
              .node("Cast", List.of("steps"), List.of("big"), "to", FLOAT);
      case "spread" ->
          model
              .constant("column", new long[] {1 << 17, 1}, new float[1 << 17])
              .constant("row", new long[] {1, 1 << 16}, new float[1 << 16])
              .node("Add", List.of("column", "row"), List.of("big"));
      default -> {
        model.constant("d0", new long[] {1024}, new float[1024]);
        for (int i = 0; i < 23; i++) {
          model.node("Concat", List.of("d" + i, "d" + i), List.of("d" + (i + 1)), "axis", 0L);
        }
        model.node("Identity", List.of("d23"), List.of("big"));
      }
    }
    return model
        .node("ReduceMax", List.of("big"), List.of("most"), "keepdims", 0L)
        .node("Add", List.of("x", "most"), List.of("y"))
        .output("y");
  }

  @ParameterizedTest
  @ValueSource(strings = {"shape", "range", "spread", "doubled"})
  void nothingLargeIsMadeOfLittle(String kind) {
    OnnxModel model = huge(kind).read();
    Graph graph =
        assertTimeoutPreemptively(
            Duration.ofSeconds(30), () -> ConstantFolding.apply(model, "test").graph());
    assertTrue(operators(graph).contains("ReduceMax"), operators(graph).toString());
    long all = graph.constants().stream().mapToLong(Tensor::size).sum();
    assertTrue(all <= 2 << 20, all + " elements");
  }

  /** The bytes of a model must not depend on the process that wrote it. */
  @Test
  void foldedConstantsStandInTheOrderOfTheirNodes() {
    TestModel model = TestModel.opset(17).input("x", 1).constant("zero", new long[0], 0);
    List<String> folded = new ArrayList<>();
    String sum = "x";
    for (int i = 0; i < 20; i++) {
      // No two are equal: those are kept once.
      model.constant("c" + i, new long[] {1}, i + 1);
      model.node("Neg", List.of("c" + i), List.of("n" + i));
      model.node("Add", List.of(sum, "n" + i), List.of("s" + i));
      folded.add("n" + i);
      sum = "s" + i;
    }
    List<String> names = new ArrayList<>();
    fold(model.output(sum)).constants().forEach(one -> names.add(one.name()));
    names.retainAll(folded);
    assertEquals(folded, names);
  }

  @Test
  void whatIsNotAFunctionOfConstantsStays() {
    Graph graph =
        fold(
            TestModel.opset(13)
                .input("x", 2)
                .longs("two", 2)
                .constant("scale", new long[] {}, 0.5f)
                .initializer(
                    Tensor.ofBytes("q", ElementType.INT8, new long[] {2}, new byte[] {1, 2}))
                .node("DequantizeLinear", List.of("q", "scale"), List.of("w"))
                .node("RandomNormal", List.of(), List.of("r"), "shape", new long[] {2})
                .node("Add", List.of("w", "r"), List.of("a"))
                .node("Add", List.of("a", "x"), List.of("y"))
                .node("Shape", List.of("two"), List.of("z"))
                .output("y")
                .output("z", ElementType.INT64, 1));
    assertEquals(
        List.of("DequantizeLinear", "RandomNormal", "Add", "Add", "Shape"), operators(graph));
  }

  @Test
  void graphsInsideOfNodesAreFoldedToo() {
    float[] given = {1, 2, 3, 4, 5, 6};
    TestModel model =
        TestModel.opset(13)
            .input("x", -1, 3)
            .constant("w", new long[] {2, 3}, given)
            .initializer(Tensor.ofBytes("yes", ElementType.BOOL, new long[0], new byte[] {1}))
            .node("Transpose", List.of("w"), List.of("turned"))
            .node(
                "If",
                List.of("yes"),
                List.of("y"),
                "then_branch",
                TestModel.opset(13)
                    .node("MatMul", List.of("x", "turned"), List.of("t"))
                    .output("t"),
                "else_branch",
                TestModel.opset(13)
                    .node("Transpose", List.of("w"), List.of("again"))
                    .node("Neg", List.of("again"), List.of("minus"))
                    .node("MatMul", List.of("x", "minus"), List.of("e"))
                    .output("e"))
            .output("y");
    OnnxModel original = model.read();
    OnnxModel folded = ConstantFolding.apply(original, "test");
    assertEquals(
        List.of("If", "MatMul", "MatMul"),
        folded.graph().allNodes().stream().map(Node::opType).toList());
    Map<String, Values> rows = Map.of("x", new Values(new long[] {1, 3}, new float[] {1, -2, 3}));
    assertArrayEquals(
        TestModel.run(original, rows).get("y").floats(),
        TestModel.run(folded, rows).get("y").floats());
  }

  /** A weight that a loop carries along: read from outside, once. */
  @ParameterizedTest
  @CsvSource({"1, false", "3, false", "3, true"})
  void aCarriedConstantIsReadFromOutside(int steps, boolean isReturned) {
    float[] w = values(new Random(5), 9);
    for (int i = 0; i < w.length; i++) {
      w[i] = Float.isFinite(w[i]) && Math.abs(w[i]) < 10 ? w[i] : 0.5f;
    }
    TestModel body =
        TestModel.opset(13)
            .input("i", ElementType.INT64)
            .input("go", ElementType.BOOL)
            .input("inside", 3, 3)
            .input("h", -1, 3)
            .node("MatMul", List.of("h", "inside"), List.of("p"))
            .node("Tanh", List.of("p"), List.of("h_next"))
            .node("Identity", List.of("go"), List.of("go_next"))
            .node("Identity", List.of("inside"), List.of("passed"))
            .node("Identity", List.of("passed"), List.of("inside_next"))
            .output("go_next", ElementType.BOOL)
            .output("inside_next", 3, 3)
            .output("h_next", -1, 3);
    TestModel model =
        TestModel.opset(13)
            .input("x", -1, 3)
            .constant("w", new long[] {3, 3}, w)
            .scalar("n", steps)
            .node("Loop", List.of("n", "", "w", "x"), List.of("w_last", "y"), "body", body)
            .output("y", -1, 3);
    if (isReturned) {
      model.output("w_last", 3, 3);
    }
    OnnxModel original = model.read();
    OnnxModel folded = ConstantFolding.apply(original, "test");
    Node loop =
        folded.graph().nodes().stream().filter(n -> n.opType().equals("Loop")).findFirst().get();
    assertEquals(List.of("n", "", "x"), loop.inputs());
    assertEquals(List.of("y"), loop.outputs());
    Node product =
        folded.graph().allNodes().stream()
            .filter(n -> n.opType().equals("MatMul"))
            .findFirst()
            .get();
    assertEquals(List.of("h", "w"), product.inputs());
    Map<String, Values> rows = Map.of("x", new Values(new long[] {1, 3}, new float[] {1, -2, 3}));
    Map<String, Values> expected = TestModel.run(original, rows);
    Map<String, Values> found = TestModel.run(folded, rows);
    assertEquals(expected.keySet(), found.keySet());
    expected.forEach((name, value) -> assertArrayEquals(value.floats(), found.get(name).floats()));
  }

  @Test
  void aScanTooButNotWhatItChanges() {
    TestModel body =
        TestModel.opset(13)
            .input("a", 2, 2)
            .input("b", 2, 2)
            .input("row", 2)
            .node("MatMul", List.of("row", "a"), List.of("p"))
            .node("MatMul", List.of("p", "b"), List.of("q"))
            .node("Add", List.of("b", "a"), List.of("b_next"))
            .node("Identity", List.of("a"), List.of("a_next"))
            .output("a_next", 2, 2)
            .output("b_next", 2, 2)
            .output("q", 2);
    OnnxModel original =
        TestModel.opset(13)
            .input("x", -1, 2)
            .constant("v", new long[] {2, 2}, 1, 2, 3, 4)
            .constant("w", new long[] {2, 2}, 5, 6, 7, 8)
            .node(
                "Scan",
                List.of("v", "w", "x"),
                List.of("v_last", "w_last", "y"),
                "body",
                body,
                "num_scan_inputs",
                1L)
            .output("y", -1, 2)
            .read();
    OnnxModel folded = ConstantFolding.apply(original, "test");
    assertEquals(List.of("w", "x"), folded.graph().nodes().get(0).inputs());
    Map<String, Values> rows =
        Map.of("x", new Values(new long[] {2, 2}, new float[] {1, -2, 3, 0.5f}));
    assertArrayEquals(
        TestModel.run(original, rows).get("y").floats(),
        TestModel.run(folded, rows).get("y").floats());
  }

  static Stream<Boolean> captured() {
    return Stream.of(false, true);
  }

  /** Behind Identity, stored twice, or both: one initializer. */
  @ParameterizedTest
  @MethodSource("captured")
  void aConstantIsKeptOnce(boolean isCaptured) {
    float[] w = new float[900];
    Arrays.fill(w, 0.5f);
    TestModel model =
        TestModel.opset(13)
            .input("x", -1, 30)
            .constant("w", new long[] {30, 30}, w)
            .constant("same", new long[] {30, 30}, w)
            .constant("flat", new long[] {900}, w)
            .node("Identity", List.of("w"), List.of("i1"))
            .node("Identity", List.of("i1"), List.of("i2"))
            .node("MatMul", List.of("x", "w"), List.of("a"))
            .node("MatMul", List.of("a", "i2"), List.of("b"))
            .node("MatMul", List.of("b", "same"), List.of("c"))
            .longs("axis", 0)
            .node("Unsqueeze", List.of("flat", "axis"), List.of("f"))
            .node("Gather", List.of("f", "axis"), List.of("g"))
            .node("Mul", List.of("c", "g"), List.of("d"));
    if (isCaptured) {
      TestModel branch =
          TestModel.opset(13).node("MatMul", List.of("a", "i2"), List.of("t")).output("t");
      model
          .initializer(Tensor.ofBytes("yes", ElementType.BOOL, new long[0], new byte[] {1}))
          .node("If", List.of("yes"), List.of("e"), "then_branch", branch, "else_branch", branch)
          .output("e", -1, 30);
    }
    Graph graph = fold(model.output("d", -1, -1));
    assertFalse(operators(graph).contains("Identity"));
    long matrices =
        graph.constants().stream()
            .filter(t -> Arrays.equals(t.shape(), new long[] {30, 30}))
            .count();
    // What is read inside of a node keeps its name.
    assertEquals(isCaptured ? 2 : 1, matrices);
  }

  @Test
  void aLongChainTakesTimeInProportion() {
    TestModel model = TestModel.opset(13).input("x", 1).constant("c0", new long[] {1}, 2);
    for (int i = 0; i < 4000; i++) {
      String op = i % 2 == 0 ? "Neg" : "Identity";
      model.node(op, List.of("c" + i), List.of("c" + (i + 1)));
    }
    model.node("Mul", List.of("x", "c4000"), List.of("y")).output("y", 1);
    OnnxModel read = model.read();
    Graph graph =
        assertTimeoutPreemptively(
            Duration.ofSeconds(30), () -> ConstantFolding.apply(read, "test").graph());
    assertEquals(List.of("Mul"), operators(graph));
    assertArrayEquals(
        new float[] {2}, graph.constant(graph.nodes().get(0).input(1)).orElseThrow().floats());
  }
}
