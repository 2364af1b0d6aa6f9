package org.tare.correct;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Operators;
import org.tare.onnx.TensorType;

/**
 * Which axis of a tensor counts its channels: the last where a matrix product reads or writes it,
 * else the second, as convolutions have it.
 */
public final class ChannelAxes {
  private ChannelAxes() {}

  /**
   * The axes of the tensors that have channels, counted from the end: -1 is the last.
   *
   * @param tensors those of interest; without an entry in the result, a tensor has fewer than two
   *     axes, is of unknown rank, or has channels whose number varies, as the length of a sequence
   *     does
   */
  public static Map<String, Integer> of(
      OnnxModel model, Map<String, TensorType> types, Collection<String> tensors) {
    Map<String, Node> producers = model.graph().producers();
    Map<String, List<Node>> consumers = model.graph().consumers();
    Map<String, Integer> axes = new TreeMap<>();
    for (String tensor : tensors) {
      TensorType type = types.get(tensor);
      if (type == null || type.rank() < 2) {
        continue;
      }
      Node producer = producers.get(tensor);
      boolean isLast =
          type.rank() == 2
              || (producer != null && Operators.CHANNELS_LAST.contains(producer.opType()))
              || consumers.getOrDefault(tensor, List.of()).stream()
                  .anyMatch(node -> Operators.CHANNELS_LAST.contains(node.opType()));
      int axis = isLast ? -1 : 1 - type.rank();
      boolean isFixed = type.shape()[type.rank() + axis] > 0;
      if (isFixed) {
        axes.put(tensor, axis);
      }
    }
    return axes;
  }
}
