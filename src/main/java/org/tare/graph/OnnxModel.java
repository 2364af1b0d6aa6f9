package org.tare.graph;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.graph.proto.Onnx.GraphProto;
import org.tare.graph.proto.Onnx.ModelProto;
import org.tare.graph.proto.Onnx.OperatorSetIdProto;
import org.tare.graph.proto.Onnx.StringStringEntryProto;
import org.tare.graph.proto.Onnx.TensorProto;

/**
 * An ONNX model in memory: its {@link Graph}, its operator set and its metadata. Tensors that the
 * file keeps in external data are read in.
 */
public final class OnnxModel {
  /** Per-axis QuantizeLinear and DequantizeLinear came with this operator set. */
  public static final int MINIMUM_OPSET = 13;

  /** Blocked DequantizeLinear and 4-bit integers came with this one. */
  public static final int BLOCKED_OPSET = 21;

  private static final int MINIMUM_IR_VERSION = 7;
  private static final int BLOCKED_IR_VERSION = 10;

  private final ModelProto source;
  private final String digest;
  private final long sizeBytes;
  private final Graph graph;
  private final Map<String, String> metadata = new TreeMap<>();
  private final Map<String, Long> otherDomains = new TreeMap<>();
  private int opset;

  private OnnxModel(ModelProto source, GraphProto graph, String digest, long sizeBytes) {
    this.source = source.toBuilder().clearGraph().build();
    this.graph = new Graph(graph);
    this.digest = digest;
    this.sizeBytes = sizeBytes;
    for (OperatorSetIdProto id : source.getOpsetImportList()) {
      if (id.getDomain().isEmpty() || id.getDomain().equals("ai.onnx")) {
        opset = (int) id.getVersion();
      } else {
        otherDomains.put(id.getDomain(), id.getVersion());
      }
    }
    source.getMetadataPropsList().forEach(e -> metadata.put(e.getKey(), e.getValue()));
  }

  /**
   * Reads a model and its external data.
   *
   * @throws TareException if the file is missing, is no ONNX model, is cut short, or names external
   *     data that is missing or outside of the model's folder
   */
  public static OnnxModel read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw TareException.missing("Cannot read model %s: there is no such file", file);
    }
    MessageDigest sha = sha256();
    ModelProto proto = parse(file, sha);
    if (!proto.hasGraph() || proto.getOpsetImportCount() == 0) {
      throw TareException.badInput(
          "Cannot read model %s: it is not an ONNX model (no graph or no operator set)", file);
    }
    GraphProto graph = readTensors(file, proto.getGraph(), sha);
    OnnxModel model;
    try {
      long size = Files.size(file) + externalBytes(proto.getGraph(), graph);
      model = new OnnxModel(proto, graph, HexFormat.of().formatHex(sha.digest()), size);
      model.graph.checkComplete();
    } catch (TareException e) {
      throw TareException.badInput("Cannot read model %s: %s", file, e.getMessage()).causedBy(e);
    } catch (IOException e) {
      throw TareException.badInput("Cannot read model %s: %s", file, e).causedBy(e);
    }
    if (model.opset == 0) {
      throw TareException.badInput("Cannot read model %s: it imports no ONNX operators", file);
    }
    return model;
  }

  private static ModelProto parse(Path file, MessageDigest sha) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() == 0) {
        throw TareException.badInput("Cannot read model %s: the file is empty", file);
      }
      if (channel.size() > Integer.MAX_VALUE) {
        throw TareException.badInput(
            "Cannot read model %s: %d bytes are more than an ONNX file holds (2 GB); keep the"
                + " weights in external data",
            file, channel.size());
      }
      ByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
      sha.update(bytes.duplicate());
      CodedInputStream in = CodedInputStream.newInstance(bytes);
      in.setSizeLimit(Integer.MAX_VALUE);
      return ModelProto.parseFrom(in);
    } catch (InvalidProtocolBufferException e) {
      throw TareException.badInput(
              "Cannot read model %s: it is not an ONNX model, or it is cut short (%s)",
              file, e.getMessage())
          .causedBy(e);
    } catch (IOException e) {
      throw TareException.badInput("Cannot read model %s: %s", file, e).causedBy(e);
    }
  }

  private static long externalBytes(GraphProto stored, GraphProto read) {
    long bytes = 0;
    for (int i = 0; i < stored.getInitializerCount(); i++) {
      if (stored.getInitializer(i).getDataLocation() == TensorProto.DataLocation.EXTERNAL) {
        bytes += read.getInitializer(i).getRawData().size();
      }
    }
    return bytes;
  }

  private static GraphProto readTensors(Path file, GraphProto graph, MessageDigest sha) {
    GraphProto.Builder builder = graph.toBuilder();
    for (int i = 0; i < graph.getInitializerCount(); i++) {
      TensorProto tensor = graph.getInitializer(i);
      if (tensor.getDataLocation() == TensorProto.DataLocation.EXTERNAL) {
        tensor = ExternalData.read(file, tensor);
        sha.update(tensor.getRawData().asReadOnlyByteBuffer());
        builder.setInitializer(i, tensor);
      }
      checkSize(file, tensor);
    }
    return builder.build();
  }

  private static void checkSize(Path file, TensorProto tensor) {
    int bytes = ElementType.ofCode(tensor.getDataType()).sizeBytes();
    if (!tensor.hasRawData()) {
      boolean isShortFloat =
          tensor.getDataType() == ElementType.FLOAT.code()
              && tensor.getFloatDataCount() != Tensors.size(tensor);
      if (isShortFloat) {
        throw TareException.badInput(
            "Cannot read model %s: tensor \"%s\" holds %d values, its shape %s needs %d",
            file,
            tensor.getName(),
            tensor.getFloatDataCount(),
            tensor.getDimsList(),
            Tensors.size(tensor));
      }
      return;
    }
    if (bytes > 0 && tensor.getRawData().size() != bytes * Tensors.size(tensor)) {
      throw TareException.badInput(
          "Cannot read model %s: tensor \"%s\" holds %d bytes, its shape %s needs %d",
          file,
          tensor.getName(),
          tensor.getRawData().size(),
          tensor.getDimsList(),
          bytes * Tensors.size(tensor));
    }
  }

  public Graph graph() {
    return graph;
  }

  /** The version of ONNX's own operators that the model uses. */
  public int opset() {
    return opset;
  }

  void setOpset(int version) {
    opset = version;
  }

  /** Imports version 1 of the domains of other vendors whose operators were added. */
  void importUsedDomains() {
    importUsedDomains(graph);
  }

  private void importUsedDomains(Graph inner) {
    inner
        .nodes()
        .forEach(
            node -> {
              if (!node.isStandard()) {
                otherDomains.putIfAbsent(node.domain(), 1L);
              }
            });
    inner.editSubgraphs(this::importUsedDomains);
  }

  /** SHA-256 of the file this was read from and of its external data, in hexadecimal. */
  public String digest() {
    return digest;
  }

  public Map<String, String> metadata() {
    return metadata;
  }

  /** The size of the file this was read from and of the external data it uses, in bytes. */
  public long sizeBytes() {
    return sizeBytes;
  }

  /** A copy that can be edited without changing this model. */
  public OnnxModel copy() {
    return new OnnxModel(toProto(), graph.toProto(), digest, sizeBytes);
  }

  /**
   * A copy of another digest, made from this model's and the text: a calibration state of the one
   * is refused for the other.
   */
  OnnxModel copyMarked(String text) {
    byte[] marked = (digest + "\n" + text).getBytes(StandardCharsets.UTF_8);
    String other = HexFormat.of().formatHex(sha256().digest(marked));
    return new OnnxModel(toProto(), graph.toProto(), other, sizeBytes);
  }

  /** A copy whose outputs are the given tensors; ONNX Runtime finds their types. */
  public OnnxModel withOutputs(List<String> tensors) {
    OnnxModel copy = copy();
    copy.graph.setOutputs(tensors);
    copy.graph.removeUnused();
    return copy;
  }

  /**
   * Writes the model.
   *
   * @throws TareException if the file can't be written, or would pass ONNX's limit of 2 GB
   */
  public void write(Path file) {
    ModelProto proto;
    try {
      proto = toProto().toBuilder().setGraph(graph.toProto()).build();
      long size = 0;
      for (TensorProto tensor : proto.getGraph().getInitializerList()) {
        size += tensor.getRawData().size();
      }
      if (size > Integer.MAX_VALUE - (64L << 20)) {
        throw TareException.cannotWrite(
            "Cannot write model %s: %d bytes of weights are more than one ONNX file holds",
            file, size);
      }
      try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20)) {
        proto.writeTo(out);
      }
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot write model %s: %s", file, e).causedBy(e);
    }
  }

  /** The model as the bytes of an ONNX file. */
  public byte[] toBytes() {
    ByteString.Output out = ByteString.newOutput();
    try {
      toProto().toBuilder().setGraph(graph.toProto()).build().writeTo(out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteString().toByteArray();
  }

  /** Everything but the graph. */
  private ModelProto toProto() {
    ModelProto.Builder builder = source.toBuilder().clearOpsetImport().clearMetadataProps();
    long least = opset >= BLOCKED_OPSET ? BLOCKED_IR_VERSION : MINIMUM_IR_VERSION;
    builder.setIrVersion(Math.max(source.getIrVersion(), least));
    builder.addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(opset));
    otherDomains.forEach(
        (domain, version) ->
            builder.addOpsetImport(
                OperatorSetIdProto.newBuilder().setDomain(domain).setVersion(version)));
    metadata.forEach(
        (key, value) ->
            builder.addMetadataProps(
                StringStringEntryProto.newBuilder().setKey(key).setValue(value)));
    return builder.build();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
