package org.tare.train.torch;

import static org.tare.train.torch.Form.one;
import static org.tare.train.torch.Form.several;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.tare.onnx.Node;
import org.tare.train.torch.TorchOperators.Call;

/** Normalizations by mean and variance, or by a norm. */
final class TorchNormalizations {
  private TorchNormalizations() {}

  static List<Form> forms() {
    return List.of(
        one("BatchNormalization", TorchNormalizations::batchNormalization)
            .unless(TorchNormalizations::trains),
        one("InstanceNormalization", TorchNormalizations::instanceNormalization),
        one("GroupNormalization", TorchNormalizations::groupNormalization),
        one("LayerNormalization", TorchNormalizations::layerNormalization)
            .unless(TorchOperators::severalOutputs),
        one("RMSNormalization", TorchNormalizations::rmsNormalization),
        one("SimplifiedLayerNormalization", TorchNormalizations::rmsNormalization)
            .unless(TorchOperators::severalOutputs),
        several(
                "com.microsoft:SkipLayerNormalization",
                call -> skip(call, call.optional(3), 4, TorchNormalizations::centred))
            .unless(TorchNormalizations::givesMoments),
        several(
                "com.microsoft:SkipSimplifiedLayerNormalization",
                call -> skip(call, new TensorOptional(), 3, TorchNormalizations::uncentred))
            .unless(TorchNormalizations::givesMoments),
        several("com.microsoft:EmbedLayerNormalization", TorchNormalizations::embeddings),
        one("LpNormalization", TorchNormalizations::lpNormalization));
  }

  private static Optional<String> trains(Node node) {
    return node.intAttribute("training_mode", 0) != 0
        ? Optional.of("its training_mode is set")
        : Optional.empty();
  }

  private static Tensor batchNormalization(Call call) {
    return torch.batch_norm(
        call.x(),
        call.optional(1),
        call.optional(2),
        call.optional(3),
        call.optional(4),
        false,
        0,
        call.node().floatAttribute("epsilon", 1e-5f),
        false);
  }

  private static Tensor layerNormalization(Call call) {
    long[] shape = call.x().shape();
    int axis = TorchOperators.axis(call.whole("axis", -1), shape.length);
    return torch.layer_norm(
        call.x(),
        Arrays.copyOfRange(shape, axis, shape.length),
        call.optional(1),
        call.optional(2),
        call.node().floatAttribute("epsilon", 1e-5f),
        false);
  }

  private static Tensor rmsNormalization(Call call) {
    long[] shape = call.x().shape();
    int axis = TorchOperators.axis(call.whole("axis", -1), shape.length);
    return torch.rms_norm(
        call.x(),
        Arrays.copyOfRange(shape, axis, shape.length),
        call.optional(1),
        new DoubleOptional(call.node().floatAttribute("epsilon", 1e-5f)));
  }

  private static Tensor instanceNormalization(Call call) {
    return torch.instance_norm(
        call.x(),
        call.optional(1),
        call.optional(2),
        new TensorOptional(),
        new TensorOptional(),
        true,
        0,
        call.node().floatAttribute("epsilon", 1e-5f),
        false);
  }

  private static Tensor groupNormalization(Call call) {
    long groups = call.whole("num_groups", 1);
    return torch.group_norm(
        call.x(),
        groups,
        perChannel(call, 1, groups),
        perChannel(call, 2, groups),
        call.node().floatAttribute("epsilon", 1e-5f),
        false);
  }

  /** Before operator set 21 there is one value for each group. */
  private static TensorOptional perChannel(Call call, int input, long groups) {
    long channels = call.x().size(1);
    Tensor given = call.in(input);
    return new TensorOptional(
        given.numel() == channels
            ? given
            : given.repeat_interleave(
                channels / groups, new LongOptional(), new LongOptional(channels)));
  }

  /** What is normalized over the last axis. */
  @FunctionalInterface
  private interface OverLastAxis {
    Tensor of(Tensor x, TensorOptional gain, TensorOptional bias, double epsilon);
  }

  private static Tensor centred(
      Tensor x, TensorOptional gain, TensorOptional bias, double epsilon) {
    return torch.layer_norm(x, new long[] {x.size(-1)}, gain, bias, epsilon, false);
  }

  private static Tensor uncentred(
      Tensor x, TensorOptional gain, TensorOptional bias, double epsilon) {
    return torch.rms_norm(x, new long[] {x.size(-1)}, gain, new DoubleOptional(epsilon));
  }

  /** The last of the four results is the sum that is normalized. */
  private static List<Tensor> skip(
      Call call, TensorOptional shift, int bias, OverLastAxis normalization) {
    Tensor sum = call.x().add(call.in(1));
    if (call.has(bias)) {
      sum = sum.add(call.in(bias));
    }
    float epsilon = call.node().floatAttribute("epsilon", 1e-12f);
    Tensor y = normalization.of(sum, call.optional(2), shift, epsilon);
    return Arrays.asList(y, null, null, sum);
  }

  private static Optional<String> givesMoments(Node node) {
    return node.outputs().stream().skip(1).limit(2).anyMatch(output -> !output.isEmpty())
        ? Optional.of("it gives mean or inv_std_var")
        : Optional.empty();
  }

  private static Tensor lpNormalization(Call call) {
    long[] axis = {call.whole("axis", -1)};
    ScalarOptional order = new ScalarOptional(new Scalar((double) call.whole("p", 2)));
    Tensor norm = call.x().norm(order, axis, true);
    // A vector of zeros stays one.
    return call.x().div(norm.clamp_min(new Scalar(Double.MIN_NORMAL)));
  }

  /** Sums of the embeddings of words, places and segments, normalized; the numbers of words. */
  private static List<Tensor> embeddings(Call call) {
    Tensor words = call.x();
    long places = words.size(1);
    long[] counted = new long[(int) places];
    Arrays.setAll(counted, i -> i);
    Tensor positions = call.has(8) ? call.in(8) : Tensors.tensor(counted, 1, places);
    Tensor sum = rows(call.in(2), words).add(rows(call.in(3), positions));
    if (call.has(1) && call.has(4)) {
      sum = sum.add(rows(call.in(4), call.in(1)));
    }
    Tensor y =
        torch.layer_norm(
            sum,
            new long[] {sum.size(2)},
            call.optional(5),
            call.optional(6),
            call.node().floatAttribute("epsilon", 1e-12f),
            false);
    Tensor counts =
        call.has(7)
            ? call.in(7).to(torch.ScalarType.Int).sum(new long[] {1})
            : Tensors.tensor(new long[(int) words.size(0)], words.size(0));
    return List.of(y, counts.to(torch.ScalarType.Int), sum);
  }

  private static Tensor rows(Tensor table, Tensor numbers) {
    return torch.embedding(table, numbers.to(torch.ScalarType.Long));
  }
}
