package org.tare.train;

import java.util.Locale;
import java.util.function.IntPredicate;

/**
 * Changes parameters by their gradients, in plain Java: its numbers are the same on every machine.
 *
 * <p>Adam as in its paper (beta 0.9 and 0.999, eps 1e-8), with decoupled weight decay; SGD with
 * momentum 0.9 as PyTorch has it: v = 0.9 v + g, w = w - rate v.
 */
public final class Optimizer {
  /** Which one. */
  public enum Kind {
    ADAM,
    SGD;

    public static Kind of(String id) {
      return valueOf(id.toUpperCase(Locale.ROOT));
    }
  }

  private static final double FIRST = 0.9;
  private static final double SECOND = 0.999;
  private static final double EPS = 1e-8;

  private Optimizer() {}

  /**
   * Takes one step.
   *
   * @param state is changed; its count of steps is not
   * @param decayed which of its arrays shrink by weight decay
   * @param gradients of its arrays; null for those that stay
   * @param step counted from 1
   */
  static void step(
      TrainingOptions options,
      TrainingState state,
      IntPredicate decayed,
      float[][] gradients,
      long step,
      double rate) {
    double factor = clipFactor(gradients, options.clipNorm());
    double firstBias = 1 - Math.pow(FIRST, (double) step);
    double secondBias = 1 - Math.pow(SECOND, (double) step);
    for (int p = 0; p < gradients.length; p++) {
      if (gradients[p] == null) {
        continue;
      }
      double keep = decayed.test(p) ? 1 - rate * options.weightDecay() : 1;
      float[] w = state.values()[p];
      float[] m = state.first()[p];
      float[] v = state.second()[p];
      for (int i = 0; i < w.length; i++) {
        double g = gradients[p][i] * factor;
        if (options.optimizer() == Kind.ADAM) {
          m[i] = (float) (FIRST * m[i] + (1 - FIRST) * g);
          v[i] = (float) (SECOND * v[i] + (1 - SECOND) * g * g);
          double change = m[i] / firstBias / (Math.sqrt(v[i] / secondBias) + EPS);
          w[i] = (float) (w[i] * keep - rate * change);
        } else {
          m[i] = (float) (FIRST * m[i] + g);
          w[i] = (float) (w[i] * keep - rate * m[i]);
        }
      }
    }
  }

  /** What brings the norm of all gradients down to the limit. */
  static double clipFactor(float[][] gradients, double limit) {
    if (limit <= 0) {
      return 1;
    }
    double squares = 0;
    for (float[] one : gradients) {
      for (int i = 0; one != null && i < one.length; i++) {
        float g = one[i];
        squares += (double) g * g;
      }
    }
    double norm = Math.sqrt(squares);
    return norm > limit ? limit / norm : 1;
  }
}
