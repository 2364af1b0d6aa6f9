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
import org.tare.graph.ElementType;
import org.tare.graph.proto.Onnx.ModelProto;
import org.tare.graph.proto.Onnx.StringStringEntryProto;
import org.tare.graph.proto.Onnx.TensorProto;
import org.tare.infer.ModelSession;

/**
 * A model in a comparison, loaded into ONNX Runtime with one thread that does not spin. On the
 * command line it is {@code TOOL:MODE=FILE}, or a file alone.
 */
final class Contender implements AutoCloseable {
  private final String tool;
  private final String mode;
  private final Path file;
  private final ModelSession session;
  private final String output;

  private Contender(String tool, String mode, Path file) {
    this.tool = tool;
    this.mode = mode;
    this.file = file;
    this.session = ModelSession.open(file, file.toString(), 1);
    this.output = session.outputs().keySet().iterator().next();
  }

  /** Loads what an argument names. */
  static Contender open(String argument) {
    int equals = argument.indexOf('=');
    String label = argument.substring(0, Math.max(0, equals));
    int colon = label.indexOf(':');
    String tool = label.substring(0, Math.max(0, colon));
    Path file = Path.of(argument.substring(equals + 1));
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException("Cannot score " + file + ": there is no such file");
    }
    return new Contender(tool, label.substring(colon + 1), file);
  }

  /** The values of the first output. */
  float[] run(Map<String, Npy> inputs) {
    float[][] values = new float[1][];
    run(
        inputs,
        (name, tensor) -> {
          values[0] = new float[Math.toIntExact(tensor.size())];
          tensor.floats().get(values[0]);
        });
    return values[0];
  }

  /** Runs the model and leaves the result where it is: what is timed. */
  void runOnly(Map<String, Npy> inputs) {
    run(inputs, (name, tensor) -> {});
  }

  private void run(Map<String, Npy> inputs, ModelSession.OutputReader reader) {
    Map<String, ModelSession.InputTensor> given = new LinkedHashMap<>();
    for (String input : session.inputs().keySet()) {
      Npy values = inputs.get(input);
      if (values == null) {
        throw new IllegalArgumentException(
            "Cannot score " + file + ": the data has no input \"" + input + "\"");
      }
      ElementType type = values.type().equals(Npy.INT64) ? ElementType.INT64 : ElementType.FLOAT;
      given.put(
          input, new ModelSession.InputTensor(type, values.shape(), values.bytes().duplicate()));
    }
    session.run(given, Set.of(output), reader);
  }

  /** The size of the file and of the files it keeps weights in. */
  long bytes() throws IOException {
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

  String tool() {
    return tool;
  }

  String mode() {
    return mode;
  }

  Path file() {
    return file;
  }

  @Override
  public void close() {
    session.close();
  }
}
