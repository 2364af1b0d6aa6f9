/**
 * Writes the quantized model.
 *
 * <p>Static: as pairs of QuantizeLinear and DequantizeLinear (QDQ), which runtimes fuse, or as
 * operators on integers (QOperator). Data-free: dynamic quantization, whose ranges the model
 * computes for each batch, and weights alone, 8 bits by channel or 4 bits in blocks.
 *
 * <pre>
 *   QuantizeLinear     q = clamp(round(x / scale) + zero_point)
 *   DequantizeLinear   x' = (q - zero_point) * scale
 *   bias               int32, scale = scale of input * scale of weight, zero_point = 0
 * </pre>
 *
 * <p>Inputs and outputs stay as they were. What stays float is listed with its reason. May use
 * {@code org.tare.plan}, {@code org.tare.correct}, {@code org.tare.onnx} and the packages between;
 * Jackson for the notes in the metadata.
 */
package org.tare.rewrite;
