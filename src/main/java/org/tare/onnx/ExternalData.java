package org.tare.onnx;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.tare.TareException;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.FunctionProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.TensorProto;

/** Tensors whose bytes are in a file beside the model. */
final class ExternalData {
  /** Tensors from this size on are mapped; a mapping of its own for each small one is a waste. */
  private static final int LEAST_MAPPED = 64 * 1024; // 64 KB

  private ExternalData() {}

  static boolean isExternal(TensorProto tensor) {
    return tensor.getDataLocation() == TensorProto.DataLocation.EXTERNAL;
  }

  /**
   * The model with other tensors: those of its graph, then those that are attributes of nodes in
   * its functions.
   *
   * @param change gives the tensor itself where it stays
   */
  static ModelProto map(ModelProto model, UnaryOperator<TensorProto> change) {
    ModelProto.Builder changed = model.toBuilder().setGraph(map(model.getGraph(), change));
    for (int i = 0; i < model.getFunctionsCount(); i++) {
      FunctionProto.Builder function = changed.getFunctionsBuilder(i);
      for (int j = 0; j < function.getNodeCount(); j++) {
        function.setNode(j, map(function.getNode(j), change));
      }
    }
    return changed.build();
  }

  /**
   * The graph with other tensors: initializers, then tensors that are attributes of nodes, then
   * those of the graphs inside of nodes.
   *
   * @param change gives the tensor itself where it stays
   */
  static GraphProto map(GraphProto graph, UnaryOperator<TensorProto> change) {
    GraphProto.Builder changed = graph.toBuilder();
    for (int i = 0; i < graph.getInitializerCount(); i++) {
      changed.setInitializer(i, change.apply(graph.getInitializer(i)));
    }
    for (int i = 0; i < graph.getNodeCount(); i++) {
      changed.setNode(i, map(graph.getNode(i), change));
    }
    return changed.build();
  }

  private static NodeProto map(NodeProto node, UnaryOperator<TensorProto> change) {
    boolean holdsNone =
        node.getAttributeList().stream()
            .noneMatch(attribute -> attribute.hasT() || attribute.hasG());
    if (holdsNone) {
      return node;
    }
    NodeProto.Builder changed = node.toBuilder();
    for (int i = 0; i < node.getAttributeCount(); i++) {
      AttributeProto attribute = node.getAttribute(i);
      if (attribute.hasT()) {
        changed.getAttributeBuilder(i).setT(change.apply(attribute.getT()));
      } else if (attribute.hasG()) {
        changed.getAttributeBuilder(i).setG(map(attribute.getG(), change));
      }
    }
    return changed.build();
  }

  /** Where an external tensor says its bytes are: a path from the model's folder. */
  static String location(TensorProto tensor) {
    return entries(tensor).getOrDefault("location", "");
  }

  private static Map<String, String> entries(TensorProto tensor) {
    Map<String, String> entries = new HashMap<>();
    tensor.getExternalDataList().forEach(e -> entries.put(e.getKey(), e.getValue()));
    return entries;
  }

  /**
   * The tensor with its bytes, which stay in the file until they are used: they are mapped, so they
   * take no heap. The file may be deleted or replaced afterwards, but not changed in place.
   *
   * @throws TareException if the file is missing, too short, or not inside the model's folder: a
   *     model from elsewhere must not read other files of the machine
   */
  static TensorProto read(Path model, TensorProto tensor) {
    Map<String, String> entries = entries(tensor);
    Path file = file(model, tensor);
    if (!Files.isRegularFile(file)) {
      throw TareException.missing(
          "Cannot read model %s: tensor \"%s\" keeps its data in %s, and there is no such file",
          model, tensor.getName(), file);
    }
    try {
      if (!file.toRealPath().startsWith(folder(model).toRealPath())) {
        throw TareException.badInput(
            "Cannot read model %s: tensor \"%s\" keeps its data in \"%s\", a link out of the model's folder",
            model, tensor.getName(), location(tensor));
      }
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
        long offset = number(model, tensor, entries, "offset", 0);
        long length = number(model, tensor, entries, "length", channel.size() - offset);
        if (offset < 0 || length < 0 || length > channel.size() - offset) {
          throw TareException.badInput(
              "Cannot read model %s: tensor \"%s\" needs bytes %d to %d of %s, which has %d",
              model, tensor.getName(), offset, offset + length, file, channel.size());
        }
        if (length > Integer.MAX_VALUE - 8) {
          throw TareException.badInput(
              "Cannot read model %s: tensor \"%s\" has %d bytes, Tare reads tensors of up to 2 GB",
              model, tensor.getName(), length);
        }
        MappedByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, offset, length);
        return tensor.toBuilder()
            .clearExternalData()
            .clearDataLocation()
            .setRawData(
                length < LEAST_MAPPED
                    ? ByteString.copyFrom(bytes)
                    : UnsafeByteOperations.unsafeWrap(bytes))
            .build();
      }
    } catch (IOException e) {
      throw TareException.badInput("Cannot read model %s: %s: %s", model, file, e).causedBy(e);
    }
  }

  private static Path folder(Path model) {
    return model.toAbsolutePath().normalize().getParent();
  }

  /**
   * The file of an external tensor, by its name alone.
   *
   * @throws TareException if it is outside of the model's folder
   */
  static Path file(Path model, TensorProto tensor) {
    String location = location(tensor);
    try {
      Path file = folder(model).resolve(location).normalize();
      boolean isInside = !Path.of(location).isAbsolute() && file.startsWith(folder(model));
      if (!location.isEmpty() && isInside) {
        return file;
      }
    } catch (InvalidPathException e) {
      throw TareException.badInput(
              "Cannot read model %s: tensor \"%s\" keeps its data in \"%s\", which is no path",
              model, tensor.getName(), location)
          .causedBy(e);
    }
    throw TareException.badInput(
        "Cannot read model %s: tensor \"%s\" keeps its data in \"%s\", outside of the model's folder",
        model, tensor.getName(), location);
  }

  private static long number(
      Path model, TensorProto tensor, Map<String, String> entries, String key, long absent) {
    String text = entries.get(key);
    if (text == null) {
      return absent;
    }
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw TareException.badInput(
              "Cannot read model %s: tensor \"%s\" has %s \"%s\", which is no number",
              model, tensor.getName(), key, text)
          .causedBy(e);
    }
  }
}
