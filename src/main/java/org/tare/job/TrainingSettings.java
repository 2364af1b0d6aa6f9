package org.tare.job;

import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.train.TrainingOptions;
import org.tare.train.Untrainable;

/**
 * How a training is led.
 *
 * @param label the column of class numbers in the data
 * @param evaluateEvery after how many rounds the quantized model is measured
 * @param measureRows rows to measure on
 * @param untrainable what becomes of nodes that cannot be trained through
 * @param checkpoint the file that it writes its state to after each round, and goes on from
 */
public record TrainingSettings(
    TrainingOptions options,
    Optional<String> label,
    int evaluateEvery,
    int measureRows,
    Untrainable untrainable,
    Optional<String> checkpoint) {
  /**
   * The settings that decide what training comes to, by name. The learning rate is not one of them:
   * a training that came to no finite loss goes on with a lower one. Nor is what becomes of nodes
   * that cannot be trained through: a model has such nodes, and is trained in one way only, or not.
   */
  SortedMap<String, String> origin() {
    SortedMap<String, String> origin = new TreeMap<>();
    origin.put("train.loss", options.loss().toString());
    origin.put("train.label", label.orElse(""));
    origin.put("train.label-share", Double.toString(options.labelShare()));
    origin.put("train.optimizer", options.optimizer().toString());
    origin.put("train.epochs", Double.toString(options.epochs()));
    origin.put("train.workers", Integer.toString(options.workers()));
    origin.put("train.batch", Integer.toString(options.batch()));
    origin.put("train.round-steps", Integer.toString(options.roundSteps()));
    origin.put("train.weight-decay", Double.toString(options.weightDecay()));
    origin.put("train.clip-norm", Double.toString(options.clipNorm()));
    origin.put("train.seed", Long.toString(options.seed()));
    origin.put("train.scales", options.scales().toString());
    origin.put("train.zero-points", options.zeroPoints().toString());
    origin.put("train.freeze-observers-after", Long.toString(options.freezeAfter()));
    origin.put("train.batch-normalization", options.normalization().toString());
    origin.put(
        "train.freeze-batch-normalization-after",
        Long.toString(options.freezeNormalizationAfter()));
    origin.put("train.evaluate-every", Integer.toString(evaluateEvery));
    origin.put("train.measure-rows", Integer.toString(measureRows));
    return origin;
  }
}
