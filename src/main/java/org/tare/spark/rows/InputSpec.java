package org.tare.spark.rows;

import java.io.Serializable;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.tare.TareException;

/**
 * How one input of the model is made from a column; whatever is empty is derived from the model and
 * the column.
 *
 * @param column the column's name; a dot leads into a struct, as in {@code image.bytes}
 * @param dtype what the bytes of a binary column are: uint8, int8, int64 or float32
 * @param shape of one row, without the batch axis, as the model reads it
 * @param scale each value is multiplied by it first
 * @param mean is subtracted then, one value or one per channel
 * @param std divides last, one value or one per channel
 * @param channelsLast the column holds [H, W, C], the model reads [C, H, W]
 * @param image the column holds PNG or JPEG files
 * @param resize height and width of the image, or one number for its shorter side; empty for none
 * @param crop height and width cut from the middle, or one number for both; empty for none
 * @param value what the model reads in every row, in place of a column: one number for all places,
 *     or one for each; empty for a column
 * @param axis the axis of the model's input that counts the rows of a batch, or {@link #NO_AXIS} if
 *     all rows share the input; empty for what the model shows
 */
public record InputSpec(
    Optional<String> column,
    Optional<String> dtype,
    List<Long> shape,
    double scale,
    List<Double> mean,
    List<Double> std,
    boolean channelsLast,
    boolean image,
    List<Integer> resize,
    List<Integer> crop,
    List<Double> value,
    OptionalInt axis) {
  /** No axis counts rows. */
  public static final int NO_AXIS = -1;

  /** The longest side of an image, in pixels. */
  public static final int LONGEST_SIDE = 65_536;

  /** The most pixels that resize and crop may ask for; models read far fewer. */
  public static final long MOST_PIXELS = 1L << 26;

  /** What resize and crop take, for messages. */
  public static final String SIDES =
      "height and width, or one number for both, each a whole number from 1 to "
          + LONGEST_SIDE
          + ", together at most "
          + MOST_PIXELS
          + " pixels";

  /**
   * @throws TareException if resize or crop is not what {@link #SIDES} says
   */
  public InputSpec {
    shape = List.copyOf(shape);
    mean = List.copyOf(mean);
    std = List.copyOf(std);
    resize = List.copyOf(resize);
    crop = List.copyOf(crop);
    value = List.copyOf(value);
    checkSides("resize", resize);
    checkSides("crop", crop);
  }

  /** Nothing said: all is derived. */
  public static InputSpec derived() {
    return new InputSpec(
        Optional.empty(),
        Optional.empty(),
        List.of(),
        1,
        List.of(0.0),
        List.of(1.0),
        false,
        false,
        List.of(),
        List.of(),
        List.of(),
        OptionalInt.empty());
  }

  private static void checkSides(String field, List<Integer> sides) {
    if (!sides.isEmpty() && !areSides(sides)) {
      throw TareException.usage(
          "The %s of an input cannot be %s: it is %s",
          field, sides.size() == 1 ? sides.get(0) : sides, SIDES);
    }
  }

  /** Whether resize or crop can be these numbers, as {@link #SIDES} says. */
  public static boolean areSides(List<? extends Number> sides) {
    if (sides.isEmpty() || sides.size() > 2) {
      return false;
    }
    for (Number side : sides) {
      double value = side.doubleValue();
      if (!(value >= 1 && value <= LONGEST_SIDE && value == Math.rint(value))) {
        return false;
      }
    }
    double height = sides.get(0).doubleValue();
    return height * sides.get(sides.size() - 1).doubleValue() <= MOST_PIXELS;
  }

  /** What travels to the executors: Optional does not. */
  record Transform(
      double scale, double[] mean, double[] std, boolean channelsLast, int[] resize, int[] crop)
      implements Serializable {
    /** Whether values stay as they are. */
    boolean keepsValues() {
      return scale == 1 && all(mean, 0) && all(std, 1);
    }

    /** Whether nothing is said of how the column's values are changed. */
    boolean isPlain() {
      return keepsValues() && !channelsLast && resize.length == 0 && crop.length == 0;
    }

    private static boolean all(double[] values, double expected) {
      for (double value : values) {
        if (value != expected) {
          return false;
        }
      }
      return true;
    }
  }

  Transform transform() {
    return new Transform(
        scale,
        mean.stream().mapToDouble(Double::doubleValue).toArray(),
        std.stream().mapToDouble(Double::doubleValue).toArray(),
        channelsLast,
        resize.stream().mapToInt(Integer::intValue).toArray(),
        crop.stream().mapToInt(Integer::intValue).toArray());
  }
}
