package org.tare.train;

import java.io.Serializable;
import org.tare.prepare.WeightChannels;

/**
 * A layer whose BatchNormalization is kept in training. In a state, the place of its folded weight
 * holds the weight as it was before folding, and that of its folded bias holds beta.
 *
 * @param label of the normalization, for messages
 * @param node the place of the layer in the graph
 * @param weight the place of its weight among the parameters
 * @param bias the place of its bias
 * @param offsets the biases that the layer had before folding, which stay: the mean takes them away
 * @param channels which channel each value of the weight belongs to
 */
record NormalizedLayer(
    String label,
    int node,
    int weight,
    int bias,
    double[] offsets,
    double epsilon,
    WeightChannels channels)
    implements Serializable {
  private static final long serialVersionUID = 1L;

  /** What the normalization divides by, for each channel. */
  double[] deviations(float[] variance) {
    double[] deviations = new double[variance.length];
    for (int c = 0; c < deviations.length; c++) {
      deviations[c] = Math.sqrt(variance[c] + epsilon);
    }
    return deviations;
  }
}
