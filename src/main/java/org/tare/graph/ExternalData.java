package org.tare.graph;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import org.tare.TareException;
import org.tare.graph.proto.Onnx.TensorProto;

/** Tensors whose bytes are in a file beside the model. */
final class ExternalData {
  private ExternalData() {}

  /**
   * The tensor with its bytes read in.
   *
   * @throws TareException if the file is missing, too short, or not inside the model's folder: a
   *     model from elsewhere must not read other files of the machine
   */
  static TensorProto read(Path model, TensorProto tensor) {
    Map<String, String> entries = new HashMap<>();
    tensor.getExternalDataList().forEach(e -> entries.put(e.getKey(), e.getValue()));
    String location = entries.getOrDefault("location", "");
    Path folder = model.toAbsolutePath().normalize().getParent();
    Path file = folder.resolve(location).normalize();
    if (location.isEmpty() || Path.of(location).isAbsolute() || !file.startsWith(folder)) {
      throw TareException.badInput(
          "Cannot read model %s: tensor \"%s\" keeps its data in \"%s\", outside of the model's folder",
          model, tensor.getName(), location);
    }
    if (!Files.isRegularFile(file)) {
      throw TareException.missing(
          "Cannot read model %s: tensor \"%s\" keeps its data in %s, and there is no such file",
          model, tensor.getName(), file);
    }
    try {
      if (!file.toRealPath().startsWith(folder.toRealPath())) {
        throw TareException.badInput(
            "Cannot read model %s: tensor \"%s\" keeps its data in \"%s\", a link out of the model's folder",
            model, tensor.getName(), location);
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
        ByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, offset, length);
        return tensor.toBuilder()
            .clearExternalData()
            .clearDataLocation()
            .setRawData(ByteString.copyFrom(bytes))
            .build();
      }
    } catch (IOException e) {
      throw TareException.badInput("Cannot read model %s: %s: %s", model, file, e).causedBy(e);
    }
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
