package org.tare.onnx;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * ONNX Runtime's own Attention (of com.microsoft; ONNX's has no weight): the input times the
 * weights of query, key and value, side by side in one matrix, and the attention of these. In its
 * integer form, QAttention, that product is of integers; the attention itself stays float.
 */
public final class Attention {
  private static final int BIAS = 2;
  private static final int MASK = 3;
  private static final int PAST = 4;

  /** Inputs that QAttention has no place for, from the sixth on. */
  private static final List<String> FLOAT_ONLY = List.of("attention_bias", "past_sequence_length");

  /** Attributes that mean the same in both forms. */
  private static final Set<String> SHARED =
      Set.of("num_heads", "unidirectional", "scale", "mask_filter_value");

  private Attention() {}

  public static boolean matches(Node node) {
    return node.domain().equals(Node.MICROSOFT) && node.opType().equals("Attention");
  }

  /** Why ONNX Runtime's CPU kernel of QAttention can't compute the node. */
  public static Optional<String> obstacle(Node node) {
    if (node.input(BIAS).isEmpty()) {
      return Optional.of("it has no bias, which QAttention wants");
    }
    for (int i = 0; i < FLOAT_ONLY.size(); i++) {
      if (!node.input(PAST + 1 + i).isEmpty()) {
        return Optional.of("QAttention does not read its " + FLOAT_ONLY.get(i));
      }
    }
    // The kernel takes do_rotary and leaves it undone; others are refused when the model is loaded.
    return node.attributeNames().stream()
        .filter(attribute -> !SHARED.contains(attribute) && !isNeutral(node, attribute))
        .findFirst()
        .map(attribute -> "QAttention does not carry out its " + attribute);
  }

  /** Whether the node computes the same without the attribute. */
  private static boolean isNeutral(Node node, String attribute) {
    return attribute.equals("qkv_hidden_sizes")
        ? new HashSet<>(node.intsAttribute(attribute)).size() == 1
        : node.hasInt(attribute) && node.intAttribute(attribute, 0) == 0;
  }

  /**
   * The node in its integer form.
   *
   * @param x names of the input's integers, scale and zero point
   * @param weight names of the weight's integers and scales; its zero points are zero
   */
  public static Node integerForm(Node node, List<String> x, List<String> weight) {
    List<String> inputs =
        new ArrayList<>(
            List.of(
                x.get(0),
                weight.get(0),
                node.input(BIAS),
                x.get(1),
                weight.get(1),
                node.input(MASK),
                x.get(2)));
    if (!node.input(PAST).isEmpty()) {
      inputs.addAll(List.of("", node.input(PAST)));
    }
    Node integers = Node.of(Node.MICROSOFT, "QAttention", node.name(), inputs, node.outputs());
    integers.copyAttributes(node, SHARED);
    return integers;
  }
}
