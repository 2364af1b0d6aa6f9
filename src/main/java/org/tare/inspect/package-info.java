/**
 * What is quantized in an ONNX model, whoever wrote it: QDQ pairs, operators on integers, dynamic
 * quantization and quantized weights, in subgraphs too; which nodes compute with integers and which
 * with floats; whose integer products differ between CPUs.
 *
 * <p>It is read off the structure and the constants; the model is not run. May use {@code
 * org.tare.onnx}, {@code org.tare.quant} and the packages between.
 */
package org.tare.inspect;
