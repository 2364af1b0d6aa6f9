/**
 * ONNX models as graphs that can be edited: nodes in topological order, constants by name, who
 * produces and who reads each tensor, subgraphs, shapes with symbols; models in one file and with
 * external data.
 *
 * <p>The only package that sees protobuf. Files come from strangers: names, sizes and locations are
 * checked before memory is taken, and external data never leaves the folder of its model. May use
 * {@code org.tare.quant} for floats of 16 bits and types.
 */
package org.tare.onnx;
