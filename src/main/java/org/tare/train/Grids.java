package org.tare.train;

import java.io.Serializable;
import java.util.HashMap;

/**
 * The scales and zero points that values are rounded with.
 *
 * @param activations by root, as the plan has it
 * @param constants weights, biases and other constants, by name
 */
public record Grids(HashMap<String, Grid> activations, HashMap<String, Grid> constants)
    implements Serializable {
  /**
   * Those of one tensor.
   *
   * @param axis of the channels, or -1 if there is one scale
   */
  public record Grid(int axis, float[] scales, int[] zeroPoints, int quantMin, int quantMax)
      implements Serializable {
    /**
     * Rounds a constant to its grid.
     *
     * @param inside gets which values lie within the grid; the gradient of the others is 0
     */
    float[] round(float[] values, long[] shape, boolean[] inside) {
      int inner = values.length;
      if (axis >= 0) {
        inner = 1;
        for (int i = axis + 1; i < shape.length; i++) {
          inner *= (int) shape[i];
        }
      }
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
