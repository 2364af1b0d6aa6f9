package org.tare.infer;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;

/** Finds the types of a model's tensors by letting ONNX Runtime infer them. */
public final class TensorTypes {
  /**
   * Of models with more tensors, not all are asked for, since ONNX Runtime looks through all
   * outputs for each node; and models with more nodes are asked in pieces.
   */
  private static final int MANY = 10_000;

  /** Their output is of the type of their first input. */
  private static final Set<String> KEEP_TYPE =
      Set.of(
          "Abs",
          "Ceil",
          "Clip",
          "Elu",
          "Erf",
          "Exp",
          "Floor",
          "HardSigmoid",
          "HardSwish",
          "Identity",
          "LeakyRelu",
          "Log",
          "LogSoftmax",
          "Neg",
          "Reciprocal",
          "Relu",
          "Round",
          "Selu",
          "Sigmoid",
          "Softmax",
          "Softplus",
          "Softsign",
          "Sqrt",
          "Tanh");

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
    Map<String, String> sources = tensors.size() > MANY ? sources(model) : Map.of();
    List<String> asked = tensors.stream().filter(tensor -> !sources.containsKey(tensor)).toList();
    Map<String, TensorType> types = typesOf(model.withOutputs(asked), name);
    addSame(types, sources);
    List<String> floats = tensors.stream().filter(tensor -> isFloat(types.get(tensor))).toList();
    boolean hasUnknown = floats.stream().anyMatch(tensor -> types.get(tensor).rank() == 0);
    if (hasUnknown && floats.size() < tensors.size()) {
      // ONNX Runtime does not follow the values of a shape through tensors that are outputs.
      List<String> askedAgain =
          floats.stream().filter(tensor -> !sources.containsKey(tensor)).toList();
      types.putAll(typesOf(model.withOutputs(askedAgain), name));
      addSame(types, sources);
    }
    return types;
  }

  /**
   * By tensor, in the order of computation, one of the same type: another node's output or an input
   * of the model.
   */
  private static Map<String, String> sources(OnnxModel model) {
    Set<String> known = new HashSet<>(model.graph().inputNames());
    Map<String, String> sources = new LinkedHashMap<>();
    for (Node node : model.graph().nodes()) {
      boolean keepsType =
          node.isStandard()
              && KEEP_TYPE.contains(node.opType())
              && node.outputs().size() == 1
              && known.contains(node.input(0));
      if (keepsType) {
        sources.put(node.output(0), node.input(0));
      }
      known.addAll(node.outputs());
    }
    return sources;
  }

  private static void addSame(Map<String, TensorType> types, Map<String, String> sources) {
    sources.forEach(
        (tensor, source) -> {
          // Sequences have none.
          if (types.containsKey(source)) {
            types.put(tensor, types.get(source));
          }
        });
  }

  private static boolean isFloat(TensorType type) {
    return type != null && type.elementType() == ElementType.FLOAT32;
  }

  /**
   * Does nothing if ONNX Runtime accepts the model.
   *
   * @throws TareException if it does not
   */
  public static void check(OnnxModel model, String name) {
    typesOf(model, name);
  }

  /**
   * Types of the model's inputs and outputs. ONNX Runtime takes the model as it is written: nothing
   * of it is optimised away first, and no constant is computed.
   *
   * @throws TareException if ONNX Runtime does not accept it
   */
  public static Map<String, TensorType> asItIs(OnnxModel model, String name) {
    return typesOf(model, name, ModelSession::openAsItIs);
  }

  private static Map<String, TensorType> typesOf(OnnxModel model, String name) {
    return typesOf(model, name, ModelSession::openForTypes);
  }

  private static Map<String, TensorType> typesOf(
      OnnxModel model, String name, BiFunction<Path, String, ModelSession> open) {
    return PieceByPiece.ofMoreThan(MANY, model, name)
        .flatMap(pieces -> pieces.types(model, open))
        .orElseGet(() -> typesOfWhole(model, name, open));
  }

  private static Map<String, TensorType> typesOfWhole(
      OnnxModel model, String name, BiFunction<Path, String, ModelSession> open) {
    try (TemporaryModel temporary = TemporaryModel.forTypes(model)) {
      return typesOf(temporary, model, name, open);
    } catch (TareException e) { // Of the model as it is, ONNX Runtime may say otherwise.
      try (TemporaryModel temporary = TemporaryModel.of(model)) {
        return typesOf(temporary, model, name, open);
      }
    }
  }

  private static Map<String, TensorType> typesOf(
      TemporaryModel temporary,
      OnnxModel model,
      String name,
      BiFunction<Path, String, ModelSession> open) {
    try (ModelSession session = open.apply(temporary.file(), name)) {
      Map<String, TensorType> types = new LinkedHashMap<>(session.inputs());
      // Large weights are inputs here.
      types.keySet().retainAll(new HashSet<>(model.graph().inputNames()));
      types.putAll(session.outputs());
      return types;
    }
  }
}
