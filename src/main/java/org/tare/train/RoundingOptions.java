package org.tare.train;

import java.io.Serializable;

/**
 * How rounding is learned.
 *
 * @param steps for each layer
 * @param batch rows of a step
 * @param seed of the order of batches
 */
public record RoundingOptions(int steps, int batch, long seed) implements Serializable {}
