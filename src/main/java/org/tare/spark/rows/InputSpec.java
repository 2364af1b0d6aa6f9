package org.tare.spark.rows;

import java.io.Serializable;
import java.util.List;
import java.util.Optional;

/**
 * How one input of the model is made from a column; whatever is empty is derived from the model and
 * the column.
 *
 * @param column the column's name
 * @param dtype what the bytes of a binary column are: uint8, int8, int64 or float32
 * @param shape of one row, without the batch axis, as the model reads it
 * @param scale each value is multiplied by it first
 * @param mean is subtracted then, one value or one per channel
 * @param std divides last, one value or one per channel
 * @param channelsLast the column holds [H, W, C], the model reads [C, H, W]
 * @param image the column holds PNG or JPEG files
 * @param resize height and width of the image, or one number for its shorter side; empty for none
 * @param crop height and width cut from the middle; empty for none
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
    List<Integer> crop) {
  /** The greatest height and width that images are resized or cut to. */
  public static final int LARGEST_SIDE = 65_536;

  public InputSpec {
    shape = List.copyOf(shape);
    mean = List.copyOf(mean);
    std = List.copyOf(std);
    resize = List.copyOf(resize);
    crop = List.copyOf(crop);
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
        List.of());
  }

  /** What travels to the executors: Optional does not. */
  record Transform(
      double scale, double[] mean, double[] std, boolean channelsLast, int[] resize, int[] crop)
      implements Serializable {}

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
