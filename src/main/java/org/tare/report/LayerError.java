package org.tare.report;

/**
 * How far the quantized model is from the float one at one tensor. Figures are in dB; NaN where
 * nothing was measured, infinite where there is no error.
 *
 * @param name the tensor
 * @param op the type of the node that computes it
 * @param accumulatedSqnr with the quantized model's own inputs: the errors of all layers before are
 *     in it
 * @param localSqnr with the float model's inputs: the error of this layer alone
 */
public record LayerError(String name, String op, double accumulatedSqnr, double localSqnr) {}
