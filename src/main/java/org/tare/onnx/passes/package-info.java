/**
 * What has to be done on the protobuf form of a whole model, with its subgraphs, before it is an
 * editable graph to others: float16 made float32, and a look for nodes that make very large tensors
 * of little. May use {@code org.tare.onnx}.
 */
package org.tare.onnx.passes;
