package org.tare.infer;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tare.TareException;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;

/**
 * Loads a written model whole and runs it once, as those will who get it: models that ONNX Runtime
 * loads may still fail when they run. One model is loaded at a time. A model of very many nodes is
 * loaded and run piece by piece, and whole only if that fails.
 */
public final class FirstRun {
  /** How ONNX Runtime names the node that failed. */
  private static final Pattern NODE =
      Pattern.compile("while running (\\S+) node\\. Name:'([^']*)'");

  /** Models of more nodes are taken in pieces. */
  static final int MANY_NODES = 4_000;

  private final OnnxModel written;
  private final OnnxModel original;
  private final String name;
  private final List<Failure> failures = new ArrayList<>();

  /** What one attempt of the written model ended with. */
  private record Failure(Map<String, InputTensor> row, TareException cause) {}

  private FirstRun(OnnxModel written, OnnxModel original, String name) {
    this.written = written;
    this.original = original;
    this.name = name;
  }

  /**
   * Runs the model on a row of data, or on inputs made from their types where there is none, or the
   * float model does not take it.
   *
   * @param original the float model; it is loaded only if the written one fails
   * @param prepared the same as it was quantized
   * @param types of the prepared model's tensors
   * @param name of the float model, for messages
   * @param row inputs from data
   * @return why the model was loaded and not run, if so
   * @throws TareException if the model does not load, or does not run where the float model does;
   *     it names the operator and says whether ONNX Runtime's optimizations are at fault
   */
  public static Optional<String> check(
      OnnxModel written,
      OnnxModel original,
      OnnxModel prepared,
      Map<String, TensorType> types,
      String name,
      Optional<Map<String, InputTensor>> row) {
    FirstRun run = new FirstRun(written, original, name);
    if (row.isPresent() && run.takes(inputs -> List.of(row.get()))) {
      return Optional.empty();
    }
    if (dividesIntegers(prepared.graph(), types)) {
      return Optional.of(
          "it divides whole numbers by computed ones, and where one of these is zero ONNX Runtime"
              + " ends the process");
    }
    return run.takes(run::madeUp)
        ? Optional.empty()
        : Optional.of("the float model does not run on inputs that are made up");
  }

  private List<Map<String, InputTensor>> madeUp(Map<String, TensorType> inputs) {
    boolean areTensors = inputs.keySet().containsAll(original.graph().inputNames());
    return areTensors ? MadeUpInputs.of(inputs) : List.of();
  }

  /** Whether the written model takes one of the rows; the float model takes none before it. */
  private boolean takes(Function<Map<String, TensorType>, List<Map<String, InputTensor>>> rows) {
    boolean isTakenInPieces =
        PieceByPiece.ofMoreThan(MANY_NODES, written, "quantized " + name)
            .filter(pieces -> rows.apply(pieces.inputs()).stream().anyMatch(pieces::takes))
            .isPresent();
    if (isTakenInPieces) {
      return true;
    }
    failures.clear();
    boolean isTaken = false;
    try (TemporaryModel file = TemporaryModel.of(written);
        ModelSession session = open(file)) {
      for (Map<String, InputTensor> row : rows.apply(session.inputs())) {
        Optional<TareException> cause = run(session, row);
        if (cause.isEmpty()) {
          isTaken = true;
          break;
        }
        failures.add(new Failure(row, cause.get()));
      }
    }
    if (!failures.isEmpty()) {
      compare();
    }
    return isTaken;
  }

  private ModelSession open(TemporaryModel file) {
    try {
      return ModelSession.openBriefly(file.file(), "quantized " + name);
    } catch (TareException e) {
      boolean loads;
      try {
        ModelSession.openAsItIs(file.file(), name).close();
        loads = true;
      } catch (TareException again) {
        loads = false;
      }
      throw loads
          ? TareException.badInput(
                  "%s; it loads without the runtime's optimizations", e.getMessage())
              .causedBy(e)
          : e;
    }
  }

  /** Whether made-up inputs might lead to a division by zero, on which the process ends. */
  private static boolean dividesIntegers(Graph graph, Map<String, TensorType> types) {
    List<Node> nodes = new ArrayList<>(graph.nodes());
    graph.readSubgraphs(inner -> nodes.addAll(inner.allNodes()));
    return nodes.stream()
        .filter(Node::isStandard)
        .filter(node -> node.opType().equals("Div") || node.opType().equals("Mod"))
        .filter(node -> !graph.isConstant(node.input(1)))
        .map(node -> types.get(node.input(1)))
        .anyMatch(type -> type == null || !type.elementType().isFloat());
  }

  /** Throws if the float model takes a row on which the written one failed. */
  private void compare() {
    Optional<Failure> broken;
    try (TemporaryModel file = TemporaryModel.of(original);
        ModelSession session = ModelSession.openBriefly(file.file(), name)) {
      broken = failures.stream().filter(one -> run(session, one.row()).isEmpty()).findFirst();
    }
    if (broken.isPresent()) {
      throw broken(broken.get());
    }
  }

  /** What ONNX Runtime says against a row, if it does. */
  private static Optional<TareException> run(ModelSession session, Map<String, InputTensor> row) {
    try {
      session.run(row, session.outputs().keySet(), (output, tensor) -> {});
      return Optional.empty();
    } catch (TareException e) {
      return Optional.of(e);
    }
  }

  private TareException broken(Failure failure) {
    boolean runsAsItIs;
    try (TemporaryModel file = TemporaryModel.of(written);
        ModelSession session = ModelSession.openAsItIs(file.file(), name)) {
      runsAsItIs = run(session, failure.row()).isEmpty();
    } catch (TareException e) {
      runsAsItIs = false;
    }
    Matcher node = NODE.matcher(failure.cause().getMessage());
    String where =
        node.find() ? String.format("it stops at %s(%s). ", node.group(1), node.group(2)) : "";
    return TareException.badInput(
            "Cannot give out the quantized %s: the float model runs in ONNX Runtime %s, this one"
                + " does not%s: %s%s; keep the layers around it float with quantize.overrides",
            name,
            ModelSession.runtimeVersion(),
            runsAsItIs ? " (it does without the runtime's optimizations)" : "",
            where,
            failure.cause().getMessage())
        .causedBy(failure.cause());
  }
}
