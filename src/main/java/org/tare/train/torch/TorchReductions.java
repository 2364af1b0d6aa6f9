package org.tare.train.torch;

import static org.tare.train.torch.Form.one;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.tare.onnx.Node;
import org.tare.train.torch.TorchOperators.Call;

/** Sums, means and extremes over axes. */
final class TorchReductions {
  private TorchReductions() {}

  static List<Form> forms() {
    return List.of(
        one("ReduceMean", call -> reduce(call, (x, axes, keep) -> x.mean(axes, keep, any()))),
        one("ReduceSum", call -> reduce(call, (x, axes, keep) -> x.sum(axes, keep, any()))),
        one("ReduceMax", call -> reduce(call, Tensor::amax)),
        one("ReduceMin", call -> reduce(call, Tensor::amin)),
        one("ReduceL1", call -> reduce(call, (x, axes, keep) -> x.abs().sum(axes, keep, any()))),
        one("ReduceL2", call -> reduce(call, TorchReductions::norm)),
        one(
            "ReduceSumSquare",
            call -> reduce(call, (x, axes, keep) -> x.mul(x).sum(axes, keep, any()))),
        one(
            "ReduceLogSum",
            call -> reduce(call, (x, axes, keep) -> x.sum(axes, keep, any()).log())),
        one("ReduceLogSumExp", call -> reduce(call, Tensor::logsumexp)),
        one("GlobalAveragePool", call -> call.x().mean(spatial(call.x()), true, any())),
        one("GlobalMaxPool", call -> call.x().amax(spatial(call.x()), true)),
        one("ArgMax", call -> place(call, call.x())).unless(TorchReductions::takesLast),
        one("ArgMin", call -> place(call, call.x().neg())).unless(TorchReductions::takesLast),
        one("CumSum", TorchReductions::runningSum));
  }

  private static ScalarTypeOptional any() {
    return new ScalarTypeOptional();
  }

  private static long[] spatial(Tensor x) {
    long[] axes = new long[(int) x.dim() - 2];
    Arrays.setAll(axes, i -> i + 2);
    return axes;
  }

  /** What comes of several values over axes. */
  @FunctionalInterface
  private interface Reduction {
    Tensor over(Tensor x, long[] axes, boolean keepsAxes);
  }

  private static Tensor reduce(Call call, Reduction reduction) {
    Optional<long[]> given = call.wholes("axes", 1).filter(axes -> axes.length > 0);
    if (given.isEmpty() && call.whole("noop_with_empty_axes", 0) != 0) {
      return call.x();
    }
    long[] all = new long[(int) call.x().dim()];
    Arrays.setAll(all, i -> i);
    return reduction.over(call.x(), given.orElse(all), call.whole("keepdims", 1) != 0);
  }

  private static Tensor norm(Tensor x, long[] axes, boolean keepsAxes) {
    return x.norm(new ScalarOptional(new Scalar(2.0)), axes, keepsAxes);
  }

  private static Tensor place(Call call, Tensor x) {
    return x.argmax(new LongOptional(call.whole("axis", 0)), call.whole("keepdims", 1) != 0);
  }

  private static Optional<String> takesLast(Node node) {
    return node.intAttribute("select_last_index", 0) != 0
        ? Optional.of("it takes the last of equal values")
        : Optional.empty();
  }

  private static Tensor runningSum(Call call) {
    long axis = Tensors.longs(call.in(1))[0];
    boolean isReverse = call.whole("reverse", 0) != 0;
    Tensor x = isReverse ? call.x().flip(axis) : call.x();
    Tensor sums = x.cumsum(axis, new ScalarTypeOptional(x.scalar_type().intern()));
    if (call.whole("exclusive", 0) != 0) {
      sums = sums.sub(x);
    }
    return isReverse ? sums.flip(axis) : sums;
  }
}
