package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.tare.train.OperatorChecks.random;
import static org.tare.train.OperatorChecks.values;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.train.OperatorChecks.Case;
import org.tare.train.torch.TorchOperators;

/** Attention as one operator on libtorch. */
class AttentionOperatorsTest {
  private static final int ROWS = 2;
  private static final int PLACES = 3;
  private static final int WIDTH = 4;

  private static Case packed(String name, List<String> more, Object... attributes) {
    return packed(name, 12, more, attributes);
  }

  private static Case packed(String name, int width, List<String> more, Object... attributes) {
    List<String> inputs = new ArrayList<>(List.of("x", "w"));
    inputs.addAll(more);
    TestModel model =
        TestModel.opset(17)
            .input("x", ROWS, PLACES, WIDTH)
            .constant("w", new long[] {WIDTH, width}, random(2, WIDTH * width))
            .constant("b", new long[] {width}, random(3, width))
            .constant("bias", new long[] {1, 2, PLACES, PLACES}, random(4, 18))
            .initializer(OperatorChecks.ints("counts", new long[] {ROWS}, new int[] {2, 3}))
            .initializer(
                OperatorChecks.ints(
                    "keys", new long[] {ROWS, PLACES}, new int[] {1, 0, 1, 0, 1, 1}))
            .initializer(
                OperatorChecks.ints(
                    "pairs",
                    new long[] {ROWS, PLACES, PLACES},
                    new int[] {1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0}))
            .node("Attention", inputs, List.of("y"), attributes)
            .domain("com.microsoft", "Attention")
            .output("y");
    return new Case("packed, " + name, model.read(), Map.of("x", values(1, ROWS, PLACES, WIDTH)));
  }

  private static Case multiHead(String name, List<String> more, Object... attributes) {
    List<String> inputs = new ArrayList<>(List.of("q", "k", "v"));
    inputs.addAll(more);
    TestModel model =
        TestModel.opset(17)
            .input("q", ROWS, PLACES, WIDTH)
            .input("k", ROWS, 5, WIDTH)
            .input("v", ROWS, 5, 6)
            .constant("b", new long[] {14}, random(4, 14))
            .constant("bias", new long[] {1, 2, PLACES, 5}, random(5, 30))
            .initializer(
                OperatorChecks.ints(
                    "keys", new long[] {ROWS, 5}, new int[] {1, 1, 0, 1, 0, 0, 1, 1, 1, 1}))
            .node("MultiHeadAttention", inputs, List.of("y"), attributes)
            .domain("com.microsoft", "MultiHeadAttention")
            .output("y");
    Map<String, Values> given =
        Map.of(
            "q", values(1, ROWS, PLACES, WIDTH),
            "k", values(2, ROWS, 5, WIDTH),
            "v", values(3, ROWS, 5, 6));
    return new Case("multi-head, " + name, model.read(), given);
  }

  private static Case standard(
      String name, long[] q, long[] k, List<String> more, Object... attributes) {
    List<String> inputs = new ArrayList<>(List.of("q", "k", "v"));
    inputs.addAll(more);
    TestModel model =
        TestModel.opset(23)
            .input("q", q)
            .input("k", k)
            .input("v", k)
            .constant("bias", new long[] {PLACES, 5}, random(5, 15))
            .initializer(
                Tensor.ofLongs(
                    "seen", new long[] {PLACES, 5}, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1))
            .node("Cast", List.of("seen"), List.of("mask"), "to", 9L)
            .node("Attention", inputs, List.of("y"), attributes)
            .output("y");
    Map<String, Values> given = new HashMap<>();
    given.put("q", values(1, q));
    given.put("k", values(2, k));
    given.put("v", values(3, k));
    return new Case("standard, " + name, model.read(), given);
  }

  static Stream<Case> cases() {
    long[] flat = {ROWS, PLACES, 8};
    long[] keys = {ROWS, 5, 8};
    long[] fewer = {ROWS, 5, 4};
    Object[] heads = {"q_num_heads", 2L, "kv_num_heads", 2L};
    return Stream.of(
        packed("plain", List.of("b"), "num_heads", 2L),
        packed("scaled, masked", List.of("b", "counts"), "num_heads", 2L, "scale", 0.3f),
        packed("keys", List.of("b", "keys"), "num_heads", 1L),
        packed("pairs", List.of("b", "pairs"), "num_heads", 2L, "mask_filter_value", -50f),
        packed("unidirectional", List.of("b"), "num_heads", 2L, "unidirectional", 1L),
        packed("bias", List.of("b", "", "", "bias"), "num_heads", 2L),
        packed(
            "sizes", 14, List.of("b"), "num_heads", 2L, "qkv_hidden_sizes", new long[] {4, 4, 6}),
        multiHead("plain", List.of(), "num_heads", 2L),
        multiHead("bias", List.of("b"), "num_heads", 2L, "scale", 0.4f),
        multiHead("keys", List.of("", "keys"), "num_heads", 1L),
        multiHead("all", List.of("b", "keys", "bias"), "num_heads", 2L),
        standard("flat", flat, keys, List.of(), heads),
        standard("mask", flat, keys, List.of("mask"), heads),
        standard("bias", flat, keys, List.of("bias"), heads),
        standard("grouped", flat, fewer, List.of("bias"), "q_num_heads", 4L, "kv_num_heads", 2L),
        standard(
            "heads apart, causal",
            new long[] {ROWS, 2, PLACES, 4},
            new long[] {ROWS, 2, PLACES, 4},
            List.of(),
            "is_causal",
            1L,
            "scale",
            0.7f));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void givesWhatOnnxRuntimeGives(Case one) {
    OperatorChecks.holdAgainstOnnxRuntime(one, 1e-5f);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradientIsThatOfDifferences(Case one) {
    OperatorChecks.holdAgainstDifferences(one);
  }

  private static Case embeddings(List<String> inputs) {
    TestModel model =
        TestModel.opset(17)
            .input("x", ROWS, PLACES)
            .input("m", ROWS, PLACES)
            .node("Cast", List.of("x"), List.of("ids"), "to", (long) ElementType.INT32.code())
            .node("Cast", List.of("m"), List.of("mask"), "to", (long) ElementType.INT32.code())
            .constant("w", new long[] {7, 4}, random(2, 28))
            .constant("p", new long[] {5, 4}, random(3, 20))
            .constant("s", new long[] {2, 4}, random(4, 8))
            .constant("g", new long[] {4}, random(5, 4))
            .constant("b", new long[] {4}, random(6, 4))
            .node(
                "EmbedLayerNormalization", inputs, List.of("y", "counts", "sum"), "epsilon", 1e-5f)
            .domain("com.microsoft", "EmbedLayerNormalization")
            .node("Cast", List.of("counts"), List.of("z"), "to", 1L)
            .output("y")
            .output("z")
            .output("sum");
    return new Case(
        "embeddings",
        model.read(),
        Map.of(
            "x", new Values(new long[] {ROWS, PLACES}, new float[] {6, 0, 3, 3, 1, 2}),
            "m", new Values(new long[] {ROWS, PLACES}, new float[] {1, 1, 0, 1, 1, 1})));
  }

  @Test
  void embeddingsAreThoseOfOnnxRuntime() {
    OperatorChecks.holdAgainstOnnxRuntime(
        embeddings(List.of("ids", "mask", "w", "p", "s", "g", "b", "mask")), 1e-5f);
    OperatorChecks.holdAgainstOnnxRuntime(
        embeddings(List.of("ids", "", "w", "p", "", "g", "b")), 1e-5f);
  }

  @Test
  void whatHasNoFormIsNamed() {
    Node node =
        Node.of(Node.MICROSOFT, "Attention", "a", List.of("x", "w", "b", "", "past"), List.of("y"));
    assertEquals(Optional.of("it reads past"), TorchOperators.obstacle(node));
    Node present =
        Node.of(Node.MICROSOFT, "Attention", "a", List.of("x", "w", "b"), List.of("y", "present"));
    assertEquals(Optional.of("it gives \"present\" too"), TorchOperators.obstacle(present));
    Node one = Node.of(Node.MICROSOFT, "MultiHeadAttention", "a", List.of("x"), List.of("y"));
    assertEquals(
        Optional.of("its query, key and value are one tensor"), TorchOperators.obstacle(one));
    Node other = Node.of("org.other", "Attention", "a", List.of("x"), List.of("y"));
    assertEquals(Optional.of("it has no training form"), TorchOperators.obstacle(other));
  }
}
