package org.tare.report;

/**
 * One assignment of types to layers that was measured.
 *
 * @param bytes of the model
 * @param metric its value; the better ones are greater
 * @param isChosen whether it is the answer
 * @param label what tells it from the others, as in {@code 24 layers in int4}
 */
public record ParetoPoint(long bytes, double metric, boolean isChosen, String label) {}
