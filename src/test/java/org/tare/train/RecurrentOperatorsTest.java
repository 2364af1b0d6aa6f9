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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.train.OperatorChecks.Case;
import org.tare.train.torch.TorchOperators;

/** LSTM, GRU and RNN on libtorch. */
class RecurrentOperatorsTest {
  private static final int STEPS = 5;
  private static final int ROWS = 3;
  private static final int WIDTH = 4;
  private static final int HIDDEN = 2;

  /** What a node reads beside its inputs and weights. */
  private enum With {
    NOTHING,
    BIAS,
    STATES,
    LENGTHS,
    ALL;

    boolean has(With one) {
      return this == one || this == ALL;
    }
  }

  private static int gates(String op) {
    return switch (op) {
      case "LSTM" -> 4;
      case "GRU" -> 3;
      default -> 1;
    };
  }

  private static Case of(String op, String direction, With with, Object... more) {
    int directions = direction.equals("bidirectional") ? 2 : 1;
    int rows = gates(op) * HIDDEN;
    TestModel model =
        TestModel.opset(17)
            .input("x", STEPS, ROWS, WIDTH)
            .constant(
                "w", new long[] {directions, rows, WIDTH}, random(2, directions * rows * WIDTH))
            .constant(
                "r", new long[] {directions, rows, HIDDEN}, random(3, directions * rows * HIDDEN))
            .constant("b", new long[] {directions, 2 * rows}, random(4, directions * 2 * rows))
            .initializer(OperatorChecks.ints("lengths", new long[] {ROWS}, new int[] {3, 5, 1}));
    Map<String, Values> inputs = new HashMap<>();
    inputs.put("x", values(1, STEPS, ROWS, WIDTH));
    List<String> read = new ArrayList<>(List.of("x", "w", "r"));
    read.add(with.has(With.BIAS) ? "b" : "");
    read.add(with.has(With.LENGTHS) ? "lengths" : "");
    List<String> states = op.equals("LSTM") ? List.of("h", "c") : List.of("h");
    if (with.has(With.STATES)) {
      for (String state : states) {
        model.input(state, directions, ROWS, HIDDEN);
        inputs.put(state, values(read.size(), directions, ROWS, HIDDEN));
        read.add(state);
      }
    }
    List<Object> attributes =
        new ArrayList<>(List.of("hidden_size", (long) HIDDEN, "direction", direction));
    attributes.addAll(List.of(more));
    List<String> outputs = new ArrayList<>(List.of("y", "y_h"));
    if (op.equals("LSTM")) {
      outputs.add("y_c");
    }
    model.node(op, read, outputs, attributes.toArray());
    outputs.forEach(model::output);
    String name = op + ", " + direction + ", " + with + List.of(more).subList(0, more.length / 2);
    return new Case(name, model.read(), inputs);
  }

  static Stream<Case> cases() {
    Stream<Case> all =
        Stream.of("LSTM", "GRU", "RNN")
            .flatMap(
                op ->
                    Stream.of("forward", "reverse", "bidirectional")
                        .flatMap(
                            direction ->
                                Stream.of(With.values()).map(with -> of(op, direction, with))));
    return Stream.concat(
        all,
        Stream.of(
            of("GRU", "forward", With.ALL, "linear_before_reset", 1L),
            of("GRU", "bidirectional", With.ALL, "linear_before_reset", 1L),
            of("GRU", "reverse", With.NOTHING, "linear_before_reset", 1L),
            of("RNN", "forward", With.ALL, "activations", new String[] {"Relu"}),
            of("RNN", "bidirectional", With.ALL, "activations", new String[] {"Relu", "Tanh"}),
            of(
                "LSTM",
                "forward",
                With.ALL,
                "activations",
                new String[] {"Sigmoid", "Tanh", "Tanh"})));
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

  static Stream<org.junit.jupiter.params.provider.Arguments> refusals() {
    return Stream.of(
        refusal("it clips what its functions read", "LSTM", "clip", 3f),
        refusal("its input_forget is set", "LSTM", "input_forget", 1L),
        refusal("its layout is 1", "GRU", "layout", 1L),
        refusal(
            "it has the activation HardSigmoid",
            "LSTM",
            "activations",
            new String[] {"HardSigmoid", "Tanh", "Tanh"}),
        refusal(
            "it has the activation Softsign",
            "GRU",
            "activations",
            new String[] {"Sigmoid", "Softsign"}),
        refusal("it has the activation Affine", "RNN", "activations", new String[] {"Affine"}));
  }

  private static org.junit.jupiter.params.provider.Arguments refusal(
      String message, String op, Object... attributes) {
    return org.junit.jupiter.params.provider.Arguments.of(
        message, of(op, "forward", With.NOTHING, attributes).model());
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void whatHasNoFormIsNamed(String message, OnnxModel model) {
    assertEquals(Optional.of(message), TorchOperators.obstacle(model.graph().nodes().get(0)));
  }

  @ParameterizedTest
  @CsvSource({"LSTM"})
  void peepholesAreNamed(String op) {
    Node node = Node.of(op, "l", List.of("x", "w", "r", "", "", "", "", "p"), List.of("y"));
    assertEquals(Optional.of("it has peepholes"), TorchOperators.obstacle(node));
  }
}
