package org.tare.train;

import java.io.Serializable;

/**
 * How a model is trained.
 *
 * @param epochs how often every row is used
 * @param workers into how many shards the rows go, whatever the cluster
 * @param batch rows of a step of one worker
 * @param roundSteps steps that workers take before their weights are averaged
 * @param rate the learning rate at its greatest, see {@link #rate(long, long)}
 * @param weightDecay what weights shrink by with each step, times the learning rate
 * @param clipNorm the greatest norm of all gradients together; 0 for none
 * @param seed of the order of rows
 * @param freezeAfter after how many steps ranges that follow the values stay; 0 for half of all
 * @param normalization what becomes of BatchNormalization that was folded into layers
 * @param freezeNormalizationAfter after how many steps its statistics stay; 0 for half of all
 * @param zeroPoints what becomes of the zero points of activations
 */
public record TrainingOptions(
    Loss loss,
    double labelShare,
    Optimizer.Kind optimizer,
    double epochs,
    int workers,
    int batch,
    int roundSteps,
    double rate,
    double weightDecay,
    double clipNorm,
    long seed,
    Scales scales,
    long freezeAfter,
    Normalization normalization,
    long freezeNormalizationAfter,
    ZeroPoints zeroPoints)
    implements Serializable {
  private static final double WARM_UP = 0.1;

  /** What is minimized. */
  public enum Loss {
    /** Kullback-Leibler divergence between the softmaxes of both models. */
    KL,
    /** Squared error over the float model's mean square. */
    MSE
  }

  /** What becomes of the scales that training begins with. */
  public enum Scales {
    /** They stay. */
    FIXED,
    /** Those of activations follow moving averages of the least and the greatest value. */
    OBSERVED,
    /** All are trained, as in LSQ. */
    LEARNED
  }

  /** What becomes of the zero points that training begins with. */
  public enum ZeroPoints {
    /** They stay, or follow observed ranges. */
    FIXED,
    /** Those of activations are trained with their scales, but for symmetric ones. */
    LEARNED
  }

  /** What becomes of BatchNormalization that was folded into layers. */
  public enum Normalization {
    /** It stays folded: weights and biases of the layers are trained. */
    FOLDED,
    /** It is kept: gamma and beta are trained, and its statistics follow those of batches. */
    TRAINED
  }

  /** Whether batches are normalized by their own statistics at a step. */
  boolean normalizes(long step, long steps) {
    return normalization == Normalization.TRAINED
        && step < (freezeNormalizationAfter > 0 ? freezeNormalizationAfter : steps / 2);
  }

  /** Whether ranges still follow the values at a step. */
  boolean observes(long step, long steps) {
    return scales == Scales.OBSERVED && step < (freezeAfter > 0 ? freezeAfter : steps / 2);
  }

  /**
   * The learning rate of a step: it rises for a tenth of all steps, since the optimizer's moments
   * say nothing at first, and falls as half a cosine.
   */
  double rate(long step, long steps) {
    double rise = Math.min(1, (step + 1) / (WARM_UP * steps));
    return rate * rise * 0.5 * (1 + Math.cos(Math.PI * step / steps));
  }
}
