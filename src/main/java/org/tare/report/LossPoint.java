package org.tare.report;

/**
 * The losses at one step of a training.
 *
 * @param validation NaN where it was not measured
 */
public record LossPoint(long step, double training, double validation) {}
