/**
 * Passes over the float model before it is calibrated: operator sets from 7 on are raised,
 * constants kept once, Casts and pairs of Transpose that do nothing left out, BatchNormalization
 * and arithmetic with constants folded into weights, products written as Einsum made MatMul,
 * HardSwish fused, and on request channels of neighbouring layers equalized (Nagel et al. 2019).
 *
 * <pre>
 *   BatchNormalization  w' = w * gamma / sqrt(var + eps)    b' = (b - mean) * gamma / sqrt(var + eps) + beta
 *   equalization        w1'[i] = w1[i] * t    w2'[i] = w2[i] / t    t = sqrt(r1 r2) / r1
 * </pre>
 *
 * <p>The function stays, up to float32 rounding and what options say. Calibration and quantization
 * start from the same prepared model, so names of tensors in a state are those of the rewriting.
 * May use {@code org.tare.onnx}.
 */
package org.tare.prepare;
