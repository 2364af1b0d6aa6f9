package org.tare.report;

/**
 * How far a training has come at one step. What is not known is NaN.
 *
 * @param loss the mean over the round that ended with the step; NaN before the first
 * @param sqnr of the quantized model on rows that are measured, in dB
 * @param top1 of the same, where there are labels
 */
public record LossPoint(long step, double loss, double sqnr, double top1) {}
