/**
 * The histogram and the ranges of ONNX Runtime's calibrators, with their peculiarities, so that
 * their numbers can be had and compared. Each class says which release it follows.
 *
 * <p>May use {@code org.tare.stats} and {@code org.tare.quant}.
 */
package org.tare.range.onnxruntime;
