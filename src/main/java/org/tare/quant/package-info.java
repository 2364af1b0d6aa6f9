/**
 * Quantized types, scales and zero points; quantization, its simulation in floats, and the
 * gradients of that; weights with what limits them.
 *
 * <pre>
 *   q = clamp(round(x / scale) + zero_point)      x' = (q - zero_point) * scale      round: half to even
 *   affine      scale = (max - min) / (qmax - qmin)     zero_point = round(qmin - min / scale)
 *   symmetric   scale = max(|min|, |max|) / 127 (int8)  zero_point = 0
 * </pre>
 *
 * <p>Ranges are widened to hold zero first. Tools differ in details; {@link
 * org.tare.quant.QParamsRule} names each rule after its tool. Weights of dense products are held so
 * that two neighbours of one sign never exceed 128 steps: the sums of products are then exact on
 * every CPU. Uses the JDK alone.
 */
package org.tare.quant;
