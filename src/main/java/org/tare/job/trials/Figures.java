package org.tare.job.trials;

import java.util.Map;
import java.util.OptionalDouble;
import org.tare.spark.tasks.OutputMetrics;

/**
 * What was measured of a form.
 *
 * @param outputs the figures of each output
 * @param own the user's figure, if one is asked for
 */
public record Figures(Map<String, OutputMetrics> outputs, OptionalDouble own) {}
