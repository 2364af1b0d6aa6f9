package org.tare.correct;

import java.util.Optional;
import org.tare.onnx.Attention;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/**
 * A weight seen from the channels that it reads: a matrix [channels, columns], or a convolution's
 * [outputs, channels of a group, kernel...].
 *
 * @param tensor the values, row-major; they are read when asked for, so that a model's weights are
 *     not all on the heap at once
 * @param size how many values there are
 * @param channels how many channels the operator reads
 * @param outputs how many output channels the weight has qparams for
 */
public record ChannelWeight(
    String name,
    Tensor tensor,
    int size,
    long[] shape,
    int channels,
    int outputs,
    boolean isMatrix) {

  /**
   * The weight of a MatMul, of an Attention that has an integer form, or of a Conv of one group or
   * of one per channel.
   */
  public static Optional<ChannelWeight> of(Graph graph, Node node) {
    Optional<Tensor> tensor = graph.constant(node.input(1)).filter(Tensor::isFloat);
    boolean isConv = node.isStandard() && node.opType().equals("Conv");
    boolean isMatrix =
        (node.isStandard() && node.opType().equals("MatMul"))
            || (Attention.matches(node) && Attention.obstacle(node).isEmpty());
    boolean isKnown = isConv || isMatrix;
    if (!isKnown || tensor.isEmpty() || graph.isConstant(node.input(0))) {
      return Optional.empty();
    }
    long[] shape = tensor.get().shape();
    if (shape.length < 2 || tensor.get().size() == 0) {
      return Optional.empty();
    }
    int size = Math.toIntExact(tensor.get().size());
    if (isMatrix) {
      return shape.length != 2
          ? Optional.empty()
          : Optional.of(
              new ChannelWeight(
                  node.input(1), tensor.get(), size, shape, (int) shape[0], (int) shape[1], true));
    }
    long groups = node.intAttribute("group", 1);
    boolean isPlain = groups == 1;
    boolean isDepthwise = shape[1] == 1 && shape[0] % groups == 0;
    return isPlain || isDepthwise
        ? Optional.of(
            new ChannelWeight(
                node.input(1),
                tensor.get(),
                size,
                shape,
                (int) (isPlain ? shape[1] : groups),
                (int) shape[0],
                false))
        : Optional.empty();
  }

  /** The values, a new array each time. */
  float[] values() {
    return tensor.floats();
  }

  /** The channel axis of the operator's input, counted from the end: 1 is the last axis. */
  int channelFromEnd() {
    return isMatrix ? 1 : shape.length - 1;
  }

  /** Takes values side by side that are multiplied with one channel. */
  interface RunVisitor {
    /**
     * @param from the place of the first value
     * @param to the place behind the last
     * @param channel that they are multiplied with
     * @param output the output channel that the first adds to
     * @param step from each value's output channel to the next one's: 0 or 1
     */
    void run(int from, int to, int channel, int output, int step);
  }

  /** Visits all values, in the order of memory. */
  void forEachRun(RunVisitor visitor) {
    if (isMatrix) {
      for (int c = 0; c < channels; c++) {
        visitor.run(c * outputs, (c + 1) * outputs, c, 0, 1);
      }
      return;
    }
    int read = (int) shape[1];
    int kernel = size / outputs / read;
    int from = 0;
    for (int n = 0; n < outputs; n++) {
      for (int k = 0; k < read; k++) {
        visitor.run(from, from + kernel, read == channels ? k : n / (outputs / channels), n, 0);
        from += kernel;
      }
    }
  }

  /** The values times 2 to the power of each channel's exponent. */
  float[] scaled(int[] exponents) {
    float[] scaled = values();
    forEachRun(
        (from, to, channel, output, step) -> {
          // A power of two: the product is rounded as scalb rounds it.
          float factor = Math.scalb(1f, exponents[channel]);
          for (int i = from; i < to; i++) {
            scaled[i] *= factor;
          }
        });
    return scaled;
  }
}
