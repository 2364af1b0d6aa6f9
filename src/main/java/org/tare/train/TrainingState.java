package org.tare.train;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;

/**
 * What training has come to.
 *
 * @param step how many steps were taken
 * @param values of the parameters, in the model's order
 * @param first the optimizer's first moments, of the same sizes
 * @param second its second moments
 */
public record TrainingState(long step, float[][] values, float[][] first, float[][] second)
    implements Serializable {
  /** Before the first step. */
  static TrainingState of(float[][] values) {
    return new TrainingState(0, values, zeros(values), zeros(values));
  }

  private static float[][] zeros(float[][] like) {
    return Arrays.stream(like).map(one -> new float[one.length]).toArray(float[][]::new);
  }

  TrainingState copy() {
    return new TrainingState(step, copy(values), copy(first), copy(second));
  }

  private static float[][] copy(float[][] all) {
    return Arrays.stream(all).map(float[]::clone).toArray(float[][]::new);
  }

  /** The mean of several, which have as many steps; summed in their order, in double. */
  public static TrainingState mean(List<TrainingState> all) {
    return new TrainingState(
        all.get(0).step,
        mean(all.stream().map(TrainingState::values).toList()),
        mean(all.stream().map(TrainingState::first).toList()),
        mean(all.stream().map(TrainingState::second).toList()));
  }

  private static float[][] mean(java.util.Collection<float[][]> all) {
    float[][] mean = copy(all.iterator().next());
    for (int p = 0; p < mean.length; p++) {
      for (int i = 0; i < mean[p].length; i++) {
        double sum = 0;
        for (float[][] one : all) {
          sum += one[p][i];
        }
        mean[p][i] = (float) (sum / all.size());
      }
    }
    return mean;
  }

  /** Whether it has as many values as another, everywhere. */
  public boolean isLike(TrainingState other) {
    return isLike(values, other.values)
        && isLike(first, other.first)
        && isLike(second, other.second);
  }

  private static boolean isLike(float[][] all, float[][] others) {
    return Arrays.equals(all, others, (a, b) -> Integer.compare(a.length, b.length));
  }

  /** Whether all parameters are finite. */
  boolean isFinite() {
    for (float[] one : values) {
      for (float value : one) {
        if (!Float.isFinite(value)) {
          return false;
        }
      }
    }
    return true;
  }
}
