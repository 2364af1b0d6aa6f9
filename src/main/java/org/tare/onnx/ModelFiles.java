package org.tare.onnx;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.LongAccumulator;
import org.tare.TareException;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.StringStringEntryProto;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.onnx.proto.Onnx.TensorShapeProto;
import org.tare.onnx.proto.Onnx.TypeProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * How a model is laid out in files. What fits is one file, as ONNX defines it. A larger model keeps
 * its tensors of more than 1 KB in a second one, the external data:
 *
 * <pre>
 *   model.onnx       everything else; of each such tensor location, offset and length
 *   model.onnx.data  the tensors' bytes, each from a multiple of 4096 on, zeros between
 * </pre>
 *
 * so that a runtime can map them. No more than a buffer of the bytes is held on the heap.
 */
final class ModelFiles {
  /** ONNX's files end at 2 GB, where protobuf's sizes do; this leaves room for other libraries. */
  private static final long ONE_FILE_LIMIT = 1_900_000_000L;

  /** Tests lower the limit with this system property, a number of bytes. */
  static final String LIMIT_PROPERTY = "tare.one-file-limit";

  private static final int LARGEST_INSIDE = 1024; // 1 KB
  private static final int PAGE = 4096;
  private static final int BUFFER = 1 << 20; // 1 MB

  private ModelFiles() {}

  private record Part(long offset, ByteString bytes) {
    long end() {
      return offset + bytes.size();
    }
  }

  /**
   * The model's files, itself first.
   *
   * @param dataName what to call the file of its external data, if there is one
   * @throws TareException if what can't be moved to external data is more than a file holds
   */
  static List<ModelFile> of(ModelProto model, String name, String dataName) {
    List<Part> parts = new ArrayList<>();
    ModelProto outer = withExternal(model, LARGEST_INSIDE, dataName, parts);
    long limit = Long.getLong(LIMIT_PROPERTY, ONE_FILE_LIMIT);
    long outside = parts.stream().mapToLong(part -> part.bytes().size()).sum();
    if (outside + outer.getSerializedSize() <= limit || parts.isEmpty()) {
      return List.of(protoFile(name, model));
    }
    return List.of(
        protoFile(name, outer),
        new ModelFile(dataName, parts.get(parts.size() - 1).end(), out -> write(parts, out)));
  }

  /**
   * The model with its large float weights as inputs, for whoever asks only for types: no type
   * depends on their values. A weight stays where it is if it has a default's or an output's name,
   * or not the size that its shape says, which a runtime is to find.
   */
  static ModelProto weightsAsInputs(ModelProto model, int largestInside) {
    GraphProto graph = model.getGraph();
    Set<String> taken = new HashSet<>();
    graph.getInputList().forEach(input -> taken.add(input.getName()));
    graph.getOutputList().forEach(output -> taken.add(output.getName()));
    GraphProto.Builder typed = graph.toBuilder().clearInitializer();
    for (TensorProto tensor : graph.getInitializerList()) {
      boolean isWeight =
          !isWithin(tensor, largestInside)
              && ElementType.ofCode(tensor.getDataType()).isFloat()
              && tensor.getRawData().size() == bytes(tensor)
              && taken.add(tensor.getName());
      if (isWeight) {
        typed.addInput(input(tensor));
      } else {
        typed.addInitializer(tensor);
      }
    }
    return model.toBuilder().setGraph(typed).build();
  }

  /** The bytes of a tensor of its shape; -1 if they are more than it has. */
  private static long bytes(TensorProto tensor) {
    long most = tensor.getRawData().size();
    long bytes = ElementType.ofCode(tensor.getDataType()).sizeBytes();
    for (long size : tensor.getDimsList()) {
      if (size < 0 || size > most || bytes > most) {
        return -1;
      }
      bytes *= size;
    }
    return bytes;
  }

  private static ValueInfoProto input(TensorProto tensor) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    tensor.getDimsList().forEach(size -> shape.addDimBuilder().setDimValue(size));
    TypeProto.Tensor.Builder type =
        TypeProto.Tensor.newBuilder().setElemType(tensor.getDataType()).setShape(shape);
    return ValueInfoProto.newBuilder()
        .setName(tensor.getName())
        .setType(TypeProto.newBuilder().setTensorType(type))
        .build();
  }

  /**
   * The model with the values of its large tensors left out, for whoever asks only for types: all
   * of them are said to be at the beginning of one file, which needs to be as long as the largest.
   */
  static WithoutValues withoutValues(ModelProto model, int largestInside, String dataName) {
    LongAccumulator dataBytes = new LongAccumulator(Math::max, 0);
    GraphProto graph =
        ExternalData.map(
            model.getGraph(),
            tensor -> {
              if (isWithin(tensor, largestInside)) {
                return tensor;
              }
              dataBytes.accumulate(tensor.getRawData().size());
              return stub(tensor, dataName, 0);
            });
    return new WithoutValues(model.toBuilder().setGraph(graph).build(), dataBytes.get());
  }

  /**
   * A model whose large tensors have no values yet.
   *
   * @param dataBytes the length of the file that it expects beside itself
   */
  record WithoutValues(ModelProto model, long dataBytes) {}

  private static ModelProto withExternal(
      ModelProto model, int largestInside, String dataName, List<Part> parts) {
    return model.toBuilder()
        .setGraph(
            ExternalData.map(
                model.getGraph(),
                tensor -> {
                  if (isWithin(tensor, largestInside)) {
                    return tensor;
                  }
                  long end = parts.isEmpty() ? 0 : parts.get(parts.size() - 1).end();
                  Part part = new Part((end + PAGE - 1) / PAGE * PAGE, tensor.getRawData());
                  parts.add(part);
                  return stub(tensor, dataName, part.offset());
                }))
        .build();
  }

  private static boolean isWithin(TensorProto tensor, int largestInside) {
    return tensor.getRawData().size() <= largestInside;
  }

  private static TensorProto stub(TensorProto tensor, String dataName, long offset) {
    TensorProto.Builder stub =
        tensor.toBuilder().clearRawData().setDataLocation(TensorProto.DataLocation.EXTERNAL);
    Map<String, Object> entries = new LinkedHashMap<>();
    entries.put("location", dataName);
    entries.put("offset", offset);
    entries.put("length", tensor.getRawData().size());
    entries.forEach(
        (key, value) ->
            stub.addExternalData(
                StringStringEntryProto.newBuilder().setKey(key).setValue(value.toString())));
    return stub.build();
  }

  static ModelFile protoFile(String name, ModelProto proto) {
    long size = proto.getSerializedSize();
    // Protobuf counts in int, so a larger size has overflowed.
    if (size < 0) {
      throw TareException.cannotWrite(
          "Cannot write model %s: what it holds besides raw tensors is more than a file of 2 GB",
          name);
    }
    return new ModelFile(
        name,
        size,
        out -> {
          CodedOutputStream coded = CodedOutputStream.newInstance(out, BUFFER);
          proto.writeTo(coded);
          coded.flush();
        });
  }

  private static void write(List<Part> parts, OutputStream out) throws IOException {
    byte[] buffer = new byte[BUFFER];
    long written = 0;
    for (Part part : parts) {
      out.write(new byte[(int) (part.offset() - written)]);
      // Not ByteString.writeTo, which copies a mapped tensor as a whole.
      ByteBuffer bytes = part.bytes().asReadOnlyByteBuffer();
      while (bytes.hasRemaining()) {
        int length = Math.min(buffer.length, bytes.remaining());
        bytes.get(buffer, 0, length);
        out.write(buffer, 0, length);
      }
      written = part.end();
    }
  }
}
