package org.tare.inspect;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.GraphScope;
import org.tare.onnx.GraphScope.Item;

/**
 * Whether what a node reads was dequantized, and whether what it computes is quantized again, over
 * the nodes between that move values or bound them. No chain of nodes is walked twice, and none by
 * recursion: chains may be as long as the graph.
 */
final class QuantizedNeighbours {
  private final Map<Item, Boolean> quantizedAgain = new HashMap<>();

  /** Whether the node may be fused into the integer kernel before it. */
  static boolean isFunction(Item item) {
    return item.is("Relu") || item.is("Clip");
  }

  /** Whether all that reads the node's result, after a Relu or Clip, quantizes it. */
  boolean isQuantizedAgain(Item item) {
    Item current = item;
    List<Item> passed = new ArrayList<>();
    Boolean found = quantizedAgain.get(current);
    while (found == null) {
      passed.add(current);
      String output = current.node().output(0);
      List<Item> readers = current.scope().consumers(output);
      boolean isOutput = current.scope().isOutput(output);
      if (!isOutput && readers.size() == 1 && isFunction(readers.get(0))) {
        current = readers.get(0);
        found = quantizedAgain.get(current);
      } else {
        found =
            !isOutput
                && !readers.isEmpty()
                && readers.stream().allMatch(reader -> reader.is("QuantizeLinear"));
      }
    }
    for (Item one : passed) {
      quantizedAgain.put(one, found);
    }
    return found;
  }

  /** Whether the tensor, but for where its values stand, is a dequantized activation. */
  static boolean isDequantizedActivation(Item item, String input) {
    return item.scope()
        .origin(input)
        .filter(origin -> origin.is("DequantizeLinear"))
        .filter(origin -> !isOfConstant(origin))
        .isPresent();
  }

  /** Whether a DequantizeLinear gives a constant back, be it one that is quantized in the graph. */
  private static boolean isOfConstant(Item dequantize) {
    GraphScope scope = dequantize.scope();
    String integers = dequantize.node().input(0);
    return scope.source(integers).isPresent()
        || scope
            .producer(integers)
            .filter(p -> p.is("QuantizeLinear"))
            .flatMap(p -> p.scope().constantPlace(p.node().input(0)))
            .isPresent();
  }

  /** Whether what reads a dequantized constant reads a dequantized activation with it. */
  boolean meetsQuantizedActivation(Item dequantize) {
    Set<Item> reached = new HashSet<>(Set.of(dequantize));
    Deque<Item> open = new ArrayDeque<>(reached);
    while (!open.isEmpty()) {
      Item item = open.pop();
      for (String output : item.node().outputs()) {
        for (Item reader : item.scope().consumers(output)) {
          Optional<String> activation =
              reader.node().inputs().stream()
                  .filter(in -> !in.equals(output) && isDequantizedActivation(reader, in))
                  .findAny();
          if (activation.isPresent() || isQuantizedAgain(reader)) {
            return true;
          }
          if (GraphScope.moves(reader) && reached.add(reader)) {
            open.push(reader);
          }
        }
      }
    }
    return false;
  }
}
