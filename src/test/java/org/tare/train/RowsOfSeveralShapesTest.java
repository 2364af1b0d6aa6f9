package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.qconfig.QConfigMapping;

/** Steps on sequences of several lengths, and on sequences that are filled up. */
class RowsOfSeveralShapesTest {
  private static final int WIDTH = 4;
  private static final double RATE = 0.1;

  /** Steps change weights by about 0.1; they differ by what adding in another order rounds. */
  private static final float SAME = 1e-6f;

  private static float[] random(int seed, int count) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /**
   * A layer for each place of a sequence.
   *
   * @param scores for each place; with one, the output has no axis of scores
   */
  private static OnnxModel model(int scores) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, -1, WIDTH)
            .constant("w", new long[] {WIDTH, scores}, random(1, WIDTH * scores))
            .constant("b", new long[] {scores}, random(2, scores))
            .longs("last", 2)
            .node("MatMul", List.of("x", "w"), List.of("m"))
            .node("Add", List.of("m", "b"), List.of("a"));
    return (scores > 1 ? model : model.node("Squeeze", List.of("a", "last"), List.of("y")))
        .output(scores > 1 ? "a" : "y")
        .read();
  }

  /**
   * A sequence.
   *
   * @param length of what it holds
   * @param filled up to this length with other values
   */
  private static TrainingRow row(int seed, int length, int filled) {
    ByteBuffer x = ByteBuffer.allocate(4 * filled * WIDTH).order(ByteOrder.nativeOrder());
    float[] filling = random(seed + 1000, filled * WIDTH);
    System.arraycopy(random(seed, length * WIDTH), 0, filling, 0, length * WIDTH);
    x.asFloatBuffer().put(filling);
    ByteBuffer mask = ByteBuffer.allocate(8 * filled).order(ByteOrder.nativeOrder());
    long[] kept = new long[filled];
    Arrays.fill(kept, 0, length, 1);
    mask.asLongBuffer().put(kept);
    return new TrainingRow(
        new TrainingRow.Value[] {
          new TrainingRow.Value("x", ElementType.FLOAT32, new long[] {filled, WIDTH}, x.array()),
          new TrainingRow.Value("mask", ElementType.INT64, new long[] {filled}, mask.array())
        },
        -1);
  }

  private static TrainingOptions options(TrainingOptions.Loss loss) {
    return new TrainingOptions(
        loss,
        0,
        Optimizer.Kind.SGD,
        1,
        1,
        1,
        1,
        RATE,
        0,
        0,
        1,
        TrainingOptions.Scales.FIXED,
        0,
        TrainingOptions.Normalization.FOLDED,
        0,
        TrainingOptions.ZeroPoints.FIXED);
  }

  /** What one step changes, with its loss behind. */
  private static float[] step(OnnxModel model, TrainingOptions.Loss loss, List<TrainingBatch> on) {
    QConfigMapping mapping = SimulationTest.mapping(2, 8);
    TrainedModel trained = TrainedModel.of("m", model, TensorTypes.of(model, "m"), mapping);
    Map<String, TestModel.Values> inputs =
        Map.of("x", new TestModel.Values(new long[] {1, 64, WIDTH}, random(9, 64 * WIDTH)));
    Grids grids = trained.grids(TestModel.quantize(model, inputs, mapping));
    TrainingOptions options = options(loss);
    TrainingState begin = trained.initialState(grids, options);
    try (Trainer trainer = Trainer.of(trained, options)) {
      Trainer.Round round = trainer.run(begin, grids, step -> on, 1, 1);
      assertEquals(Optional.empty(), round.failure());
      List<Float> changes = new ArrayList<>();
      for (int i = 0; i < begin.values().length; i++) {
        for (int k = 0; k < begin.values()[i].length; k++) {
          changes.add(round.state().values()[i][k] - begin.values()[i][k]);
        }
      }
      changes.add((float) round.losses()[0]);
      float[] all = new float[changes.size()];
      for (int i = 0; i < all.length; i++) {
        all[i] = changes.get(i);
      }
      return all;
    }
  }

  @Test
  void shapesWeighAsManyRowsAsTheyHave() {
    List<TrainingRow> rows =
        List.of(row(1, 3, 3), row(2, 5, 5), row(3, 3, 3), row(4, 3, 3), row(5, 2, 2));
    List<TrainingBatch> parts = new TrainingBatch(rows).parts();
    assertEquals(
        List.of(
            List.of(rows.get(0), rows.get(2), rows.get(3)), rows.subList(1, 2), rows.subList(4, 5)),
        parts.stream().map(TrainingBatch::rows).toList());
    OnnxModel model = model(3);
    float[] all = step(model, TrainingOptions.Loss.MSE, parts);
    float[] expected = new float[all.length];
    for (TrainingBatch part : parts) {
      float[] alone = step(model, TrainingOptions.Loss.MSE, List.of(part));
      for (int i = 0; i < all.length; i++) {
        expected[i] += alone[i] * part.rows().size() / rows.size();
      }
    }
    assertArrayEquals(expected, all, SAME);
  }

  @ParameterizedTest
  @CsvSource({"MSE, 3", "KL, 3", "MSE, 1", "KL, 1"})
  void fillingDoesNotCount(TrainingOptions.Loss loss, int scores) {
    OnnxModel model = model(scores);
    Optional<String> mask = Optional.of("mask");
    float[] bare = step(model, loss, List.of(batch(mask, 5, 5)));
    float[] filled = step(model, loss, List.of(batch(mask, 5, 8)));
    assertArrayEquals(bare, filled, SAME);
    // Without the mask it would.
    float[] counted = step(model, loss, List.of(batch(Optional.empty(), 5, 8)));
    float greatest = 0;
    for (int i = 0; i < bare.length; i++) {
      greatest = Math.max(greatest, Math.abs(bare[i] - counted[i]));
    }
    assertTrue(greatest > 100 * SAME, "the filling made no difference");
  }

  private static TrainingBatch batch(Optional<String> mask, int length, int filled) {
    return new TrainingBatch(
        List.of(row(1, length, filled), row(2, length, filled), row(3, length, filled)), mask);
  }
}
