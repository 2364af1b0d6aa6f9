/**
 * PyTorch's observers, QConfigs and fake quantization by their names and with their figures: what
 * training in PyTorch's manner needs. Held to recorded results of PyTorch.
 *
 * <p>The state of an observer is Tare's {@link org.tare.stats.TensorStats}; only the histogram
 * observers, whose algorithms depend on order, have states of their own. May use {@code
 * org.tare.range.torch}, {@code org.tare.stats} and {@code org.tare.quant}.
 */
package org.tare.torch;
