package org.tare.examples;

import com.google.protobuf.CodedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.tare.infer.ModelSession;
import org.tare.onnx.ElementType;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.StringStringEntryProto;
import org.tare.onnx.proto.Onnx.TensorProto;

/** A model in a comparison, loaded into ONNX Runtime with one thread that does not spin. */
final class Contender implements AutoCloseable {
  /** What made a model, and where it is. */
  record Name(String tool, String mode, Path file) {
    /** Takes {@code TOOL:MODE=FILE}, or a file alone. */
    static Name parse(String argument) {
      int equals = argument.indexOf('=');
      String label = argument.substring(0, Math.max(0, equals));
      int colon = label.indexOf(':');
      Path file = Path.of(argument.substring(equals + 1));
      if (!Files.isRegularFile(file)) {
        throw new IllegalArgumentException("Cannot score " + file + ": there is no such file");
      }
      return new Name(label.substring(0, Math.max(0, colon)), label.substring(colon + 1), file);
    }
  }

  private final Name name;
  private final ModelSession session;
  private final String output;

  Contender(Name name) {
    this.name = name;
    this.session = ModelSession.open(name.file(), name.file().toString(), 1);
    this.output = session.outputs().keySet().iterator().next();
  }

  Name name() {
    return name;
  }

  /** The values of the first output. */
  float[] run(Map<String, Npy> inputs) {
    float[][] values = new float[1][];
    run(
        inputs,
        Set.of(output),
        (tensorName, tensor) -> {
          values[0] = new float[Math.toIntExact(tensor.size())];
          tensor.floats().get(values[0]);
        });
    return values[0];
  }

  /** Runs the model and leaves the result where it is: what is timed. */
  void runOnly(Map<String, Npy> inputs) {
    run(inputs, Set.of(output), (tensorName, tensor) -> {});
  }

  /** Runs the model for the named outputs. */
  void run(Map<String, Npy> inputs, Set<String> outputs, ModelSession.OutputReader reader) {
    Map<String, ModelSession.InputTensor> given = new LinkedHashMap<>();
    for (String input : session.inputs().keySet()) {
      Npy values = inputs.get(input);
      if (values == null) {
        throw new IllegalArgumentException(
            "Cannot score " + name.file() + ": the data has no input \"" + input + "\"");
      }
      ElementType type = values.type().equals(Npy.INT64) ? ElementType.INT64 : ElementType.FLOAT32;
      given.put(
          input, new ModelSession.InputTensor(type, values.shape(), values.bytes().duplicate()));
    }
    session.run(given, outputs, reader);
  }

  /** The size of the file and of the files it keeps weights in. */
  long bytes() throws IOException {
    Path file = name.file();
    ModelProto model;
    try (InputStream in = Files.newInputStream(file)) {
      CodedInputStream coded = CodedInputStream.newInstance(in);
      coded.setSizeLimit(Integer.MAX_VALUE);
      model = ModelProto.parseFrom(coded);
    }
    Set<Path> files = new HashSet<>(Set.of(file));
    for (TensorProto tensor : model.getGraph().getInitializerList()) {
      for (StringStringEntryProto entry : tensor.getExternalDataList()) {
        if (entry.getKey().equals("location")) {
          files.add(file.resolveSibling(entry.getValue()));
        }
      }
    }
    long sum = 0;
    for (Path each : files) {
      sum += Files.size(each);
    }
    return sum;
  }

  @Override
  public void close() {
    session.close();
  }
}
