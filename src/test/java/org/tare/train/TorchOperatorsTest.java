package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.tare.train.OperatorChecks.random;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.train.OperatorChecks.Case;
import org.tare.train.torch.Libtorch;
import org.tare.train.torch.Tensors;
import org.tare.train.torch.TorchOperators;

/** Operators on libtorch give what ONNX Runtime gives, and gradients that differences confirm. */
class TorchOperatorsTest {
  private static TestModel begin() {
    return TestModel.opset(20).input("x", 2, 6, 5, 7);
  }

  private static Case one(String name, String op, Object... attributes) {
    return of(name, begin().node(op, List.of("x"), List.of("y"), attributes));
  }

  private static Case of(String name, TestModel model) {
    return new Case(
        name,
        model.output("y").read(),
        Map.of("x", new Values(new long[] {2, 6, 5, 7}, random(1, 420))));
  }

  private static TestModel weighted(String op, long[] shape, Object... attributes) {
    int size = 1;
    for (long side : shape) {
      size *= (int) side;
    }
    int biases = (int) (op.equals("Conv") ? shape[0] : shape[1]);
    return begin()
        .constant("w", shape, random(2, size))
        .constant("b", new long[] {biases}, random(3, biases))
        .node(op, List.of("x", "w", "b"), List.of("y"), attributes);
  }

  static Stream<Case> cases() {
    long[] rows = {2, 210};
    return Stream.of(
        of("Conv", weighted("Conv", new long[] {4, 6, 3, 3})),
        of(
            "Conv padded, strided",
            weighted(
                "Conv",
                new long[] {4, 6, 3, 2},
                "pads",
                new long[] {1, 0, 1, 0},
                "strides",
                new long[] {2, 1})),
        of(
            "Conv unevenly padded",
            weighted("Conv", new long[] {4, 6, 3, 3}, "pads", new long[] {0, 1, 2, 0})),
        of(
            "Conv SAME_UPPER",
            weighted(
                "Conv",
                new long[] {4, 6, 2, 4},
                "auto_pad",
                "SAME_UPPER",
                "strides",
                new long[] {2, 2})),
        of("Conv SAME_LOWER", weighted("Conv", new long[] {4, 6, 2, 4}, "auto_pad", "SAME_LOWER")),
        of("Conv VALID", weighted("Conv", new long[] {4, 6, 2, 2}, "auto_pad", "VALID")),
        of(
            "Conv depthwise",
            weighted(
                "Conv", new long[] {12, 1, 3, 3}, "group", 6L, "dilations", new long[] {1, 2})),
        of("Conv in groups", weighted("Conv", new long[] {4, 3, 3, 3}, "group", 2L)),
        of(
            "ConvTranspose",
            weighted(
                "ConvTranspose",
                new long[] {6, 4, 3, 3},
                "strides",
                new long[] {2, 2},
                "pads",
                new long[] {1, 1, 1, 1},
                "output_padding",
                new long[] {1, 1})),
        of(
            "Gemm",
            begin()
                .constant("w", new long[] {210, 3}, random(2, 630))
                .constant("b", new long[] {3}, random(3, 3))
                .longs("s", rows)
                .node("Reshape", List.of("x", "s"), List.of("f"))
                .node("Gemm", List.of("f", "w", "b"), List.of("y"), "alpha", 0.5f, "beta", 2f)),
        of(
            "Gemm transposed",
            begin()
                .constant("w", new long[] {3, 210}, random(2, 630))
                .node("Flatten", List.of("x"), List.of("f"))
                .node("Gemm", List.of("f", "w"), List.of("y"), "transB", 1L)),
        of(
            "MatMul",
            begin()
                .constant("w", new long[] {7, 3}, random(2, 21))
                .node("MatMul", List.of("x", "w"), List.of("y"))),
        of(
            "Add",
            begin()
                .constant("c", new long[] {6, 1, 1}, random(4, 6))
                .node("Add", List.of("x", "c"), List.of("y"))),
        of("Mul", begin().node("Mul", List.of("x", "x"), List.of("y"))),
        of(
            "Sub and Div",
            begin()
                .constant("c", new long[] {7}, random(4, 7))
                .node("Sub", List.of("x", "c"), List.of("d"))
                .node("Div", List.of("d", "c"), List.of("y"))),
        of(
            "Pow",
            begin().constant("c", new long[0], 2f).node("Pow", List.of("x", "c"), List.of("y"))),
        of(
            "Max and Min",
            begin()
                .constant("c", new long[] {7}, random(4, 7))
                .node("Max", List.of("x", "c"), List.of("d"))
                .node("Min", List.of("d", "c", "x"), List.of("y"))),
        of("Sum", begin().node("Sum", List.of("x", "x", "x"), List.of("y"))),
        one("Relu", "Relu"),
        of(
            "Clip",
            begin()
                .constant("l", new long[0], -0.5f)
                .constant("h", new long[0], 0.7f)
                .node("Clip", List.of("x", "l", "h"), List.of("y"))),
        of(
            "Clip above",
            begin()
                .constant("h", new long[0], 0.7f)
                .node("Clip", List.of("x", "", "h"), List.of("y"))),
        one("Clip without bounds", "Clip"),
        one("LeakyRelu", "LeakyRelu", "alpha", 0.2f),
        of(
            "PRelu",
            begin()
                .constant("c", new long[] {6, 1, 1}, random(4, 6))
                .node("PRelu", List.of("x", "c"), List.of("y"))),
        one("Elu", "Elu", "alpha", 0.7f),
        one("Sigmoid", "Sigmoid"),
        one("Tanh", "Tanh"),
        one("HardSigmoid", "HardSigmoid", "alpha", 0.3f),
        one("HardSwish", "HardSwish"),
        one("Softmax", "Softmax", "axis", 1L),
        one("LogSoftmax", "LogSoftmax"),
        one("Erf", "Erf"),
        one("Gelu", "Gelu"),
        of(
            "Abs, Sqrt, Log, Exp",
            begin()
                .node("Abs", List.of("x"), List.of("a"))
                .node("Sqrt", List.of("a"), List.of("s"))
                .node("Log", List.of("s"), List.of("l"))
                .node("Exp", List.of("l"), List.of("e"))
                .node("Neg", List.of("e"), List.of("n"))
                .node("Reciprocal", List.of("n"), List.of("y"))),
        one(
            "MaxPool",
            "MaxPool",
            "kernel_shape",
            new long[] {3, 3},
            "strides",
            new long[] {2, 2},
            "pads",
            new long[] {1, 0, 2, 2}),
        one(
            "MaxPool SAME",
            "MaxPool",
            "kernel_shape",
            new long[] {2, 2},
            "strides",
            new long[] {2, 2},
            "auto_pad",
            "SAME_UPPER"),
        one(
            "MaxPool ceil",
            "MaxPool",
            "kernel_shape",
            new long[] {2, 2},
            "strides",
            new long[] {2, 2},
            "ceil_mode",
            1L),
        one(
            "AveragePool",
            "AveragePool",
            "kernel_shape",
            new long[] {3, 3},
            "strides",
            new long[] {2, 2},
            "pads",
            new long[] {1, 1, 1, 1}),
        one(
            "AveragePool with padding counted",
            "AveragePool",
            "kernel_shape",
            new long[] {3, 3},
            "pads",
            new long[] {1, 0, 2, 1},
            "count_include_pad",
            1L),
        one("GlobalAveragePool", "GlobalAveragePool"),
        of(
            "BatchNormalization",
            begin()
                .constant("g", new long[] {6}, random(4, 6))
                .constant("b", new long[] {6}, random(5, 6))
                .constant("m", new long[] {6}, random(6, 6))
                .constant("v", new long[] {6}, 1f, 2f, 3f, 4f, 5f, 6f)
                .node("BatchNormalization", List.of("x", "g", "b", "m", "v"), List.of("y"))),
        of(
            "LayerNormalization",
            begin()
                .constant("g", new long[] {5, 7}, random(4, 35))
                .constant("b", new long[] {5, 7}, random(5, 35))
                .node("LayerNormalization", List.of("x", "g", "b"), List.of("y"), "axis", -2L)),
        one("Transpose", "Transpose", "perm", new long[] {0, 2, 3, 1}),
        one("Transpose turned", "Transpose"),
        one("Flatten at 2", "Flatten", "axis", 2L),
        of(
            "Reshape with zeros",
            begin().longs("s", 0, -1, 7).node("Reshape", List.of("x", "s"), List.of("y"))),
        of(
            "Unsqueeze and Squeeze",
            begin()
                .longs("a", 0, -1)
                .node("Unsqueeze", List.of("x", "a"), List.of("u"))
                .node("Squeeze", List.of("u", "a"), List.of("y"))),
        of("Concat", begin().node("Concat", List.of("x", "x"), List.of("y"), "axis", -1L)),
        of(
            "Slice",
            begin()
                .longs("s", 1, -4)
                .longs("e", 6, 1000)
                .longs("a", 1, 3)
                .longs("t", 2, 1)
                .node("Slice", List.of("x", "s", "e", "a", "t"), List.of("y"))),
        of(
            "Split",
            begin()
                .node("Split", List.of("x"), List.of("a", "b"), "axis", 3L, "num_outputs", 2L)
                .node("ReduceSum", List.of("a"), List.of("c"))
                .node("Mul", List.of("c", "b"), List.of("y"))),
        of(
            "Gather",
            begin()
                .longs("i", 3, -1, 0)
                .node("Gather", List.of("x", "i"), List.of("y"), "axis", 2L)),
        of(
            "Pad",
            begin()
                .longs("p", 0, 0, 1, 2, 0, 0, 0, 1)
                .constant("c", new long[0], 0.5f)
                .node("Pad", List.of("x", "p", "c"), List.of("y"))),
        of(
            "Expand",
            begin().longs("s", 3, 1, 1, 1, 1).node("Expand", List.of("x", "s"), List.of("y"))),
        of(
            "Shape arithmetic",
            begin()
                .longs("z", 0)
                .longs("r", -1)
                .longs("o", 0)
                .node("Shape", List.of("x"), List.of("s"))
                .node("Gather", List.of("s", "z"), List.of("n"))
                .node("Concat", List.of("n", "r"), List.of("t"), "axis", 0L)
                .node("Reshape", List.of("x", "t"), List.of("y"))),
        of(
            "ReduceMean",
            begin()
                .longs("a", 2, -1)
                .node("ReduceMean", List.of("x", "a"), List.of("y"), "keepdims", 0L)),
        of("Cast", begin().node("Cast", List.of("x"), List.of("y"), "to", 1L)),
        one("Identity", "Identity"));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void givesWhatOnnxRuntimeGives(Case one) {
    OperatorChecks.holdAgainstOnnxRuntime(one, 1e-4f);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradientIsThatOfDifferences(Case one) {
    OperatorChecks.holdAgainstDifferences(one);
  }

  private static TareException refused(OnnxModel model) {
    return assertThrows(
        TareException.class,
        () ->
            TrainedModel.of(
                "m.onnx",
                model,
                TensorTypes.of(model, "m.onnx"),
                new QConfigMapping(QConfig.standard(), List.of())));
  }

  @Test
  void nodeWithoutTrainingFormIsNamed() {
    TareException e =
        refused(
            begin()
                .constant("w", new long[] {4, 6, 1, 1}, random(2, 24))
                .node("Conv", List.of("x", "w"), List.of("c"))
                .node("Hardmax", List.of("c"), List.of("y"))
                .output("y")
                .read());
    assertEquals(
        "Cannot train m.onnx: node Hardmax_1 of operator Hardmax: it has no training form;"
            + " set train.freeze-before-untrainable=true to train what comes after it, or quantize"
            + " it without training, by the command run",
        e.getMessage());
  }

  @Test
  void modelWithoutWeightsIsRefused() {
    TareException e = refused(begin().node("Relu", List.of("x"), List.of("y")).output("y").read());
    assertEquals(
        "Cannot train m.onnx: it has no convolution and no product with a constant weight",
        e.getMessage());
  }

  @Test
  void pageListsTheOperators() throws Exception {
    String page = Files.readString(Path.of("src", "site", "markdown", "training.md"));
    String part = page.substring(page.indexOf("## What can be trained"));
    List<String> listed =
        part.substring(0, part.indexOf("\n\nAnother operator"))
            .lines()
            .filter(line -> line.startsWith("- "))
            .flatMap(
                line -> Stream.of(line.substring(line.indexOf(':') + 1).split("[^A-Za-z0-9]+")))
            .filter(word -> !word.isEmpty() && Character.isUpperCase(word.charAt(0)))
            .filter(word -> !List.of("ONNX", "Runtime").contains(word))
            .distinct()
            .sorted()
            .toList();
    assertEquals(
        TorchOperators.names().stream()
            .map(name -> name.substring(name.indexOf(':') + 1))
            .distinct()
            .sorted()
            .toList(),
        listed);
  }

  @Test
  void lengthThatIsNotTheShapesIsRefused() {
    Libtorch.load();
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> Tensors.tensor(new float[5], 2, 3))
            .getMessage()
            .contains("5 values for a tensor of 6"));
  }
}
