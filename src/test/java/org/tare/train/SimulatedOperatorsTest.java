package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.tare.train.OperatorChecks.random;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.Sqnr;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.QuantizedModel;

/** Operators between two convolutions are rounded in training where the written model rounds. */
class SimulatedOperatorsTest {
  private static final int ROWS = 4;
  private static final QConfigMapping MAPPING = SimulationTest.mapping(4, 8);

  /** Float sums in another order, and a value in the middle between two integers now and then. */
  private static final double SAME = 55;

  private record Case(String name, OnnxModel model) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static TestModel begin() {
    return TestModel.opset(18)
        .input("x", -1, 3, 6, 6)
        .constant("w1", new long[] {8, 3, 3, 3}, random(2, 216))
        .constant("b1", new long[] {8}, random(3, 8))
        .constant("w2", new long[] {4, 8, 1, 1}, random(4, 32))
        .constant("w3", new long[] {4, 2, 1, 1}, random(5, 8))
        .constant("g", new long[] {8}, random(6, 8))
        .constant("h", new long[] {8}, random(7, 8))
        .node("Conv", List.of("x", "w1", "b1"), List.of("c"), "pads", new long[] {1, 1, 1, 1});
  }

  private static Case of(String name, TestModel model, String weight) {
    return new Case(
        name,
        model
            .node("Conv", List.of("m", weight), List.of("d"))
            .node("Relu", List.of("d"), List.of("y"))
            .output("y", -1, 4, -1, -1)
            .read());
  }

  private static Case resized(String name, float scale, Object... attributes) {
    return of(
        name,
        begin()
            .constant("s", new long[] {4}, 1f, 1f, scale, scale)
            .node("Relu", List.of("c"), List.of("r"))
            .node("Resize", List.of("r", "", "s"), List.of("m"), attributes),
        "w2");
  }

  static Stream<Case> cases() {
    return Stream.of(
        resized("Resize nearest", 2f),
        // With weights of sevenths nothing lies in the middle between two integers.
        resized("Resize linear", 1.4f, "mode", "linear"),
        of(
            "DepthToSpace",
            begin().node("DepthToSpace", List.of("c"), List.of("m"), "blocksize", 2L),
            "w3"),
        of(
            "InstanceNormalization",
            begin().node("InstanceNormalization", List.of("c", "g", "h"), List.of("m")),
            "w2"),
        of("Mish", begin().node("Mish", List.of("c"), List.of("m")), "w2"),
        of("Softplus", begin().node("Softplus", List.of("c"), List.of("m")), "w2"),
        of("GlobalMaxPool", begin().node("GlobalMaxPool", List.of("c"), List.of("m")), "w2"),
        of(
            "Tile",
            begin().longs("t", 1, 1, 2, 1).node("Tile", List.of("c", "t"), List.of("m")),
            "w2"),
        of(
            "Pad reflect",
            begin()
                .longs("p", 0, 0, 2, 1, 0, 0, 1, 2)
                .node("Pad", List.of("c", "p"), List.of("m"), "mode", "reflect"),
            "w2"),
        of(
            "ReduceMax",
            begin().longs("a", 3).node("ReduceMax", List.of("c", "a"), List.of("m")),
            "w2"),
        of("Selu", begin().node("Selu", List.of("c"), List.of("m")), "w2"));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void simulationComputesAsTheWrittenModelDoes(Case one) {
    float[] pixels = random(1, ROWS * 108);
    Map<String, Values> inputs = Map.of("x", new Values(new long[] {ROWS, 3, 6, 6}, pixels));
    List<TrainingRow> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      ByteBuffer bytes = ByteBuffer.allocate(432).order(ByteOrder.nativeOrder());
      bytes.asFloatBuffer().put(pixels, row * 108, 108);
      rows.add(
          new TrainingRow(
              new TrainingRow.Value[] {
                new TrainingRow.Value("x", ElementType.FLOAT32, new long[] {3, 6, 6}, bytes.array())
              },
              -1));
    }
    QuantizedModel quantized = TestModel.quantize(one.model(), inputs, MAPPING);
    TrainedModel trained =
        TrainedModel.of("m", one.model(), TensorTypes.of(one.model(), "m"), MAPPING);
    float[] plain = TestModel.run(one.model(), inputs).get("y").floats();
    float[] written = TestModel.run(quantized.model(), inputs).get("y").floats();
    try (Trainer trainer = Trainer.of(trained, null)) {
      float[] simulated =
          trainer
              .outputs(
                  new TrainingBatch(rows),
                  trained.initialState(),
                  Optional.of(trained.grids(quantized)))
              .get("y");
      String found =
          Sqnr.of(plain, written) + " dB, simulated " + Sqnr.of(written, simulated) + " dB";
      assertTrue(Sqnr.of(plain, written) < 35 && Sqnr.of(written, simulated) > SAME, found);
    }
  }
}
