package org.tare.train;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;
import org.tare.train.torch.Tensors;

/** How far a quantized model's outputs are from what they should be. */
final class Losses {
  /** A score that leaves no probability. */
  private static final double NONE = -1e9;

  private Losses() {}

  /**
   * The loss: the mean over outputs of what the teacher gives for each, and a share of the cross
   * entropy with the labels of the first output of class scores. Places that are filling do not
   * count.
   */
  static Tensor of(
      String model,
      TrainingOptions options,
      Map<String, Tensor> expected,
      Map<String, Tensor> actual,
      TrainingBatch batch) {
    Optional<Tensor> kept = batch.kept(model);
    Tensor sum = null;
    int count = 0;
    Tensor scores = null;
    for (Map.Entry<String, Tensor> entry : new TreeMap<>(actual).entrySet()) {
      Tensor y = entry.getValue();
      if (!Tensors.isFloat(y) || !y.requires_grad()) {
        continue;
      }
      Tensor x = expected.get(entry.getKey());
      Optional<Tensor> places = kept.filter(mask -> isOfPlaces(y, mask));
      boolean hasClasses = y.dim() == 2 && y.size(1) > 1;
      if (hasClasses && scores == null) {
        scores = y;
      }
      Tensor one =
          switch (options.loss()) {
            case MSE -> squaredError(filled(x, places, 0), filled(y, places, 0));
            case KL -> divergence(x, y, places);
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

  /** Whether an output begins with a mask's rows and places, as calibration sees it. */
  private static boolean isOfPlaces(Tensor output, Tensor mask) {
    return output.dim() >= 2 && output.size(0) == mask.size(0) && output.size(1) == mask.size(1);
  }

  /** With one value in all places that are filling. */
  private static Tensor filled(Tensor values, Optional<Tensor> places, double value) {
    if (places.isEmpty()) {
      return values;
    }
    long[] shape = new long[(int) values.dim()];
    Arrays.fill(shape, 1);
    shape[0] = values.size(0);
    shape[1] = values.size(1);
    return torch.where(places.get().reshape(shape), values, new Scalar(value));
  }

  /** Over the last axis, the mean over rows; of sequences, the mean over places that are kept. */
  private static Tensor divergence(Tensor expected, Tensor actual, Optional<Tensor> places) {
    // Scores of places themselves: those of filling get no share.
    boolean isOverPlaces = places.isPresent() && expected.dim() == 2;
    Tensor logP = torch.log_softmax(isOverPlaces ? filled(expected, places, NONE) : expected, -1);
    Tensor logQ = torch.log_softmax(isOverPlaces ? filled(actual, places, NONE) : actual, -1);
    Tensor terms = filled(logP.exp().mul(logP.sub(logQ)), places, 0);
    double rows = (double) expected.numel() / expected.size(expected.dim() - 1);
    if (places.isPresent() && !isOverPlaces) {
      Tensor mask = places.get();
      rows *= mask.sum().item_long() / (double) mask.numel();
    }
    return terms.sum().mul(new Scalar(1 / Math.max(1, rows)));
  }

  private static Tensor squaredError(Tensor expected, Tensor actual) {
    Tensor error = actual.sub(expected);
    float scale = Math.max(1e-12f, expected.mul(expected).mean().item_float());
    return error.mul(error).mean().mul(new Scalar(1.0 / scale));
  }
}
