package org.tare.train;

import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;
import org.tare.train.torch.Tensors;

/** How far a quantized model's outputs are from what they should be. */
final class Losses {
  private Losses() {}

  /**
   * The loss: the mean over outputs of what the teacher gives for each, and a share of the cross
   * entropy with the labels of the first output of class scores.
   */
  static Tensor of(
      String model,
      TrainingOptions options,
      Map<String, Tensor> expected,
      Map<String, Tensor> actual,
      TrainingBatch batch) {
    Tensor sum = null;
    int count = 0;
    Tensor scores = null;
    for (Map.Entry<String, Tensor> entry : new TreeMap<>(actual).entrySet()) {
      Tensor y = entry.getValue();
      if (!Tensors.isFloat(y) || !y.requires_grad()) {
        continue;
      }
      Tensor x = expected.get(entry.getKey());
      boolean hasClasses = y.dim() == 2 && y.size(1) > 1;
      if (hasClasses && scores == null) {
        scores = y;
      }
      Tensor one =
          switch (options.loss()) {
            case MSE -> squaredError(x, y);
            case KL -> divergence(x, y);
          };
      sum = sum == null ? one : sum.add(one);
      count++;
    }
    if (sum == null) {
      throw TareException.badInput(
          "Cannot train %s: no output of it is float32 and depends on a weight", model);
    }
    Tensor teacher = sum.mul(new Scalar(1.0 / count));
    if (options.labelShare() == 0) {
      return teacher;
    }
    if (scores == null) {
      throw TareException.badInput(
          "Cannot train %s with labels: no output of it has a row of class scores for each row",
          model);
    }
    Tensor labels = batch.labels(model, scores.size(1));
    Tensor entropy = torch.cross_entropy_loss(scores, labels);
    return entropy
        .mul(new Scalar(options.labelShare()))
        .add(teacher.mul(new Scalar(1 - options.labelShare())));
  }

  /** Over the last axis, the mean over rows. */
  private static Tensor divergence(Tensor expected, Tensor actual) {
    Tensor logP = torch.log_softmax(expected, -1);
    Tensor logQ = torch.log_softmax(actual, -1);
    double rows = (double) expected.numel() / expected.size(expected.dim() - 1);
    return logP.exp().mul(logP.sub(logQ)).sum().mul(new Scalar(1 / rows));
  }

  private static Tensor squaredError(Tensor expected, Tensor actual) {
    Tensor error = actual.sub(expected);
    float scale = Math.max(1e-12f, expected.mul(expected).mean().item_float());
    return error.mul(error).mean().mul(new Scalar(1.0 / scale));
  }
}
