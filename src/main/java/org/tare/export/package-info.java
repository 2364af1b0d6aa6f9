/**
 * Chosen ranges in the formats of other tools: TensorRT's calibration cache and ONNX Runtime's
 * calibration tables.
 *
 * <pre>
 *   TensorRT            max(|low|, |high|) / 127      float32 bits in hexadecimal
 *   ONNX Runtime JSON   low, high
 *   FlatBuffers         max(|low|, |high|)
 * </pre>
 *
 * <p>The files go with the float model. May use {@code org.tare.rewrite}, {@code org.tare.plan} and
 * what lies below them.
 */
package org.tare.export;
