package org.tare.infer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import org.tare.TareException;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.ElementType;
import org.tare.onnx.ModelPieces;
import org.tare.onnx.ModelPieces.Piece;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;

/**
 * Large models, loaded one piece after another: ONNX Runtime 1.29 takes time that grows with the
 * square of a model's nodes and constants. What is found is true of the whole model. That a piece
 * is refused is not: whoever calls asks the whole model then.
 */
final class PieceByPiece {
  /** Of models with more inputs, loading takes time that grows faster still. */
  private static final int MANY_INPUTS = 1_000;

  private final ModelPieces pieces;
  private final String name;

  private PieceByPiece(ModelPieces pieces, String name) {
    this.pieces = pieces;
    this.name = name;
  }

  /**
   * A model of more nodes than that, or of very many inputs.
   *
   * @param name what to call the model in messages
   * @return empty if it is smaller, or cannot be cut
   */
  static Optional<PieceByPiece> ofMoreThan(int nodes, OnnxModel model, String name) {
    boolean hasManyInputs = model.graph().inputNames().size() > MANY_INPUTS;
    return ModelPieces.ofMoreThan(hasManyInputs ? 0 : nodes, model)
        .map(pieces -> new PieceByPiece(pieces, name));
  }

  /**
   * Types of the model's inputs and outputs.
   *
   * @return empty if ONNX Runtime refuses a piece, or one reads what is no tensor
   */
  Optional<Map<String, TensorType>> types(
      OnnxModel model, BiFunction<Path, String, ModelSession> open) {
    Map<String, TensorType> known = new HashMap<>();
    for (Piece piece : pieces.pieces()) {
      try (TemporaryModel file = TemporaryModel.forTypes(pieces.model(piece, known));
          ModelSession session = open.apply(file.file(), name)) {
        known.putAll(session.inputs());
        known.putAll(session.outputs());
      } catch (TareException e) {
        return emptyIfRefused(e);
      }
      if (!piece.gives().stream().map(known::get).allMatch(PieceByPiece::isKnown)) {
        return Optional.empty();
      }
    }
    Map<String, TensorType> types = new LinkedHashMap<>();
    for (List<String> names : List.of(model.graph().inputNames(), model.graph().outputNames())) {
      names.stream().filter(known::containsKey).forEach(one -> types.put(one, known.get(one)));
    }
    return Optional.of(types);
  }

  private static boolean isKnown(TensorType type) {
    return type != null && type.elementType() != ElementType.OTHER;
  }

  private static <T> Optional<T> emptyIfRefused(TareException e) {
    if (e.kind() != TareException.Kind.BAD_INPUT) {
      throw e;
    }
    return Optional.empty();
  }

  /** Types of the model's inputs that are tensors; none if ONNX Runtime refuses the first piece. */
  Map<String, TensorType> inputs() {
    Piece first = pieces.pieces().get(0);
    try (TemporaryModel file = TemporaryModel.forTypes(pieces.model(first, Map.of()));
        ModelSession session = ModelSession.openForTypes(file.file(), name)) {
      return session.inputs();
    } catch (TareException e) {
      return PieceByPiece.<Map<String, TensorType>>emptyIfRefused(e).orElse(Map.of());
    }
  }

  /** Whether each piece loads, and runs on what those before it give for the row. */
  @SuppressWarnings("ReferenceEquality") // which piece it is, whatever it holds
  boolean takes(Map<String, InputTensor> row) {
    Map<String, Piece> lastReaders = new HashMap<>();
    pieces
        .pieces()
        .forEach(piece -> piece.reads().forEach(tensor -> lastReaders.put(tensor, piece)));
    Map<String, InputTensor> values = new HashMap<>(row);
    for (Piece piece : pieces.pieces()) {
      if (!values.keySet().containsAll(piece.reads()) || !runs(piece, values)) {
        return false;
      }
      values.keySet().removeIf(tensor -> lastReaders.get(tensor) == piece);
    }
    return true;
  }

  /** Adds what the piece gives; whether it gives all that it should. */
  private boolean runs(Piece piece, Map<String, InputTensor> values) {
    Map<String, TensorType> types = new HashMap<>();
    Map<String, InputTensor> given = new LinkedHashMap<>();
    for (String tensor : piece.reads()) {
      InputTensor value = values.get(tensor);
      given.put(tensor, value);
      types.put(tensor, new TensorType(value.elementType(), value.shape()));
    }
    try (TemporaryModel file = TemporaryModel.of(pieces.model(piece, types));
        ModelSession session = ModelSession.openBriefly(file.file(), name)) {
      Set<String> wanted = new HashSet<>(session.outputs().keySet());
      session.run(
          given,
          wanted,
          (tensor, value) -> {
            byte[] bytes = value.bytes();
            ByteBuffer direct =
                ByteBuffer.allocateDirect(Math.max(1, bytes.length)).order(ByteOrder.nativeOrder());
            direct.put(bytes).flip();
            ElementType type = session.outputs().get(tensor).elementType();
            values.put(tensor, new InputTensor(type, value.shape(), direct));
          });
      return values.keySet().containsAll(wanted) && wanted.containsAll(piece.gives());
    } catch (TareException e) {
      return PieceByPiece.<Boolean>emptyIfRefused(e).orElse(false);
    }
  }
}
