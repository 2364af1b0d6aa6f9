package org.tare.infer;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;

/** Finds the types of a model's tensors by letting ONNX Runtime infer them. */
public final class TensorTypes {
  private TensorTypes() {}

  /**
   * Types of the inputs and of all that the model's nodes write.
   *
   * @param name what to call the model in messages
   */
  public static Map<String, TensorType> of(OnnxModel model, String name) {
    List<String> tensors =
        model.graph().nodes().stream()
            .map(Node::outputs)
            .flatMap(List::stream)
            .filter(output -> !output.isEmpty())
            .toList();
    Map<String, TensorType> types = typesOf(model.withOutputs(tensors), name);
    List<String> floats = tensors.stream().filter(tensor -> isFloat(types.get(tensor))).toList();
    boolean hasUnknown = floats.stream().anyMatch(tensor -> types.get(tensor).rank() == 0);
    if (hasUnknown && floats.size() < tensors.size()) {
      // ONNX Runtime does not follow the values of a shape through tensors that are outputs.
      types.putAll(typesOf(model.withOutputs(floats), name));
    }
    return types;
  }

  private static boolean isFloat(TensorType type) {
    return type != null && type.elementType() == ElementType.FLOAT32;
  }

  /**
   * Does nothing if ONNX Runtime accepts the model.
   *
   * @throws TareException if it does not
   */
  public static void check(OnnxModel model, String name) {
    typesOf(model, name);
  }

  /**
   * Does nothing if ONNX Runtime accepts the model as it is written: nothing of it is optimised
   * away first, and no constant is computed.
   *
   * @throws TareException if it does not
   */
  public static void checkAsItIs(OnnxModel model, String name) {
    try (TemporaryModel temporary = TemporaryModel.forTypes(model)) {
      ModelSession.openAsItIs(temporary.file(), name).close();
    }
  }

  private static Map<String, TensorType> typesOf(OnnxModel model, String name) {
    try (TemporaryModel temporary = TemporaryModel.forTypes(model);
        ModelSession session = ModelSession.openForTypes(temporary.file(), name)) {
      Map<String, TensorType> types = new LinkedHashMap<>(session.inputs());
      types.putAll(session.outputs());
      return types;
    }
  }
}
