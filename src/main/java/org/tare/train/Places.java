package org.tare.train;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;

/**
 * Where a model's values are rounded.
 *
 * @param parameters the constants that are trained
 * @param roots of the tensors that are rounded: whose grid they take
 * @param rounded the tensors of which every reader gets rounded values
 * @param quantized the places of nodes in the graph that read rounded values
 * @param roundConstants those of them whose constants are rounded
 * @param frozen the places of nodes that ONNX Runtime computes
 * @param normalized the layers whose BatchNormalization is kept
 */
record Places(
    ArrayList<String> parameters,
    HashMap<String, String> roots,
    HashSet<String> rounded,
    HashSet<Integer> quantized,
    HashSet<Integer> roundConstants,
    HashSet<Integer> frozen,
    ArrayList<NormalizedLayer> normalized)
    implements Serializable {
  /** How many arrays of a state come before those of scales. */
  int arrays() {
    return parameters.size() + NormalizedLayers.ARRAYS * normalized.size();
  }

  /** Whether weight decay touches an array of a state: not beta, gamma and what follows. */
  boolean isDecayed(int array) {
    return array < parameters.size()
        && normalized.stream().noneMatch(layer -> layer.bias() == array);
  }
}
