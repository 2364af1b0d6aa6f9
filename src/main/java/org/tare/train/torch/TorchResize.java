package org.tare.train.torch;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.onnx.Node;
import org.tare.train.torch.TorchOperators.Call;

/**
 * Resize, one axis after the other: every place of the result is a sum of one, two or four places
 * of the axis, with weights as ONNX defines them. Places outside of the axis take its ends.
 */
final class TorchResize {
  private static final int SCALES = 2;
  private static final int SIZES = 3;

  private static final Set<String> COORDINATES =
      Set.of(
          "half_pixel",
          "half_pixel_symmetric",
          "pytorch_half_pixel",
          "align_corners",
          "asymmetric");

  private TorchResize() {}

  static List<Form> forms() {
    return List.of(Form.one("Resize", TorchResize::resize).unless(TorchResize::obstacle));
  }

  private static Optional<String> obstacle(Node node) {
    String coordinates = coordinates(node);
    if (!COORDINATES.contains(coordinates)) {
      return Optional.of("its coordinate_transformation_mode is " + coordinates);
    } else if (node.intAttribute("antialias", 0) != 0) {
      return Optional.of("its antialias is set");
    }
    String policy = node.stringAttribute("keep_aspect_ratio_policy", "stretch");
    return policy.equals("stretch")
        ? Optional.empty()
        : Optional.of("its keep_aspect_ratio_policy is " + policy);
  }

  private static String coordinates(Node node) {
    return node.stringAttribute("coordinate_transformation_mode", "half_pixel");
  }

  /**
   * An axis that gets another size.
   *
   * @param scale of the size after it to that before
   */
  private record Axis(int before, int after, float scale) {
    /** The place before that a place after comes from. */
    float origin(String coordinates, int place) {
      return switch (coordinates) {
        case "asymmetric" -> place / scale;
        case "align_corners" ->
            after == 1 ? 0 : (float) place * (float) (before - 1) / (float) (after - 1);
        case "pytorch_half_pixel" -> after > 1 ? (place + 0.5f) / scale - 0.5f : 0;
        case "half_pixel_symmetric" -> {
          // The size after it was rounded down; both middles stay in one place.
          float adjustment = after / (scale * before);
          float offset = before / 2f * (1 - adjustment);
          yield offset + (place + 0.5f) / scale - 0.5f;
        }
        default -> (place + 0.5f) / scale - 0.5f;
      };
    }

    long within(long place) {
      return Math.max(0, Math.min(before - 1, place));
    }
  }

  /** For each place of the result, the places that it is a sum of, and their weights. */
  private record Taps(long[][] places, float[][] weights) {
    static Taps of(int taps, int after) {
      return new Taps(new long[taps][after], new float[taps][after]);
    }
  }

  private static Tensor resize(Call call) {
    int rank = (int) call.x().dim();
    List<Long> given = call.node().intsAttribute("axes");
    int[] axes = new int[given.isEmpty() ? rank : given.size()];
    Arrays.setAll(axes, i -> given.isEmpty() ? i : TorchOperators.axis(given.get(i), rank));
    boolean hasSizes = call.has(SIZES);
    long[] sizes = hasSizes ? Tensors.longs(call.in(SIZES)) : new long[0];
    float[] scales =
        hasSizes ? new float[0] : Tensors.floats(call.in(SCALES).to(torch.ScalarType.Float));
    Tensor x = call.x();
    for (int i = 0; i < axes.length; i++) {
      int before = Math.toIntExact(x.size(axes[i]));
      float scale = hasSizes ? (float) sizes[i] / before : scales[i];
      int after = hasSizes ? Math.toIntExact(sizes[i]) : (int) Math.floor(before * scale);
      if (after != before || scale != 1f) {
        x = resize(call.node(), x, axes[i], new Axis(before, after, scale));
      }
    }
    return x;
  }

  private static Tensor resize(Node node, Tensor x, int axis, Axis sizes) {
    Taps taps =
        switch (node.stringAttribute("mode", "nearest")) {
          case "linear" -> linear(node, sizes);
          case "cubic" -> cubic(node, sizes);
          default -> nearest(node, sizes);
        };
    Tensor sum = null;
    for (int tap = 0; tap < taps.places().length; tap++) {
      long[] places = taps.places()[tap];
      Tensor part = x.index_select(axis, Tensors.tensor(places, places.length));
      if (taps.places().length > 1) {
        long[] shape = new long[(int) x.dim()];
        Arrays.fill(shape, 1);
        shape[axis] = places.length;
        part = part.mul(Tensors.tensor(taps.weights()[tap], shape));
      }
      sum = sum == null ? part : sum.add(part);
    }
    return sum;
  }

  private static Taps nearest(Node node, Axis axis) {
    String rounding = node.stringAttribute("nearest_mode", "round_prefer_floor");
    Taps taps = Taps.of(1, axis.after());
    for (int i = 0; i < axis.after(); i++) {
      float origin = axis.origin(coordinates(node), i);
      double place =
          switch (rounding) {
            case "floor" -> Math.floor(origin);
            case "ceil" -> Math.ceil(origin);
            case "round_prefer_ceil" -> Math.floor(origin + 0.5);
            default -> Math.ceil(origin - 0.5);
          };
      taps.places()[0][i] = axis.within((long) place);
    }
    return taps;
  }

  private static Taps linear(Node node, Axis axis) {
    Taps taps = Taps.of(2, axis.after());
    for (int i = 0; i < axis.after(); i++) {
      float origin = Math.max(0, Math.min(axis.before() - 1, axis.origin(coordinates(node), i)));
      long below = (long) origin;
      taps.places()[0][i] = below;
      taps.places()[1][i] = axis.within(below + 1);
      taps.weights()[1][i] = origin - below;
      taps.weights()[0][i] = 1 - taps.weights()[1][i];
    }
    return taps;
  }

  private static Taps cubic(Node node, Axis axis) {
    float a = node.floatAttribute("cubic_coeff_a", -0.75f);
    boolean excludes = node.intAttribute("exclude_outside", 0) != 0;
    Taps taps = Taps.of(4, axis.after());
    for (int i = 0; i < axis.after(); i++) {
      float origin = axis.origin(coordinates(node), i);
      long below = (long) Math.floor(origin);
      float sum = 0;
      for (int tap = 0; tap < 4; tap++) {
        long place = below - 1 + tap;
        boolean isLeftOut = excludes && place != axis.within(place);
        taps.places()[tap][i] = axis.within(place);
        taps.weights()[tap][i] = isLeftOut ? 0 : cubic(Math.abs(origin - place), a);
        sum += taps.weights()[tap][i];
      }
      for (int tap = 0; excludes && tap < 4; tap++) {
        taps.weights()[tap][i] /= sum;
      }
    }
    return taps;
  }

  /** The weight of a place at a distance: Keys' convolution. */
  private static float cubic(float d, float a) {
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  }
}
