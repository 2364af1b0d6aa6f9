package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.Sqnr;
import org.tare.infer.ConstantFolding;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.ChosenRanges;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.stats.CalibrationState;

/** What training computes with is what the written model computes with. */
class SimulationTest {
  private static final int ROWS = 8;

  @TempDir Path folder;

  static QConfigMapping mapping(int weightBits, int activationBits) {
    return new QConfigMapping(
        new QConfig(
            true,
            new TensorQConfig(
                new RangeMethod.MinMax(),
                DType.UINT8,
                QScheme.PER_TENSOR_AFFINE,
                0,
                activationBits),
            new TensorQConfig(
                new RangeMethod.Mse(), DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC, 0, weightBits),
            false),
        List.of());
  }

  private OnnxModel digits() throws Exception {
    Path file = folder.resolve("digits.onnx");
    try (var in = getClass().getResourceAsStream("/org/tare/demo/digits-mobilenet.onnx")) {
      Files.copy(in, file);
    }
    return OnnxModel.read(file);
  }

  private static TrainingBatch batch(float[] values, long... shape) {
    List<TrainingRow> rows = new ArrayList<>();
    int size = values.length / ROWS;
    for (int row = 0; row < ROWS; row++) {
      ByteBuffer bytes = ByteBuffer.allocate(4 * size).order(ByteOrder.nativeOrder());
      bytes.asFloatBuffer().put(values, row * size, size);
      rows.add(
          new TrainingRow(
              new TrainingRow.Value[] {
                new TrainingRow.Value("image", ElementType.FLOAT32, shape, bytes.array())
              },
              -1));
    }
    return new TrainingBatch(rows);
  }

  /**
   * Noise of the difference is that of float32 sums in another order, and a value that lies on the
   * middle between two integers now and then.
   */
  private static final double SAME = 60;

  @Test
  void digitsComputeAsTheWrittenModelDoes() throws Exception {
    OnnxModel model = digits();
    QConfigMapping mapping = mapping(4, 8);
    Random random = new Random(5);
    float[] pixels = new float[ROWS * 28 * 28];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = Math.max(0, random.nextFloat() * 2 - 1);
    }
    Map<String, Values> inputs = Map.of("image", new Values(new long[] {ROWS, 1, 28, 28}, pixels));
    QuantizedModel quantized = TestModel.quantize(model, inputs, mapping);
    OnnxModel prepared =
        FloatPasses.prepare(
            ConstantFolding.apply(model, "test"),
            FloatPasses.Options.none(),
            older -> TensorTypes.of(older, "test"));
    Map<String, TensorType> types = TensorTypes.of(prepared, "test");
    TrainedModel trained = TrainedModel.of("digits", prepared, types, mapping);
    float[] written = TestModel.run(quantized.model(), inputs).get("logits").floats();
    float[] plain = TestModel.run(prepared, inputs).get("logits").floats();
    try (Trainer trainer = new Trainer("digits", trained.model(), trained.places(), null)) {
      float[] simulated =
          trainer
              .outputs(
                  batch(pixels, 1, 28, 28),
                  trained.initialState(),
                  Optional.of(trained.grids(quantized)))
              .get("logits");
      String found =
          "written "
              + Sqnr.of(plain, written)
              + " dB, simulated "
              + Sqnr.of(plain, simulated)
              + " dB, from each other "
              + Sqnr.of(written, simulated)
              + " dB";
      assertTrue(Sqnr.of(written, simulated) > SAME, found);
      assertTrue(Sqnr.of(plain, simulated) < 30, found);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = TrainingOptions.Scales.class,
      names = {"OBSERVED", "LEARNED"})
  void scalesThatChangedGoIntoTheWrittenModelAsTheyAre(TrainingOptions.Scales scales)
      throws Exception {
    assertWritten(TrainedScalesTest.options(scales, 0));
  }

  @Test
  void zeroPointsThatChangedGoIntoTheWrittenModelAsTheyAre() throws Exception {
    assertWritten(TrainedScalesTest.zeroPoints());
  }

  private void assertWritten(TrainingOptions options) throws Exception {
    QConfigMapping mapping = mapping(4, 8);
    Random random = new Random(6);
    float[] pixels = new float[ROWS * 28 * 28];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = Math.max(0, random.nextFloat() * 2 - 1);
    }
    Map<String, Values> inputs = Map.of("image", new Values(new long[] {ROWS, 1, 28, 28}, pixels));
    OnnxModel model = digits();
    QuantizedModel begun = TestModel.quantize(model, inputs, mapping);
    OnnxModel prepared =
        FloatPasses.prepare(
            ConstantFolding.apply(model, "test"),
            FloatPasses.Options.none(),
            older -> TensorTypes.of(older, "test"));
    Map<String, TensorType> types = TensorTypes.of(prepared, "test");
    TrainedModel trained = TrainedModel.of("digits", prepared, types, mapping);
    Grids grids = trained.grids(begun);
    TrainingState state = trained.initialState(grids, options);
    for (int i = trained.initialState().values().length; i < state.values().length; i++) {
      for (int k = 0; k < state.values()[i].length; k++) {
        state.values()[i][k] *= 0.8f + 0.4f * random.nextFloat();
      }
      if (options.zeroPoints() == TrainingOptions.ZeroPoints.LEARNED
          && state.values()[i].length == 2) {
        state.values()[i][1] = 0.1f * random.nextFloat() - 0.03f;
      }
    }
    TrainedQParams qparams = trained.qparams(begun, grids, state, options);
    boolean hasMoved =
        qparams.activations().entrySet().stream()
            .anyMatch(
                one ->
                    one.getValue().zeroPoint()
                        != grids.activations().get(one.getKey()).zeroPoints()[0]);
    if (options.zeroPoints() == TrainingOptions.ZeroPoints.LEARNED) {
      assertTrue(hasMoved, "no zero point changed");
    }
    QuantizedModel quantized =
        Quantization.quantizeWith(
            trained.with(state),
            types,
            mapping,
            Quantization.Form.QDQ,
            Optional.of(
                new ChosenRanges(
                    new CalibrationState(model.digest(), 1, new TreeMap<>()),
                    qparams.weights(),
                    qparams.activations())),
            Map.of());
    float[] first = TestModel.run(begun.model(), inputs).get("logits").floats();
    float[] written = TestModel.run(quantized.model(), inputs).get("logits").floats();
    assertTrue(Sqnr.of(first, written) < SAME, "the scales did not change");
    try (Trainer trainer = new Trainer("digits", trained.model(), trained.places(), options)) {
      float[] simulated =
          trainer
              .outputs(batch(pixels, 1, 28, 28), state, Optional.of(trained.grids(quantized)))
              .get("logits");
      assertTrue(Sqnr.of(written, simulated) > SAME, Sqnr.of(written, simulated) + " dB");
      float[] trainedOn =
          trainer
              .outputs(
                  batch(pixels, 1, 28, 28),
                  state,
                  Optional.of(TrainedScales.of(trained.places(), grids, options).at(state)))
              .get("logits");
      assertTrue(Sqnr.of(written, trainedOn) > SAME, Sqnr.of(written, trainedOn) + " dB");
    }
  }
}
