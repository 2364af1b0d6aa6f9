package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.tare.train.OperatorChecks.random;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.QConfigMapping;
import org.tare.train.torch.Libtorch;

/** What comes before a node that cannot be trained through stays as it is. */
class FrozenPartTest {
  private static final int ROWS = 8;
  private static final QConfigMapping MAPPING = SimulationTest.mapping(3, 8);
  private static final Map<String, Values> INPUTS =
      Map.of("x", new Values(new long[] {ROWS, 2, 5, 5}, random(1, ROWS * 50)));

  @BeforeAll
  static void load() {
    Libtorch.load();
  }

  private static TestModel begin() {
    return TestModel.opset(17)
        .input("x", -1, 2, 5, 5)
        .constant("w1", new long[] {4, 2, 1, 1}, random(2, 8))
        .constant("w2", new long[] {4, 4, 3, 3}, random(3, 144))
        .constant("w3", new long[] {4, 3}, random(4, 12))
        .constant("b3", new long[] {3}, random(5, 3))
        .node("Conv", List.of("x", "w1"), List.of("c1"));
  }

  private static OnnxModel end(TestModel model, String from) {
    return model
        .node("Conv", List.of(from, "w2"), List.of("c2"))
        .node("GlobalAveragePool", List.of("c2"), List.of("p"))
        .node("Flatten", List.of("p"), List.of("f"))
        .node("Gemm", List.of("f", "w3", "b3"), List.of("y"))
        .output("y", -1, 3)
        .read();
  }

  /** LRN has no form. */
  private static OnnxModel normalized() {
    return end(begin().node("LRN", List.of("c1"), List.of("n"), "size", 3L), "n");
  }

  /** Both the frozen node and others read what comes before; the result of IsInf is of bool. */
  private static OnnxModel branched() {
    return end(
        begin()
            .node("IsInf", List.of("c1"), List.of("i"))
            .node("Relu", List.of("c1"), List.of("r"))
            .node("Where", List.of("i", "c1", "r"), List.of("n")),
        "n");
  }

  /** The node's graphs read what is outside of them. */
  private static OnnxModel inner() {
    TestModel yes = TestModel.opset(17).node("Relu", List.of("c1"), List.of("a")).output("a");
    TestModel no = TestModel.opset(17).node("Neg", List.of("c1"), List.of("e")).output("e");
    return end(
        begin()
            .constant("z", new long[0], 0f)
            .node("ReduceMean", List.of("c1"), List.of("m"), "keepdims", 0L)
            .node("Greater", List.of("m", "z"), List.of("g"))
            .node("If", List.of("g"), List.of("n"), "then_branch", yes, "else_branch", no),
        "n");
  }

  /** A frozen node gives a result of the model. */
  private static OnnxModel results() {
    return end(
        begin()
            .node("LRN", List.of("c1"), List.of("n"), "size", 3L)
            .node("Hardmax", List.of("n"), List.of("h"))
            .output("h"),
        "n");
  }

  static Stream<OnnxModel> models() {
    return Stream.of(normalized(), branched(), inner(), results());
  }

  private static TrainedModel trained(OnnxModel model, Untrainable untrainable) {
    return TrainedModel.of("m.onnx", model, TensorTypes.of(model, "m.onnx"), MAPPING, untrainable);
  }

  private static TareException refusal(OnnxModel model, Untrainable untrainable) {
    TareException e = assertThrows(TareException.class, () -> trained(model, untrainable));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    return e;
  }

  private static TrainingBatch batch() {
    List<TrainingRow> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      ByteBuffer bytes = ByteBuffer.allocate(200).order(ByteOrder.nativeOrder());
      bytes.asFloatBuffer().put(INPUTS.get("x").floats(), row * 50, 50);
      rows.add(
          new TrainingRow(
              new TrainingRow.Value[] {
                new TrainingRow.Value("x", ElementType.FLOAT32, new long[] {2, 5, 5}, bytes.array())
              },
              -1));
    }
    return new TrainingBatch(rows);
  }

  private static TrainingOptions options(int steps) {
    return new TrainingOptions(
        TrainingOptions.Loss.MSE,
        0,
        Optimizer.Kind.ADAM,
        1,
        1,
        ROWS,
        steps,
        0.02,
        0,
        0,
        1,
        TrainingOptions.Scales.FIXED,
        0,
        TrainingOptions.Normalization.FOLDED,
        0,
        TrainingOptions.ZeroPoints.FIXED);
  }

  @ParameterizedTest
  @MethodSource("models")
  void frozenPartAndTheRestGiveWhatTheWholeGives(OnnxModel model) {
    Map<String, Values> expected = TestModel.run(model, INPUTS);
    TrainedModel trained = trained(model, Untrainable.FROZEN);
    assertEquals(List.of("w2", "w3", "b3"), List.copyOf(trained.places().parameters()));
    try (Trainer trainer = Trainer.of(trained, options(1))) {
      Map<String, float[]> actual =
          trainer.outputs(batch(), trained.initialState(), Optional.empty());
      assertEquals(expected.keySet(), actual.keySet());
      expected.forEach(
          (name, values) -> assertArrayEquals(values.floats(), actual.get(name), 1e-5f, name));
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void whatComesAfterIsTrainedAlone(OnnxModel model) {
    int steps = 40;
    TrainedModel trained = trained(model, Untrainable.FROZEN);
    Grids grids = trained.grids(TestModel.quantize(model, INPUTS, MAPPING));
    try (Trainer trainer = Trainer.of(trained.send(), options(steps))) {
      Trainer.Round round =
          trainer.run(trained.initialState(), grids, step -> List.of(batch()), steps, steps);
      assertEquals(Optional.empty(), round.failure());
      double last = round.losses()[steps - 1];
      assertTrue(last < 0.7 * round.losses()[0], round.losses()[0] + " became " + last);
      OnnxModel after = trained.with(round.state());
      for (String weight : List.of("w1", "w2", "w3", "b3")) {
        float[] before = model.graph().floatConstant(weight).orElseThrow();
        float[] now = after.graph().floatConstant(weight).orElseThrow();
        assertEquals(weight.equals("w1"), java.util.Arrays.equals(before, now), weight);
      }
    }
  }

  @Test
  void allThatAFrozenNodeDependsOnIsFrozen() {
    // Conv, ReduceMean, Greater and If, which reads Conv's result from within.
    assertEquals(Set.of(0, 1, 2, 3), trained(inner(), Untrainable.FROZEN).places().frozen());
    assertEquals(Set.of(0, 1), trained(branched(), Untrainable.FROZEN).places().frozen());
  }

  @Test
  void weightThatTheFrozenPartReadsTooStays() {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 2, 5, 5)
            .constant("w1", new long[] {2, 2, 1, 1}, random(2, 4))
            .constant("b1", new long[] {2}, random(6, 2))
            .constant("w3", new long[] {5, 3}, random(4, 15))
            .node("Conv", List.of("x", "w1", "b1"), List.of("c1"))
            .node("LRN", List.of("c1"), List.of("n"), "size", 3L)
            .node("Conv", List.of("n", "w1", "b1"), List.of("c2"))
            .node("MatMul", List.of("c2", "w3"), List.of("y"))
            .output("y")
            .read();
    TrainedModel trained = trained(model, Untrainable.FROZEN);
    assertEquals(List.of("w3"), List.copyOf(trained.places().parameters()));
    assertEquals(Set.of(0, 1), trained.places().frozen());
  }

  @Test
  void withoutTheSettingTheModelIsRefusedAndTheSettingNamed() {
    assertEquals(
        "Cannot train m.onnx: node LRN_1 of operator LRN: it has no training form; set"
            + " train.freeze-before-untrainable=true to train what comes after it, or quantize it"
            + " without training, by the command run",
        refusal(normalized(), Untrainable.REFUSED).getMessage());
  }

  @Test
  void modelWithoutWeightsAfterTheNodeIsRefused() {
    OnnxModel model =
        begin().node("LRN", List.of("c1"), List.of("y"), "size", 3L).output("y").read();
    assertEquals(
        "Cannot train m.onnx: it has no convolution and no product with a constant weight after"
            + " what cannot be trained: node LRN_1 of operator LRN: it has no training form",
        refusal(model, Untrainable.FROZEN).getMessage());
  }

  @Test
  void typeThatLibtorchDoesNotGetIsRefused() {
    OnnxModel model =
        end(
            begin()
                .node("Cast", List.of("c1"), List.of("i"), "to", (long) ElementType.UINT8.code())
                .node("Cast", List.of("i"), List.of("n"), "to", 1L),
            "n");
    assertEquals(
        "Cannot train m.onnx: \"i\", which comes out of its frozen part, is UINT8; training takes"
            + " float32, int64, int32 and bool",
        refusal(model, Untrainable.FROZEN).getMessage());
  }

  @Test
  void nothingIsFrozenWhereAllCanBeTrained() {
    OnnxModel model = end(begin(), "c1");
    assertFalse(TrainedModel.obstacle(model).isPresent());
    TrainedModel trained = trained(model, Untrainable.FROZEN);
    assertEquals(Set.of(), trained.places().frozen());
    assertEquals(List.of("w1", "w2", "w3", "b3"), List.copyOf(trained.places().parameters()));
  }
}
