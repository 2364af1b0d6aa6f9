package org.tare.onnx;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import org.tare.TareException;
import org.tare.onnx.proto.Onnx.FunctionProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.OperatorSetIdProto;
import org.tare.onnx.proto.Onnx.StringStringEntryProto;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * An ONNX model in memory: its {@link Graph}, its operator set and its metadata. The bytes of large
 * tensors that are in external data stay there until they are used, so that models of more than 2
 * GB need little heap; whoever changes that file in place meanwhile changes the model.
 */
public final class OnnxModel {
  /** Per-axis QuantizeLinear and DequantizeLinear came with this operator set. */
  public static final int MINIMUM_OPSET = 13;

  /** Blocked DequantizeLinear and 4-bit integers came with this one. */
  public static final int BLOCKED_OPSET = 21;

  private static final int MINIMUM_IR_VERSION = 7;
  private static final int BLOCKED_IR_VERSION = 10;

  /** Models up to this size are written whole even where only types are needed. */
  private static final int LARGEST_COPIED = 256 << 20; // 256 MB

  /** Larger weights are not written where only types are needed. */
  private static final int SMALL_WEIGHT = 16 << 10; // 16 KB

  /** Values up to this size may be what shapes are computed from. */
  private static final int LARGEST_TYPED = 1 << 20; // 1 MB

  private final ModelProto source;
  private final String digest;
  private final long sizeBytes;
  private final Graph graph;
  private final Map<String, String> metadata = new TreeMap<>();
  private final Map<String, Long> otherDomains = new TreeMap<>();
  private List<FunctionProto> functions;
  private int opset;

  private OnnxModel(ModelProto source, GraphProto graph, String digest, long sizeBytes) {
    this.source = source.toBuilder().clearGraph().clearFunctions().build();
    this.functions = source.getFunctionsList();
    this.graph = new Graph(graph, source.getIrVersion());
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
    AtomicLong size = new AtomicLong();
    ModelProto whole = readTensors(file, proto, sha, size);
    OnnxModel model;
    try {
      size.addAndGet(Files.size(file));
      String digest = HexFormat.of().formatHex(sha.digest());
      model = new OnnxModel(whole, whole.getGraph(), digest, size.get());
      model.graph.checkComplete();
      model.graph.checkSubgraphs();
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

  /**
   * The files beside a model that hold its external data, as paths from the model's folder.
   *
   * @throws TareException if the model is missing or none, or if a file is outside of the folder
   */
  public static Set<String> dataFiles(Path model) {
    Set<String> files = new TreeSet<>();
    ExternalData.map(
        parse(model, sha256()),
        tensor -> {
          if (ExternalData.isExternal(tensor)) {
            ExternalData.file(model, tensor);
            files.add(ExternalData.location(tensor));
          }
          return tensor;
        });
    return files;
  }

  private static ModelProto readTensors(
      Path file, ModelProto model, MessageDigest sha, AtomicLong externalBytes) {
    model.getGraph().getInitializerList().stream()
        .filter(tensor -> !ExternalData.isExternal(tensor))
        .forEach(tensor -> checkSize(file, tensor));
    return ExternalData.map(
        model,
        stored -> {
          if (!ExternalData.isExternal(stored)) {
            return stored;
          }
          TensorProto tensor = ExternalData.read(file, stored);
          checkSize(file, tensor);
          sha.update(tensor.getRawData().asReadOnlyByteBuffer());
          externalBytes.addAndGet(tensor.getRawData().size());
          return tensor;
        });
  }

  private static void checkSize(Path file, TensorProto tensor) {
    int bytes = ElementType.ofCode(tensor.getDataType()).sizeBytes();
    if (!tensor.hasRawData()) {
      boolean isShortFloat =
          tensor.getDataType() == ElementType.FLOAT32.code()
              && tensor.getFloatDataCount() != Tensor.of(tensor).size();
      if (isShortFloat) {
        throw TareException.badInput(
            "Cannot read model %s: tensor \"%s\" holds %d values, its shape %s needs %d",
            file,
            tensor.getName(),
            tensor.getFloatDataCount(),
            tensor.getDimsList(),
            Tensor.of(tensor).size());
      }
      return;
    }
    if (bytes > 0 && tensor.getRawData().size() != bytes * Tensor.of(tensor).size()) {
      throw TareException.badInput(
          "Cannot read model %s: tensor \"%s\" holds %d bytes, its shape %s needs %d",
          file,
          tensor.getName(),
          tensor.getRawData().size(),
          tensor.getDimsList(),
          bytes * Tensor.of(tensor).size());
    }
  }

  public Graph graph() {
    return graph;
  }

  /**
   * The types of the inputs that are given from outside, in their order.
   *
   * @param types of these tensors, and of others
   */
  public Map<String, TensorType> inputTypes(Map<String, TensorType> types) {
    Map<String, TensorType> inputs = new LinkedHashMap<>();
    graph.inputNames().forEach(input -> inputs.put(input, types.get(input)));
    return inputs;
  }

  /** The version of ONNX's own operators that the model uses. */
  public int opset() {
    return opset;
  }

  public void setOpset(int version) {
    opset = version;
  }

  /** Raises a graph of another version of ONNX's operators to that of the model. */
  @FunctionalInterface
  public interface Raise {
    /**
     * @param opset that the graph is written in; 0 if it has none of ONNX's operators
     */
    void raise(Graph graph, int opset);
  }

  /** The newest version of ONNX's operators in the model's own functions; 0 if it has none. */
  public int newestFunctionOpset() {
    return functions.stream().mapToInt(FunctionInliner::opset).max().orElse(0);
  }

  /** Whether the model has functions of its own. */
  public boolean hasFunctions() {
    return !functions.isEmpty();
  }

  /**
   * Puts the nodes of the model's own functions in the place of their calls.
   *
   * @param raise is given what each call stands for
   * @throws TareException if a function calls itself, or the calls come to too many nodes
   */
  public void inlineFunctions(Raise raise) {
    if (functions.isEmpty()) {
      return;
    }
    new FunctionInliner(functions, raise).inline(graph);
    FunctionInliner.domains(functions).forEach(otherDomains::putIfAbsent);
    functions = List.of();
  }

  /** Imports version 1 of the domains of other vendors whose operators were added. */
  public void importUsedDomains() {
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
  public OnnxModel copyMarked(String text) {
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

  /** A copy with another graph. */
  public OnnxModel withGraph(GraphProto other) {
    return new OnnxModel(toProto(), other, digest, sizeBytes);
  }

  /**
   * A model without inputs, of nodes that read nothing but constants.
   *
   * @param nodes of this model; they are copied
   * @param constants all that the nodes read
   * @param outputs ONNX Runtime finds their types
   */
  public OnnxModel part(List<Node> nodes, Collection<Tensor> constants, List<String> outputs) {
    GraphProto.Builder part = GraphProto.newBuilder().setName("constants");
    nodes.forEach(node -> part.addNode(node.toProto()));
    constants.forEach(tensor -> part.addInitializer(tensor.proto()));
    outputs.forEach(output -> part.addOutput(ValueInfoProto.newBuilder().setName(output)));
    return new OnnxModel(toProto(), part.build(), digest, sizeBytes);
  }

  /**
   * Writes the model; one of about 2 GB and more with external data, in a file beside it whose name
   * has ".data" at the end.
   *
   * @throws TareException if a file can't be written
   */
  public void write(Path file) {
    Path folder = file.toAbsolutePath().getParent();
    try {
      for (ModelFile one : files(file.getFileName().toString())) {
        // Not in place: this model's own tensors may be mapped from there.
        Path staging = Files.createTempFile(folder, ".tare-", ".part");
        try {
          try (OutputStream out = Files.newOutputStream(staging)) {
            one.writeTo(out);
          }
          Files.move(staging, folder.resolve(one.name()), StandardCopyOption.REPLACE_EXISTING);
        } finally {
          Files.deleteIfExists(staging);
        }
      }
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot write model %s: %s", file, e.getMessage())
          .causedBy(e);
    }
  }

  /**
   * What {@link #write} writes: the model's file, and after it that of its external data, if one
   * file does not hold all. This model must not be edited before they are written.
   */
  public List<ModelFile> files(String name) {
    return files(name, name + ".data");
  }

  /** The same, with another name for the file of external data. */
  public List<ModelFile> files(String name, String dataName) {
    return ModelFiles.of(whole(), name, dataName);
  }

  /**
   * Writes the model for whoever needs the tensors' types only. Its large weights are inputs. If it
   * is large still, other tensors of more than 1 MB get zeros for values, in a file with no blocks
   * on the disk.
   */
  public void writeTypes(Path file) {
    String name = file.getFileName().toString();
    ModelProto typed = ModelFiles.weightsAsInputs(whole(), SMALL_WEIGHT);
    List<ModelFile> files = ModelFiles.of(typed, name, name + ".data");
    try (OutputStream out = Files.newOutputStream(file)) {
      if (files.size() == 1 && files.get(0).sizeBytes() <= LARGEST_COPIED) {
        files.get(0).writeTo(out);
        return;
      }
      ModelFiles.WithoutValues zeros =
          ModelFiles.withoutValues(typed, LARGEST_TYPED, name + ".data");
      ModelFiles.protoFile(name, zeros.model()).writeTo(out);
      try (RandomAccessFile data =
          new RandomAccessFile(file.resolveSibling(name + ".data").toFile(), "rw")) {
        data.setLength(zeros.dataBytes());
      }
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot write model %s: %s", file, e.getMessage())
          .causedBy(e);
    }
  }

  private ModelProto whole() {
    return toProto().toBuilder().setGraph(graph.toProto()).build();
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
    builder.addAllFunctions(functions);
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
