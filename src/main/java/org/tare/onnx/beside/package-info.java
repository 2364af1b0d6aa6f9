/**
 * A float model and quantized forms of it beside each other, as one graph: tensors of one name
 * stand for the same values, and what lies between them is a layer. A {@link ShadowModel} feeds
 * each quantized layer with what the float model computes; a {@link SwitchedModel} holds several
 * forms of each layer, of which an input chooses; a {@link SplitModel} takes apart what does not
 * depend on that input.
 *
 * <p>May use {@code org.tare.onnx}; sees protobuf, since the graphs are put together node by node.
 */
package org.tare.onnx.beside;
