package org.tare.infer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.TareException;
import org.tare.graph.Node;
import org.tare.graph.OnnxModel;
import org.tare.graph.TensorType;

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
    return typesOf(model.withOutputs(tensors), name);
  }

  /**
   * Does nothing if ONNX Runtime accepts the model.
   *
   * @throws TareException if it does not
   */
  public static void check(OnnxModel model, String name) {
    typesOf(model, name);
  }

  private static Map<String, TensorType> typesOf(OnnxModel model, String name) {
    Path file = null;
    try {
      file = Files.createTempFile("tare-types-", ".onnx");
      model.write(file);
      try (ModelSession session = ModelSession.open(file, name, 1)) {
        Map<String, TensorType> types = new LinkedHashMap<>(session.inputs());
        types.putAll(session.outputs());
        return types;
      }
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot write a temporary file: %s", e).causedBy(e);
    } finally {
      deleteQuietly(file);
    }
  }

  private static void deleteQuietly(Path file) {
    if (file != null) {
      try {
        Files.deleteIfExists(file);
      } catch (IOException e) {
        file.toFile().deleteOnExit();
      }
    }
  }
}
