package org.tare.report;

/**
 * One assignment of types to layers that was measured.
 *
 * @param cost bytes of the weights, or time for a row
 * @param metric its value; the better ones are greater
 * @param isChosen whether it is the answer
 * @param label what tells it from the others, as in {@code 24 layers in int4}
 */
public record ParetoPoint(double cost, double metric, boolean isChosen, String label) {}
