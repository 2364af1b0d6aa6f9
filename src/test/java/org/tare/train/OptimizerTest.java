package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The optimizers' numbers, worked out by hand. */
class OptimizerTest {
  private static TrainingOptions options(Optimizer.Kind kind, double decay, double clip) {
    return new TrainingOptions(
        TrainingOptions.Loss.MSE,
        0,
        kind,
        1,
        1,
        1,
        1,
        0.1,
        decay,
        clip,
        1,
        TrainingOptions.Scales.FIXED,
        0,
        TrainingOptions.Normalization.FOLDED,
        0,
        TrainingOptions.ZeroPoints.FIXED);
  }

  @Test
  void firstStepOfAdamIsTheRateInEachDirection() {
    TrainingState state = TrainingState.of(new float[][] {{1f, 1f, 1f}});
    Optimizer.step(
        options(Optimizer.Kind.ADAM, 0, 0),
        state,
        p -> true,
        new float[][] {{5f, -0.01f, 0f}},
        1,
        0.1);
    assertArrayEquals(new float[] {0.9f, 1.1f, 1f}, state.values()[0], 1e-5f);
    assertArrayEquals(new float[] {0.5f, -0.001f, 0f}, state.first()[0], 1e-6f);
    assertArrayEquals(new float[] {0.025f, 1e-7f, 0f}, state.second()[0], 1e-6f);
  }

  @Test
  void sgdHasMomentumAndDecayIsDecoupled() {
    TrainingState state = TrainingState.of(new float[][] {{1f}});
    TrainingOptions options = options(Optimizer.Kind.SGD, 0.5, 0);
    Optimizer.step(options, state, p -> true, new float[][] {{2f}}, 1, 0.1);
    // 1 * (1 - 0.1 * 0.5) - 0.1 * 2
    assertEquals(0.75f, state.values()[0][0], 1e-6f);
    Optimizer.step(options, state, p -> true, new float[][] {{2f}}, 2, 0.1);
    // 0.75 * 0.95 - 0.1 * (0.9 * 2 + 2)
    assertEquals(0.3325f, state.values()[0][0], 1e-6f);
  }

  @Test
  void normOfAllGradientsIsClipped() {
    float[][] gradients = {{3f}, {0f, 4f}};
    assertEquals(0.2, Optimizer.clipFactor(gradients, 1), 1e-12);
    assertEquals(1, Optimizer.clipFactor(gradients, 5), 1e-12);
    assertEquals(1, Optimizer.clipFactor(gradients, 0), 1e-12);
  }

  @Test
  void rateRisesAndFallsToNothing() {
    TrainingOptions options = options(Optimizer.Kind.ADAM, 0, 0);
    assertEquals(0.01, options.rate(0, 100), 1e-9);
    assertEquals(0.05, options.rate(50, 100), 1e-9);
    assertEquals(0, options.rate(99, 100), 1e-4);
  }

  @Test
  void meanOfWorkersIsThatOfEachNumber() {
    TrainingState one = TrainingState.of(new float[][] {{1f, 2f}});
    TrainingState other = TrainingState.of(new float[][] {{3f, -2f}});
    assertArrayEquals(new float[] {2f, 0f}, TrainingState.mean(List.of(one, other)).values()[0]);
    assertEquals(0, TrainingState.mean(List.of(one)).step());
  }
}
