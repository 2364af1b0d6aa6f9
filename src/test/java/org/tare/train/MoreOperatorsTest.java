package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.tare.train.OperatorChecks.random;
import static org.tare.train.OperatorChecks.values;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.train.OperatorChecks.Case;
import org.tare.train.torch.TorchOperators;

/** Operators of several ranks and attributes, as TorchOperatorsTest has those of pictures. */
class MoreOperatorsTest {
  private static TestModel begin(long... shape) {
    return TestModel.opset(21).input("x", shape);
  }

  private static Case of(String name, TestModel model, long... shape) {
    return new Case(name, model.output("y").read(), Map.of("x", values(1, shape)));
  }

  private static Case one(String name, String op, long[] shape, Object... attributes) {
    return of(name, begin(shape).node(op, List.of("x"), List.of("y"), attributes), shape);
  }

  private static Case function(String op, Object... attributes) {
    return one(op, op, new long[] {3, 4, 5}, attributes);
  }

  private static Case microsoft(String op, boolean hasBias, Object... attributes) {
    TestModel model = begin(3, 4, 5).constant("b", new long[] {5}, random(3, 5));
    return of(
        op + (hasBias ? " with bias" : ""),
        model
            .node(op, hasBias ? List.of("x", "b") : List.of("x"), List.of("y"), attributes)
            .domain("com.microsoft", op),
        3,
        4,
        5);
  }

  /** A reduction of operator set 18 and later, with its axes as an input. */
  private static Case reduction(String op, boolean keeps, long... axes) {
    TestModel model = begin(3, 4, 2, 5).longs("a", axes);
    // The logarithm wants sums above zero.
    boolean isLog = op.equals("ReduceLogSum");
    model.node(isLog ? "Exp" : "Identity", List.of("x"), List.of("e"));
    return of(
        op + java.util.Arrays.toString(axes) + keeps,
        model.node(op, List.of("e", "a"), List.of("y"), "keepdims", keeps ? 1L : 0L),
        3,
        4,
        2,
        5);
  }

  static Stream<Case> functions() {
    return Stream.of(
        function("Selu"),
        function("Selu", "alpha", 1.3f, "gamma", 0.8f),
        function("Celu", "alpha", 0.7f),
        function("ThresholdedRelu", "alpha", 0.4f),
        function("Shrink", "lambd", 0.6f, "bias", 0.2f),
        function("Softplus"),
        function("Softsign"),
        function("Mish"),
        function("HardSigmoid", "alpha", 0.25f, "beta", 0.4f),
        function("Gelu", "approximate", "tanh"),
        function("Sin"),
        function("Cos"),
        function("Atan"),
        microsoft("Gelu", false),
        microsoft("BiasGelu", true),
        microsoft("FastGelu", false),
        microsoft("FastGelu", true),
        microsoft("QuickGelu", false, "alpha", 1.3f),
        of(
            "Comparisons",
            begin(3, 4)
                .constant("c", new long[] {4}, random(2, 4))
                .constant("z", new long[0], 0f)
                .node("Greater", List.of("x", "c"), List.of("g"))
                .node("Less", List.of("x", "z"), List.of("l"))
                .node("And", List.of("g", "l"), List.of("a"))
                .node("GreaterOrEqual", List.of("c", "x"), List.of("h"))
                .node("LessOrEqual", List.of("x", "c"), List.of("k"))
                .node("Xor", List.of("h", "k"), List.of("o"))
                .node("Not", List.of("o"), List.of("n"))
                .node("Equal", List.of("a", "n"), List.of("q"))
                .node("Or", List.of("q", "a"), List.of("r"))
                .node("Sin", List.of("x"), List.of("s"))
                .node("Where", List.of("r", "x", "s"), List.of("w"))
                .node("Cast", List.of("q"), List.of("f"), "to", 1L)
                .node("Add", List.of("w", "f"), List.of("y")),
            3,
            4),
        of(
            "Floor, Ceil, Round, Sign",
            begin(3, 4)
                .node("Floor", List.of("x"), List.of("f"))
                .node("Ceil", List.of("x"), List.of("c"))
                .node("Round", List.of("x"), List.of("r"))
                .node("Sign", List.of("x"), List.of("s"))
                .node("Sum", List.of("x", "f", "c", "r", "s"), List.of("y")),
            3,
            4),
        of("Mean", begin(3, 4).node("Mean", List.of("x", "x", "x"), List.of("y")), 3, 4),
        of(
            "Mod",
            begin(3, 4)
                .constant("c", new long[] {1}, 0.7f)
                .node("Mod", List.of("x", "c"), List.of("y"), "fmod", 1L),
            3,
            4),
        of(
            "Einsum",
            begin(2, 3, 4)
                .constant("w", new long[] {2, 4, 5}, random(2, 40))
                .node("Einsum", List.of("x", "w"), List.of("y"), "equation", "bij, bjk -> bki"),
            2,
            3,
            4),
        of(
            "Einsum over any axes",
            begin(2, 3, 4)
                .constant("w", new long[] {4, 3}, random(2, 12))
                .node("Einsum", List.of("x", "w"), List.of("y"), "equation", "...ij,ji->...i"),
            2,
            3,
            4),
        of(
            "FusedMatMul",
            begin(2, 3, 4)
                .constant("w", new long[] {2, 5, 3}, random(2, 30))
                .node(
                    "FusedMatMul",
                    List.of("x", "w"),
                    List.of("y"),
                    "alpha",
                    0.3f,
                    "transA",
                    1L,
                    "transB",
                    1L)
                .domain("com.microsoft", "FusedMatMul"),
            2,
            3,
            4));
  }

  static Stream<Case> reductions() {
    Stream<Case> axes =
        Stream.of(
                "ReduceMean",
                "ReduceSum",
                "ReduceMax",
                "ReduceMin",
                "ReduceL1",
                "ReduceL2",
                "ReduceSumSquare",
                "ReduceLogSum",
                "ReduceLogSumExp")
            .flatMap(
                op ->
                    Stream.of(
                        reduction(op, true, 1, -1), reduction(op, false, 0), reduction(op, false)));
    return Stream.concat(
        axes,
        Stream.of(
            of(
                "ReduceMax of operator set 13",
                TestModel.opset(13)
                    .input("x", 3, 4)
                    .node("ReduceMax", List.of("x"), List.of("y"), "axes", new long[] {-1}),
                3,
                4),
            of(
                "Reduction without axes that does nothing",
                begin(3, 4)
                    .longs("a")
                    .node("ReduceSum", List.of("x", "a"), List.of("y"), "noop_with_empty_axes", 1L),
                3,
                4),
            one("GlobalMaxPool of one axis", "GlobalMaxPool", new long[] {2, 3, 5}),
            one("GlobalMaxPool of two", "GlobalMaxPool", new long[] {2, 3, 5, 2}),
            one("GlobalAveragePool of three", "GlobalAveragePool", new long[] {2, 3, 2, 3, 2}),
            of("CumSum", cumSum(0, 0), 3, 4),
            of("CumSum, exclusive", cumSum(1, 0), 3, 4),
            of("CumSum, backwards", cumSum(1, 1), 3, 4),
            of("ArgMax", place("ArgMax", 0L), 3, 4),
            of("ArgMin", place("ArgMin", 1L), 3, 4)));
  }

  private static TestModel cumSum(long exclusive, long reverse) {
    return begin(3, 4)
        .scalar("a", 1)
        .node(
            "CumSum", List.of("x", "a"), List.of("y"), "exclusive", exclusive, "reverse", reverse);
  }

  private static TestModel place(String op, long keeps) {
    return begin(3, 4)
        .longs("u", 1)
        .node(op, List.of("x"), List.of("p"), "axis", 1L, "keepdims", keeps)
        .node("Cast", List.of("p"), List.of("f"), "to", 1L)
        .node("Reshape", List.of("f", "m"), List.of("g"))
        .longs("m", -1, 1)
        .node("Add", List.of("x", "g"), List.of("y"));
  }

  private static TestModel normalized(String op, long gains, long[] shape, Object... attributes) {
    return begin(shape)
        .constant("g", new long[] {gains}, random(2, (int) gains))
        .constant("b", new long[] {gains}, random(3, (int) gains))
        .node(op, List.of("x", "g", "b"), List.of("y"), attributes);
  }

  static Stream<Case> normalizations() {
    long[] line = {2, 6, 5};
    long[] picture = {2, 6, 3, 4};
    return Stream.of(
        of("InstanceNormalization 1", normalized("InstanceNormalization", 6, line), line),
        of(
            "InstanceNormalization 2",
            normalized("InstanceNormalization", 6, picture, "epsilon", 0.1f),
            picture),
        of(
            "GroupNormalization of channels",
            normalized("GroupNormalization", 6, picture, "num_groups", 3L),
            picture),
        of(
            "GroupNormalization of groups",
            TestModel.opset(18)
                .input("x", line)
                .constant("g", new long[] {2}, random(2, 2))
                .constant("b", new long[] {2}, random(3, 2))
                .node("GroupNormalization", List.of("x", "g", "b"), List.of("y"), "num_groups", 2L),
            line),
        of(
            "LayerNormalization of the last axis",
            normalized("LayerNormalization", 4, picture, "epsilon", 0.01f),
            picture),
        of(
            "RMSNormalization",
            TestModel.opset(23)
                .input("x", line)
                .constant("g", new long[] {6, 5}, random(2, 30))
                .node("RMSNormalization", List.of("x", "g"), List.of("y"), "axis", 1L),
            line),
        one("LpNormalization 1", "LpNormalization", line, "p", 1L, "axis", 1L),
        one("LpNormalization 2", "LpNormalization", line),
        skip("SkipLayerNormalization", List.of("x", "x", "g", "b"), List.of("y")),
        skip("SkipLayerNormalization", List.of("x", "s", "g"), List.of("y")),
        skip("SkipLayerNormalization", List.of("x", "s", "g", "b", "r"), List.of("y", "", "", "z")),
        skip("SkipSimplifiedLayerNormalization", List.of("x", "s", "g"), List.of("y")),
        skip(
            "SkipSimplifiedLayerNormalization",
            List.of("x", "s", "g", "r"),
            List.of("y", "", "", "z")));
  }

  private static Case skip(String op, List<String> inputs, List<String> outputs) {
    TestModel model =
        begin(2, 3, 8)
            .constant("s", new long[] {1, 3, 8}, random(2, 24))
            .constant("g", new long[] {8}, random(3, 8))
            .constant("b", new long[] {8}, random(4, 8))
            .constant("r", new long[] {8}, random(5, 8))
            .node(op, inputs, outputs, "epsilon", 1e-3f)
            .domain("com.microsoft", op);
    if (outputs.size() > 1) {
      model.output("z");
    }
    return of(op + inputs, model, 2, 3, 8);
  }

  private static Case padded(String mode, boolean hasAxes, long... pads) {
    TestModel model = begin(3, 4, 5).longs("p", pads).longs("a", 2, 0);
    return of(
        "Pad " + mode + hasAxes,
        model.node(
            "Pad",
            hasAxes ? List.of("x", "p", "", "a") : List.of("x", "p"),
            List.of("y"),
            "mode",
            mode),
        3,
        4,
        5);
  }

  private static Case blocks(String name, String op, long[] shape, Object... attributes) {
    return one(name, op, shape, attributes);
  }

  static Stream<Case> shapes() {
    return Stream.of(
        padded("reflect", false, 0, 2, 3, 0, 1, 4),
        padded("edge", false, 1, 2, 0, 0, 1, 9),
        padded("wrap", false, 0, 2, 3, 1, 1, 4),
        padded("constant", true, 1, 2, 0, 1),
        padded("reflect", true, 1, 2, 3, 1),
        padded("edge", false, 0, -1, 0, 0, 2, -2),
        of(
            "Slice backwards",
            begin(5, 6)
                .longs("s", -1, 4)
                .longs("e", -100, 0)
                .longs("a", 0, 1)
                .longs("t", -1, -2)
                .node("Slice", List.of("x", "s", "e", "a", "t"), List.of("y")),
            5,
            6),
        of(
            "Slice backwards from behind the end",
            begin(5, 6)
                .longs("s", 100)
                .longs("e", Long.MIN_VALUE)
                .longs("a", 1)
                .longs("t", -3)
                .node("Slice", List.of("x", "s", "e", "a", "t"), List.of("y")),
            5,
            6),
        blocks("DepthToSpace", "DepthToSpace", new long[] {2, 12, 3, 2}, "blocksize", 2L),
        blocks(
            "DepthToSpace CRD",
            "DepthToSpace",
            new long[] {2, 18, 1, 2},
            "blocksize",
            3L,
            "mode",
            "CRD"),
        blocks("SpaceToDepth", "SpaceToDepth", new long[] {2, 3, 4, 6}, "blocksize", 2L),
        of(
            "Tile",
            begin(2, 3).longs("t", 2, 3).node("Tile", List.of("x", "t"), List.of("y")),
            2,
            3),
        of(
            "GatherElements",
            begin(3, 4)
                .initializer(Tensor.ofLongs("i", new long[] {2, 4}, 0, -1, 2, 1, 2, 2, -3, 0))
                .node("GatherElements", List.of("x", "i"), List.of("y"), "axis", 0L),
            3,
            4),
        of(
            "TopK",
            begin(3, 7)
                .longs("k", 3)
                .node("TopK", List.of("x", "k"), List.of("v", "i"), "axis", 1L)
                .node("Cast", List.of("i"), List.of("f"), "to", 1L)
                .node("Add", List.of("v", "f"), List.of("y")),
            3,
            7),
        of(
            "TopK of the least",
            begin(3, 7)
                .longs("k", 2)
                .node("TopK", List.of("x", "k"), List.of("y", "i"), "axis", 0L, "largest", 0L),
            3,
            7),
        of(
            "Trilu",
            begin(2, 4, 5)
                .scalar("k", -1)
                .node("Trilu", List.of("x"), List.of("u"))
                .node("Trilu", List.of("x", "k"), List.of("l"), "upper", 0L)
                .node("Sub", List.of("u", "l"), List.of("y")),
            2,
            4,
            5),
        of(
            "ConstantOfShape and Range",
            begin(3, 4)
                .scalar("o", 0)
                .scalar("d", 2)
                .scalar("e", 7)
                .node("Shape", List.of("x"), List.of("s"))
                .node(
                    "ConstantOfShape",
                    List.of("s"),
                    List.of("c"),
                    "value",
                    Tensor.ofFloats("v", new long[] {1}, 1.5f))
                .node("Range", List.of("o", "e", "d"), List.of("r"))
                .node("Cast", List.of("r"), List.of("f"), "to", 1L)
                .node("Size", List.of("x"), List.of("n"))
                .node("Cast", List.of("n"), List.of("m"), "to", 1L)
                .node("Mul", List.of("x", "c"), List.of("p"))
                .node("Div", List.of("p", "m"), List.of("q"))
                .node("Add", List.of("q", "f"), List.of("y")),
            3,
            4),
        of(
            "Range of floats",
            begin(4)
                .constant("o", new long[0], 3f)
                .constant("e", new long[0], 0.9f)
                .constant("d", new long[0], -0.6f)
                .node("Range", List.of("o", "e", "d"), List.of("r"))
                .node("Mul", List.of("x", "r"), List.of("y")),
            4));
  }

  private static Case pool(String name, String op, long[] shape, Object... attributes) {
    return one(op + " " + name, op, shape, attributes);
  }

  private static Case weighted(String name, String op, long[] shape, long[] w, Object... more) {
    int size = 1;
    for (long side : w) {
      size *= (int) side;
    }
    int biases = (int) (op.equals("Conv") ? w[0] : w[1]);
    return of(
        op + " " + name,
        begin(shape)
            .constant("w", w, random(2, size))
            .constant("b", new long[] {biases}, random(3, biases))
            .node(op, List.of("x", "w", "b"), List.of("y"), more),
        shape);
  }

  static Stream<Case> windows() {
    long[] line = {2, 4, 9};
    long[] room = {1, 2, 4, 5, 3};
    long[] two = {2};
    long[] three = {3};
    return Stream.of(
        pool(
            "1", "MaxPool", line, "kernel_shape", three, "strides", two, "pads", new long[] {1, 2}),
        pool("1 dilated", "MaxPool", line, "kernel_shape", three, "dilations", two),
        pool(
            "3",
            "MaxPool",
            room,
            "kernel_shape",
            new long[] {2, 3, 2},
            "strides",
            new long[] {2, 1, 1}),
        pool(
            "1",
            "AveragePool",
            line,
            "kernel_shape",
            three,
            "strides",
            two,
            "pads",
            new long[] {1, 1}),
        pool("1 uneven", "AveragePool", line, "kernel_shape", three, "pads", new long[] {0, 2}),
        pool(
            "1 uneven counted",
            "AveragePool",
            line,
            "kernel_shape",
            three,
            "pads",
            new long[] {0, 2},
            "count_include_pad",
            1L),
        pool(
            "1 much padded", "AveragePool", line, "kernel_shape", three, "pads", new long[] {2, 2}),
        pool("1 ceil", "AveragePool", line, "kernel_shape", two, "strides", two, "ceil_mode", 1L),
        pool(
            "2 SAME",
            "AveragePool",
            new long[] {1, 2, 5, 6},
            "kernel_shape",
            new long[] {2, 3},
            "strides",
            new long[] {2, 2},
            "auto_pad",
            "SAME_LOWER"),
        pool(
            "3",
            "AveragePool",
            room,
            "kernel_shape",
            new long[] {2, 2, 3},
            "pads",
            new long[] {1, 0, 1, 0, 1, 1}),
        weighted("1", "Conv", line, new long[] {6, 2, 3}, "group", 2L, "pads", new long[] {2, 1}),
        weighted("1 SAME", "Conv", line, new long[] {3, 4, 4}, "auto_pad", "SAME_UPPER"),
        weighted("3", "Conv", room, new long[] {3, 2, 2, 3, 1}, "strides", new long[] {2, 1, 1}),
        weighted(
            "1",
            "ConvTranspose",
            line,
            new long[] {4, 3, 3},
            "strides",
            two,
            "pads",
            new long[] {1, 1}),
        weighted(
            "1 uneven",
            "ConvTranspose",
            line,
            new long[] {4, 3, 3},
            "strides",
            two,
            "pads",
            new long[] {0, 2},
            "output_padding",
            new long[] {1}),
        weighted(
            "2 uneven",
            "ConvTranspose",
            new long[] {2, 4, 3, 4},
            new long[] {4, 3, 3, 2},
            "dilations",
            new long[] {1, 2},
            "pads",
            new long[] {1, 0, 0, 1}),
        weighted("1 VALID", "ConvTranspose", line, new long[] {4, 3, 2}, "auto_pad", "VALID"),
        weighted(
            "3",
            "ConvTranspose",
            room,
            new long[] {2, 3, 2, 2, 2},
            "strides",
            new long[] {2, 1, 2}));
  }

  static Stream<Case> cases() {
    return Stream.of(functions(), reductions(), normalizations(), shapes(), windows())
        .flatMap(all -> all);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void givesWhatOnnxRuntimeGives(Case one) {
    OperatorChecks.holdAgainstOnnxRuntime(one, 1e-5f);
  }

  @Test
  void whatHasNoFormIsNamedBeforeRowsAreRead() {
    long[] shape = {2, 4, 9};
    long[] two = {2};
    long[] three = {3};
    assertEquals(
        Optional.of("its padding is automatic"),
        obstacle(
            weighted("", "ConvTranspose", shape, new long[] {4, 3, 2}, "auto_pad", "SAME_UPPER")));
    assertEquals(
        Optional.of("its output_shape is given"),
        obstacle(
            weighted("", "ConvTranspose", shape, new long[] {4, 3, 2}, "output_shape", three)));
    assertEquals(
        Optional.of("it has dilations"),
        obstacle(pool("", "AveragePool", shape, "kernel_shape", two, "dilations", two)));
    assertEquals(
        Optional.of("its ceil_mode is set, and it is padded"),
        obstacle(
            pool(
                "",
                "AveragePool",
                shape,
                "kernel_shape",
                two,
                "ceil_mode",
                1L,
                "pads",
                new long[] {0, 1})));
    assertEquals(
        Optional.of("it gives \"i\" too"),
        obstacle(
            of(
                "",
                begin(shape).node("MaxPool", List.of("x"), List.of("y", "i"), "kernel_shape", two),
                shape)));
    assertEquals(
        Optional.of("it takes the last of equal values"),
        obstacle(one("", "ArgMax", shape, "select_last_index", 1L)));
    assertEquals(
        Optional.of("it casts to another type than float32, int64, int32 and bool"),
        obstacle(one("", "Cast", shape, "to", 11L)));
    assertEquals(Optional.empty(), obstacle(one("", "Cast", shape, "to", 1L)));
  }

  private static Optional<String> obstacle(Case one) {
    return TorchOperators.obstacle(one.model().graph().nodes().get(0));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradientIsThatOfDifferences(Case one) {
    OperatorChecks.holdAgainstDifferences(one);
  }
}
