package org.tare.train;

import java.io.Serializable;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.tare.quant.QuantSpec;

/**
 * The scales and zero points that values are rounded with.
 *
 * @param activations by root, as the plan has it
 * @param constants weights, biases and other constants, by name
 * @param biases where the scales of biases among the constants come from
 * @param specs how ranges of activations that may change become scales, by root
 */
public record Grids(
    HashMap<String, Grid> activations,
    HashMap<String, Grid> constants,
    HashMap<String, Bias> biases,
    HashMap<String, QuantSpec> specs)
    implements Serializable {
  /**
   * A bias, whose scales are those of an activation times those of a weight.
   *
   * @param root of the activation
   */
  public record Bias(String root, String weight) implements Serializable {}

  /** The same with other scales of activations and weights, and those of biases that follow. */
  Grids with(Map<String, Grid> others, Map<String, float[]> weightScales) {
    HashMap<String, Grid> roots = new HashMap<>(activations);
    roots.putAll(others);
    HashMap<String, Grid> all = new HashMap<>(constants);
    weightScales.forEach((weight, scales) -> all.put(weight, all.get(weight).with(scales)));
    biases.forEach(
        (bias, of) -> {
          float[] scales = all.get(of.weight()).scales().clone();
          for (int i = 0; i < scales.length; i++) {
            scales[i] = roots.get(of.root()).scales()[0] * scales[i];
          }
          all.put(bias, all.get(bias).with(scales));
        });
    return new Grids(roots, all, biases, specs);
  }

  /** A text that tells these scales and zero points from others, to the last bit. */
  public String text() {
    StringBuilder text = new StringBuilder();
    for (Map<String, Grid> all : List.of(activations, constants)) {
      new TreeMap<>(all).forEach((name, grid) -> text.append(name).append(grid.text()));
    }
    return text.toString();
  }

  /**
   * Those of one tensor.
   *
   * @param axis of the channels, or -1 if there is one scale
   */
  public record Grid(int axis, float[] scales, int[] zeroPoints, int quantMin, int quantMax)
      implements Serializable {
    /** The same with other scales. */
    Grid with(float[] others) {
      return new Grid(axis, others, zeroPoints, quantMin, quantMax);
    }

    /** The same with other zero points. */
    Grid withZeroPoints(int... others) {
      return new Grid(axis, scales, others, quantMin, quantMax);
    }

    private String text() {
      return ":"
          + axis
          + Arrays.toString(scales)
          + Arrays.toString(zeroPoints)
          + quantMin
          + ","
          + quantMax
          + ";";
    }

    /** How many values of one channel follow each other. */
    int inner(int length, long[] shape) {
      if (axis < 0) {
        return length;
      }
      int inner = 1;
      for (int i = axis + 1; i < shape.length; i++) {
        inner *= (int) shape[i];
      }
      return inner;
    }

    /**
     * Rounds a constant to its grid.
     *
     * @param inside gets which values lie within the grid; the gradient of the others is 0
     */
    float[] round(float[] values, long[] shape, boolean[] inside) {
      int inner = inner(values.length, shape);
      float[] rounded = new float[values.length];
      for (int i = 0; i < values.length; i++) {
        int c = i / inner % scales.length;
        // As QParams does it, so that the integers are those of the written model.
        double q = Math.rint(values[i] / scales[c]) + zeroPoints[c];
        double within = Math.max(quantMin, Math.min(quantMax, q));
        inside[i] = q == within;
        rounded[i] = (float) (within - zeroPoints[c]) * scales[c];
      }
      return rounded;
    }
  }
}
