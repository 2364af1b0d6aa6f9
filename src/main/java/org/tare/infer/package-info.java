/**
 * Runs ONNX models on the CPU. The only package that sees ONNX Runtime.
 *
 * <p>A session is leased: {@link org.tare.infer.SessionPool} loads a model once for each number of
 * threads, tasks share it, and idle sessions are kept within a limit. Threads never spin, since the
 * machine belongs to Spark. Tensors that the runtime makes are closed by whoever took them.
 *
 * <p>{@link org.tare.infer.ConstantFolding} has the runtime compute what a model's constants alone
 * decide, and {@link org.tare.infer.StoredForms} gives what stayed float its former form.
 *
 * <p>May use {@code org.tare.onnx}, {@code org.tare.prepare}, {@code org.tare.files} and ONNX
 * Runtime.
 */
package org.tare.infer;
