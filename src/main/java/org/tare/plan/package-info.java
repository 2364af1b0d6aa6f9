/**
 * Decides, before anything is observed, which nodes are quantized, which tensors get qparams and
 * which of them share one pair; once ranges are known, chooses the qparams.
 *
 * <p>Rules are by operator. Tensors that hold the same values share a pair (Reshape, MaxPool); what
 * only an activation function reads takes the range after it, since the clipping is part of the
 * rounding; where an operator gives the range (Sigmoid, Tanh), it is fixed.
 *
 * <p>May use {@code org.tare.qconfig}, {@code org.tare.range}, {@code org.tare.stats}, {@code
 * org.tare.onnx} and {@code org.tare.quant}.
 */
package org.tare.plan;
