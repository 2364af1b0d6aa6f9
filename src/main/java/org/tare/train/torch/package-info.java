/**
 * libtorch, and ONNX's operators as its operations: what they give, and with it their gradients.
 */
package org.tare.train.torch;
