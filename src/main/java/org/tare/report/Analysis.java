package org.tare.report;

import java.util.List;
import java.util.Optional;

/**
 * What was measured of a model's layers, as the report shows it. Each part may be missing.
 *
 * @param layers float against quantized, in the order of the graph
 * @param sensitivity one layer at a time
 * @param front the assignments of types that a search looked at
 * @param losses the course of a training
 */
public record Analysis(
    List<LayerError> layers,
    Optional<Sensitivity> sensitivity,
    Optional<ParetoFront> front,
    List<LossPoint> losses) {
  /** Nothing was measured. */
  public static final Analysis NONE =
      new Analysis(List.of(), Optional.empty(), Optional.empty(), List.of());

  public Analysis {
    layers = List.copyOf(layers);
    losses = List.copyOf(losses);
  }

  /** The same with errors of layers. */
  public Analysis withLayers(List<LayerError> other) {
    return new Analysis(other, sensitivity, front, losses);
  }

  /** The same with the sensitivity of layers. */
  public Analysis with(Sensitivity other) {
    return new Analysis(layers, Optional.of(other), front, losses);
  }

  /** The same with a front. */
  public Analysis with(ParetoFront other) {
    return new Analysis(layers, sensitivity, Optional.of(other), losses);
  }

  /** The same with the course of a training. */
  public Analysis withLosses(List<LossPoint> other) {
    return new Analysis(layers, sensitivity, front, other);
  }
}
