package org.tare.train.torch;

import static org.tare.train.torch.Form.one;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.onnx.Node;
import org.tare.train.torch.TorchOperators.Call;

/** Convolutions and poolings: ONNX's windows as libtorch has them. */
final class TorchConvolutions {
  private TorchConvolutions() {}

  static List<Form> forms() {
    return List.of(
        one("Conv", TorchConvolutions::convolution),
        one("ConvTranspose", TorchConvolutions::transposed)
            .unless(TorchConvolutions::transposedObstacle),
        one("MaxPool", TorchConvolutions::maxPool).unless(TorchOperators::severalOutputs),
        one("AveragePool", TorchConvolutions::averagePool).unless(TorchConvolutions::meanObstacle));
  }

  /**
   * A window over the spatial axes.
   *
   * @param pads the begins of all axes, then their ends
   */
  private record Window(long[] sides, long[] strides, long[] dilations, long[] pads) {
    static Window of(Call call, long[] sides) {
      int rank = sides.length;
      long[] strides = ofAxes(call, "strides", rank);
      long[] dilations = ofAxes(call, "dilations", rank);
      return new Window(sides, strides, dilations, pads(call, sides, strides, dilations));
    }

    private static long[] ofAxes(Call call, String attribute, int rank) {
      List<Long> given = call.node().intsAttribute(attribute);
      long[] values = new long[rank];
      Arrays.setAll(values, i -> given.isEmpty() ? 1 : given.get(i));
      return values;
    }

    private static long[] pads(Call call, long[] sides, long[] strides, long[] dilations) {
      int rank = sides.length;
      long[] pads = new long[2 * rank];
      String automatic = call.node().stringAttribute("auto_pad", "NOTSET");
      if (automatic.startsWith("SAME")) {
        for (int i = 0; i < rank; i++) {
          long in = call.x().size(i + 2);
          long out = (in + strides[i] - 1) / strides[i];
          long reach = (sides[i] - 1) * dilations[i] + 1;
          long missing = Math.max(0, (out - 1) * strides[i] + reach - in);
          long less = missing / 2;
          pads[i] = automatic.equals("SAME_LOWER") ? missing - less : less;
          pads[rank + i] = missing - pads[i];
        }
      } else if (automatic.equals("NOTSET")) {
        List<Long> given = call.node().intsAttribute("pads");
        Arrays.setAll(pads, i -> given.isEmpty() ? 0 : given.get(i));
      }
      return pads;
    }

    boolean isEven() {
      int rank = sides.length;
      return Arrays.equals(Arrays.copyOf(pads, rank), Arrays.copyOfRange(pads, rank, 2 * rank));
    }

    /** Whether libtorch's poolings take the padding themselves. */
    boolean padsHalfAtMost() {
      return IntStream.range(0, sides.length).allMatch(i -> 2 * pads[i] <= sides[i]);
    }

    long[] begins() {
      return Arrays.copyOf(pads, sides.length);
    }

    boolean isPadded() {
      return Arrays.stream(pads).anyMatch(pad -> pad != 0);
    }

    /** Without the padding. */
    Tensor cropped(Tensor x) {
      long[] negative = Arrays.stream(pads).map(pad -> -pad).toArray();
      return torch.constant_pad_nd(x, TorchShapes.lastAxisFirst(negative), new Scalar(0f));
    }

    Tensor padded(Tensor x, float value) {
      return torch.constant_pad_nd(x, TorchShapes.lastAxisFirst(pads), new Scalar(value));
    }
  }

  private static Tensor convolution(Call call) {
    long[] weight = call.in(1).shape();
    Window window = Window.of(call, Arrays.copyOfRange(weight, 2, weight.length));
    boolean isEven = window.isEven();
    long[] none = new long[window.sides().length];
    return torch.convolution(
        isEven ? call.x() : window.padded(call.x(), 0f),
        call.in(1),
        call.optional(2),
        window.strides(),
        isEven ? window.begins() : none,
        window.dilations(),
        false,
        none,
        call.whole("group", 1));
  }

  private static Tensor transposed(Call call) {
    long[] weight = call.in(1).shape();
    Window window = Window.of(call, Arrays.copyOfRange(weight, 2, weight.length));
    List<Long> given = call.node().intsAttribute("output_padding");
    long[] added = new long[window.sides().length];
    Arrays.setAll(added, i -> given.isEmpty() ? 0 : given.get(i));
    boolean isEven = window.isEven();
    Tensor y =
        torch.convolution(
            call.x(),
            call.in(1),
            call.optional(2),
            window.strides(),
            isEven ? window.begins() : new long[added.length],
            window.dilations(),
            true,
            added,
            call.whole("group", 1));
    return isEven ? y : window.cropped(y);
  }

  private static Optional<String> transposedObstacle(Node node) {
    if (node.stringAttribute("auto_pad", "NOTSET").startsWith("SAME")) {
      return Optional.of("its padding is automatic");
    }
    return node.hasAttribute("output_shape")
        ? Optional.of("its output_shape is given")
        : Optional.empty();
  }

  private static Optional<String> meanObstacle(Node node) {
    boolean isPadded = node.intsAttribute("pads").stream().anyMatch(pad -> pad != 0);
    if (node.intAttribute("ceil_mode", 0) != 0 && isPadded) {
      return Optional.of("its ceil_mode is set, and it is padded");
    }
    return node.intsAttribute("dilations").stream().anyMatch(step -> step != 1)
        ? Optional.of("it has dilations")
        : Optional.empty();
  }

  private static Window pool(Call call) {
    Window window =
        Window.of(
            call,
            call.node().intsAttribute("kernel_shape").stream()
                .mapToLong(Long::longValue)
                .toArray());
    int rank = window.sides().length;
    if (rank < 1 || rank > 3) {
      throw call.cannot("it pools over " + rank + " axes");
    }
    return window;
  }

  private static Tensor maxPool(Call call) {
    Window window = pool(call);
    // Padding is lower than every value; libtorch itself pads by half a window at most.
    Tensor x = window.isPadded() ? window.padded(call.x(), Float.NEGATIVE_INFINITY) : call.x();
    long[] none = new long[window.sides().length];
    boolean isCeil = call.whole("ceil_mode", 0) != 0;
    return switch (none.length) {
      case 1 ->
          torch.max_pool1d(x, window.sides(), window.strides(), none, window.dilations(), isCeil);
      case 2 ->
          torch.max_pool2d(x, window.sides(), window.strides(), none, window.dilations(), isCeil);
      default ->
          torch.max_pool3d(x, window.sides(), window.strides(), none, window.dilations(), isCeil);
    };
  }

  private static Tensor averagePool(Call call) {
    Window window = pool(call);
    boolean counts = call.whole("count_include_pad", 0) != 0;
    boolean isCeil = call.whole("ceil_mode", 0) != 0;
    if (isCeil && window.isPadded()) {
      throw call.cannot("its ceil_mode is set, and it is padded");
    }
    if (window.isEven() && window.padsHalfAtMost()) {
      return mean(call.x(), window, window.begins(), isCeil, counts);
    }
    long[] none = new long[window.sides().length];
    Tensor sums = mean(window.padded(call.x(), 0f), window, none, isCeil, true);
    if (counts) {
      return sums;
    }
    // Both are over the whole window, so that what is padded drops out.
    Tensor inside = window.padded(call.x().detach().new_ones(call.x().shape()), 0f);
    return sums.div(mean(inside, window, none, isCeil, true));
  }

  private static Tensor mean(Tensor x, Window window, long[] pads, boolean isCeil, boolean counts) {
    return switch (pads.length) {
      case 1 -> torch.avg_pool1d(x, window.sides(), window.strides(), pads, isCeil, counts);
      case 2 ->
          torch.avg_pool2d(
              x, window.sides(), window.strides(), pads, isCeil, counts, new LongOptional());
      default ->
          torch.avg_pool3d(
              x, window.sides(), window.strides(), pads, isCeil, counts, new LongOptional());
    };
  }
}
