package org.tare.train.torch;

import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.tare.onnx.Node;
import org.tare.train.torch.TorchOperators.Call;

/**
 * An operator as operations of libtorch.
 *
 * @param operator its name, behind its domain and a colon if it is none of ONNX's own
 * @param obstacle finds why a node of it cannot be trained through, as far as the node tells
 */
record Form(String operator, Results results, Obstacle obstacle) {
  /** Gives what a node gives, in the order of its outputs. */
  @FunctionalInterface
  interface Results {
    List<Tensor> of(Call call);
  }

  /** Gives the one result of a node. */
  @FunctionalInterface
  interface Result {
    Tensor of(Call call);
  }

  /** Says why a node cannot be trained through. */
  @FunctionalInterface
  interface Obstacle {
    Optional<String> in(Node node);
  }

  /** With one result. */
  static Form one(String operator, Result result) {
    return several(operator, call -> List.of(result.of(call)));
  }

  static Form several(String operator, Results results) {
    return new Form(operator, results, node -> Optional.empty());
  }

  /** The same for nodes without an obstacle. */
  Form unless(Obstacle found) {
    return new Form(operator, results, found);
  }

  /** The name of a node's operator, as forms have it. */
  static String operator(Node node) {
    return node.isStandard() ? node.opType() : node.domain() + ":" + node.opType();
  }
}
