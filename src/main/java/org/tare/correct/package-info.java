/**
 * Corrections that take statistics of activations.
 *
 * <p>SmoothQuant (Xiao et al. 2023) moves outliers of activations into weights, by powers of two:
 *
 * <pre>
 *   x W = (x / s) (s W)        s[c] = max|x[c]|^alpha / max|W[c]|^(1 - alpha)
 * </pre>
 *
 * <p>Bias correction (Nagel et al. 2019) takes what rounding adds to the means of output channels
 * off biases, at once from the float model's means or in sequence, layer after layer:
 *
 * <pre>
 *   shift[o] = sum over c and kernel of (W'[o, c] - W[o, c]) * mean(x[c])
 * </pre>
 *
 * <p>May use {@code org.tare.prepare}, {@code org.tare.qconfig}, {@code org.tare.stats}, {@code
 * org.tare.onnx} and {@code org.tare.quant}.
 */
package org.tare.correct;
