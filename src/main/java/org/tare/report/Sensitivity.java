package org.tare.report;

import java.util.List;

/**
 * One layer at a time.
 *
 * @param metric the name of the metric, as in {@code top1}
 * @param meaning what was done with each layer, as a sentence
 * @param layers in the order of the graph, with each type that was tried
 */
public record Sensitivity(String metric, String meaning, List<LayerSensitivity> layers) {
  public Sensitivity {
    layers = List.copyOf(layers);
  }
}
