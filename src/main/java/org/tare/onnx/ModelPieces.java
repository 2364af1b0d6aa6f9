package org.tare.onnx;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.TensorShapeProto.Dimension;
import org.tare.onnx.proto.Onnx.TypeProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * A model cut into stretches of its nodes, in the order of computation. Each is a model that reads
 * what those before it give. What loading costs more than in proportion to a model's nodes stays in
 * proportion when it is loaded piece by piece.
 */
public final class ModelPieces {
  /** Nodes of a piece. */
  private static final int NODES = 2_000;

  /** A constant is in each piece that reads it: the bytes of all pieces, as a multiple. */
  private static final int MOST_COPIES = 4;

  /** The same, of models whose constants are small. */
  private static final long SMALL_BYTES = 64L << 20;

  private final OnnxModel model;
  private final List<Piece> pieces;
  private final Map<String, ValueInfoProto> declared = new HashMap<>();

  /**
   * A stretch of nodes.
   *
   * @param reads tensors that pieces before it give, or the caller of the model
   * @param gives tensors that pieces after it read, or that are outputs of the model
   */
  public record Piece(
      List<Node> nodes, Map<String, Tensor> constants, Set<String> reads, Set<String> gives) {
    private Piece(List<Node> nodes) {
      this(nodes, new LinkedHashMap<>(), new LinkedHashSet<>(), new LinkedHashSet<>());
    }
  }

  private ModelPieces(OnnxModel model, List<Piece> pieces) {
    this.model = model;
    this.pieces = pieces;
    GraphProto proto = model.graph().header();
    proto.getValueInfoList().forEach(info -> declared.put(info.getName(), info));
    proto.getInputList().forEach(info -> declared.put(info.getName(), info));
    proto.getOutputList().forEach(info -> declared.put(info.getName(), info));
  }

  /**
   * The pieces of a model.
   *
   * @return empty if it has no more nodes than that, if inputs have defaults, if an input is an
   *     output, or if too many pieces read the same constants
   */
  @SuppressWarnings("ReferenceEquality") // a piece is one place in the order, whatever it holds
  public static Optional<ModelPieces> ofMoreThan(int nodes, OnnxModel model) {
    Graph graph = model.graph();
    if (graph.nodes().size() <= nodes || graph.outputNames().stream().anyMatch(graph::isInput)) {
      return Optional.empty();
    }
    Map<String, Piece> producers = new HashMap<>();
    List<Piece> pieces = new ArrayList<>();
    List<Node> all = graph.nodes();
    long bytes = 0;
    for (int from = 0; from < all.size(); from += NODES) {
      Piece piece = new Piece(all.subList(from, Math.min(all.size(), from + NODES)));
      for (Node node : piece.nodes()) {
        Set<String> reads = new LinkedHashSet<>(node.inputs());
        reads.addAll(node.captured());
        reads.remove("");
        for (String tensor : reads) {
          Optional<Tensor> constant = graph.constant(tensor);
          Piece producer = producers.get(tensor);
          if (constant.isPresent()) {
            bytes += piece.constants().put(tensor, constant.get()) == null ? size(constant) : 0;
          } else if (producer != null && producer != piece) {
            producer.gives().add(tensor);
            piece.reads().add(tensor);
          } else if (graph.isInput(tensor)) {
            piece.reads().add(tensor);
          } else if (producer == null) {
            return Optional.empty();
          }
        }
        for (String output : node.outputs()) {
          if (graph.isOutput(output)) {
            piece.gives().add(output);
          }
          producers.put(output, piece);
        }
      }
      pieces.add(piece);
    }
    Set<String> given = new HashSet<>();
    pieces.forEach(piece -> given.addAll(piece.gives()));
    // What nobody reads is not loaded: a model has to give something.
    pieces.removeIf(piece -> piece.gives().isEmpty());
    if (!pieces.isEmpty()) {
      // Whoever loads the first sees the types of all inputs.
      pieces.get(0).reads().addAll(graph.inputNames());
    }
    boolean isTooMuch = bytes > Math.max(SMALL_BYTES, MOST_COPIES * model.sizeBytes());
    return isTooMuch || !given.containsAll(graph.outputNames())
        ? Optional.empty()
        : Optional.of(new ModelPieces(model, pieces));
  }

  private static long size(Optional<Tensor> tensor) {
    return tensor.map(Tensor::bytes).orElse(0L);
  }

  /** The pieces, each after those that it reads from. */
  public List<Piece> pieces() {
    return pieces;
  }

  /**
   * A piece as a model.
   *
   * @param types of what it reads from other pieces; of unknown rank where the rank is 0
   */
  public OnnxModel model(Piece piece, Map<String, TensorType> types) {
    GraphProto.Builder part = GraphProto.newBuilder().setName("piece");
    for (String tensor : piece.reads()) {
      boolean isInput = model.graph().isInput(tensor);
      part.addInput(isInput ? declared.get(tensor) : info(tensor, types.get(tensor)));
    }
    piece.constants().values().forEach(tensor -> part.addInitializer(tensor.proto()));
    for (Node node : piece.nodes()) {
      part.addNode(node.toProto());
      for (String output : node.outputs()) {
        if (declared.containsKey(output) && !piece.gives().contains(output)) {
          part.addValueInfo(declared.get(output));
        }
      }
    }
    for (String tensor : piece.gives()) {
      ValueInfoProto unknown = ValueInfoProto.newBuilder().setName(tensor).build();
      part.addOutput(declared.getOrDefault(tensor, unknown));
    }
    return model.withGraph(part.build());
  }

  private static ValueInfoProto info(String tensor, TensorType type) {
    TypeProto.Tensor.Builder proto =
        TypeProto.Tensor.newBuilder().setElemType(type.elementType().code());
    long[] shape = type.shape();
    for (int i = 0; i < shape.length; i++) {
      Dimension.Builder size = proto.getShapeBuilder().addDimBuilder();
      if (shape[i] >= 0) {
        size.setDimValue(shape[i]);
      } else if (!type.names().get(i).isEmpty()) {
        size.setDimParam(type.names().get(i));
      }
    }
    return ValueInfoProto.newBuilder()
        .setName(tensor)
        .setType(TypeProto.newBuilder().setTensorType(proto))
        .build();
  }
}
