package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.tare.train.OperatorChecks.random;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.Sqnr;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.ChosenRanges;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.QParams;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.stats.CalibrationState;

/** Training of recurrent layers and of attention, whose weights are no plain products' weights. */
class LayersWithStateTest {
  private static final int ROWS = 16;
  private static final int STEPS = 4;
  private static final int WIDTH = 6;

  private static final Map<String, Values> INPUTS =
      Map.of("x", new Values(new long[] {ROWS, STEPS, WIDTH}, random(1, ROWS * STEPS * WIDTH)));

  private static OnnxModel recurrent(String op) {
    int gates = op.equals("LSTM") ? 4 : op.equals("GRU") ? 3 : 1;
    return TestModel.opset(17)
        .input("x", -1, STEPS, WIDTH)
        .constant("w", new long[] {2, gates * 5, WIDTH}, random(2, 2 * gates * 5 * WIDTH))
        .constant("r", new long[] {2, gates * 5, 5}, random(3, 2 * gates * 25))
        .constant("b", new long[] {2, gates * 10}, random(4, gates * 20))
        .constant("v", new long[] {10, 3}, random(5, 30))
        .node("Transpose", List.of("x"), List.of("t"), "perm", new long[] {1, 0, 2})
        .node(
            op,
            List.of("t", "w", "r", "b"),
            List.of("", "h"),
            "hidden_size",
            5L,
            "direction",
            "bidirectional")
        .node("Transpose", List.of("h"), List.of("s"), "perm", new long[] {1, 0, 2})
        .node("Flatten", List.of("s"), List.of("f"))
        .node("MatMul", List.of("f", "v"), List.of("y"))
        .output("y")
        .read();
  }

  private static OnnxModel attention() {
    return TestModel.opset(17)
        .input("x", -1, STEPS, WIDTH)
        .constant("w", new long[] {WIDTH, 3 * WIDTH}, random(2, 3 * WIDTH * WIDTH))
        .constant("b", new long[] {3 * WIDTH}, random(3, 3 * WIDTH))
        .node("Attention", List.of("x", "w", "b"), List.of("y"), "num_heads", 2L)
        .domain("com.microsoft", "Attention")
        .output("y")
        .read();
  }

  private static TrainingBatch batch() {
    List<TrainingRow> rows = new ArrayList<>();
    int size = STEPS * WIDTH;
    for (int row = 0; row < ROWS; row++) {
      ByteBuffer bytes = ByteBuffer.allocate(4 * size).order(ByteOrder.nativeOrder());
      bytes.asFloatBuffer().put(INPUTS.get("x").floats(), row * size, size);
      rows.add(
          new TrainingRow(
              new TrainingRow.Value[] {
                new TrainingRow.Value(
                    "x", ElementType.FLOAT32, new long[] {STEPS, WIDTH}, bytes.array())
              },
              -1));
    }
    return new TrainingBatch(rows);
  }

  /** A model with what it is quantized to. */
  private record Quantized(
      OnnxModel model, QConfigMapping mapping, TrainedModel trained, QuantizedModel begun) {
    static Quantized of(OnnxModel model, int bits) {
      QConfigMapping mapping = SimulationTest.mapping(bits, 8);
      Map<String, TensorType> types = TensorTypes.of(model, "test");
      return new Quantized(
          model,
          mapping,
          TrainedModel.of("test", model, types, mapping),
          TestModel.quantize(model, INPUTS, mapping));
    }

    /** With other weights, and the qparams of training. */
    QuantizedModel with(TrainingState state, TrainingOptions options) {
      TrainedQParams qparams = trained.qparams(begun, trained.grids(begun), state, options);
      Map<String, QParams> activations = new HashMap<>();
      begun.activations().forEach((root, q) -> activations.put(root, q.qparams()));
      activations.putAll(qparams.activations());
      return Quantization.quantizeWith(
          trained.with(state),
          TensorTypes.of(model, "test"),
          mapping,
          Quantization.Form.QDQ,
          Optional.of(
              new ChosenRanges(
                  new CalibrationState(model.digest(), 1, new TreeMap<>()),
                  qparams.weights(),
                  activations)),
          Map.of());
    }

    float[] simulated(TrainingState state) {
      try (Trainer trainer =
          new Trainer("test", model, trained.places(), TrainedScalesTest.options(FIXED, 0))) {
        return trainer.outputs(batch(), state, Optional.of(trained.grids(begun))).get("y");
      }
    }
  }

  private static final TrainingOptions.Scales FIXED = TrainingOptions.Scales.FIXED;
  private static final TrainingOptions.Scales LEARNED = TrainingOptions.Scales.LEARNED;

  @Test
  void lstmIsTrainedWithTheIntegersThatAreWritten() {
    Quantized one = Quantized.of(recurrent("LSTM"), 3);
    assertEquals(List.of("w", "r", "b", "v"), List.copyOf(one.trained().places().parameters()));
    Grids grids = one.trained().grids(one.begun());
    assertEquals(2, grids.constants().get("w").scales().length);
    assertEquals(2, grids.constants().get("r").scales().length);
    float[] plain = TestModel.run(one.model(), INPUTS).get("y").floats();
    float[] written = TestModel.run(one.begun().model(), INPUTS).get("y").floats();
    float[] simulated = one.simulated(one.trained().initialState());
    // ONNX Runtime rounds what the layer reads too, to 8 bits, as it runs.
    String found =
        Sqnr.of(written, plain) + " dB, simulated " + Sqnr.of(written, simulated) + " dB";
    assertTrue(Sqnr.of(written, plain) < 20 && Sqnr.of(written, simulated) > 30, found);
  }

  @Test
  void scalesOfTrainedRecurrentWeightsAreThoseOfTraining() {
    for (TrainingOptions.Scales scales : List.of(FIXED, LEARNED)) {
      Quantized one = Quantized.of(recurrent("LSTM"), 4);
      Grids grids = one.trained().grids(one.begun());
      TrainingOptions options = TrainedScalesTest.options(scales, 0);
      TrainingState state = one.trained().initialState(grids, options);
      for (float[] values : state.values()) {
        for (int i = 0; i < values.length; i++) {
          values[i] *= 0.9f;
        }
      }
      Grids now = one.trained().grids(one.with(state, options));
      Grids wanted = TrainedScales.of(one.trained().places(), grids, options).at(state);
      for (String weight : List.of("w", "r")) {
        assertArrayEquals(
            wanted.constants().get(weight).scales(), now.constants().get(weight).scales(), weight);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"LSTM", "GRU", "RNN"})
  void trainingBringsTheRoundedModelNearer(String op) {
    assertNearer(Quantized.of(recurrent(op), 3));
  }

  @Test
  void attentionIsTrained() {
    Quantized one = Quantized.of(attention(), 3);
    assertEquals(List.of("w", "b"), List.copyOf(one.trained().places().parameters()));
    float[] written = TestModel.run(one.begun().model(), INPUTS).get("y").floats();
    float[] simulated = one.simulated(one.trained().initialState());
    assertTrue(Sqnr.of(written, simulated) > 60, Sqnr.of(written, simulated) + " dB");
    assertNearer(one);
  }

  private static void assertNearer(Quantized one) {
    TrainingOptions options =
        new TrainingOptions(
            TrainingOptions.Loss.MSE,
            0,
            Optimizer.Kind.ADAM,
            1,
            1,
            ROWS,
            60,
            0.01,
            0,
            0,
            1,
            FIXED,
            0,
            TrainingOptions.Normalization.FOLDED,
            0,
            TrainingOptions.ZeroPoints.FIXED);
    Grids grids = one.trained().grids(one.begun());
    TrainingState begin = one.trained().initialState(grids, options);
    try (Trainer trainer = Trainer.of(one.trained(), options)) {
      Trainer.Round round = trainer.run(begin, grids, step -> List.of(batch()), 60, 60);
      assertEquals(Optional.empty(), round.failure());
      float[] plain = TestModel.run(one.model(), INPUTS).get("y").floats();
      float[] before = TestModel.run(one.begun().model(), INPUTS).get("y").floats();
      float[] after =
          TestModel.run(one.with(round.state(), options).model(), INPUTS).get("y").floats();
      assertTrue(
          Sqnr.of(plain, after) > Sqnr.of(plain, before) + 1,
          Sqnr.of(plain, before) + " dB became " + Sqnr.of(plain, after));
    }
  }
}
