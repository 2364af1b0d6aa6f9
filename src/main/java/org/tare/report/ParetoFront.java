package org.tare.report;

import java.util.List;
import java.util.OptionalDouble;

/**
 * Cost against metric.
 *
 * @param unit of the cost, as in {@code bytes}
 * @param metric its name, as in {@code top1}
 * @param target what the metric must not fall below
 * @param points all that were measured; the page finds those that no other one beats
 */
public record ParetoFront(
    String unit, String metric, OptionalDouble target, List<ParetoPoint> points) {
  public ParetoFront {
    points = List.copyOf(points);
  }
}
