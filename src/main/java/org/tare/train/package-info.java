/**
 * Training: a float model's weights are trained on with fake quantization in its forward pass. The
 * only package that sees libtorch, whose natives come by a jar of their own.
 *
 * <p>ONNX nodes become operations of libtorch, which gives gradients. Weights are quantized by the
 * quantizers that write the model, so their integers are those of the written model; activations by
 * fake quantization with the scales and zero points of the plan. The gradient of rounding is that
 * of the identity within the range and 0 outside of it. The optimizer is plain Java, so that its
 * state can be averaged and its numbers do not depend on natives.
 *
 * <p>May use {@code org.tare.rewrite}, {@code org.tare.plan}, {@code org.tare.prepare}, {@code
 * org.tare.onnx}, {@code org.tare.quant} and libtorch.
 */
package org.tare.train;
