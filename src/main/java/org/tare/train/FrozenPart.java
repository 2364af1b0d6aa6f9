package org.tare.train;

import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.infer.OutputTensor;
import org.tare.infer.TemporaryModel;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.train.torch.Tensors;
import org.tare.train.torch.TorchOperators;

/**
 * The part of a model that comes before what is trained, on ONNX Runtime. Its results are inputs of
 * the trained part. A model without such a part takes its rows as they are.
 */
final class FrozenPart implements AutoCloseable {
  /** Types that libtorch gets. */
  static final Set<ElementType> TYPES =
      Set.of(ElementType.FLOAT32, ElementType.INT64, ElementType.INT32, ElementType.BOOL);

  private final String name;
  private final TemporaryModel file;
  private final ModelSession session;

  /** The inputs that the trained part reads itself. */
  private final Set<String> direct = new HashSet<>();

  FrozenPart(String name, OnnxModel model, Places places) {
    this.name = name;
    Graph graph = model.graph();
    List<Node> nodes = graph.nodes();
    for (int i = 0; i < nodes.size(); i++) {
      if (!places.frozen().contains(i)) {
        direct.addAll(nodes.get(i).inputs());
      }
    }
    direct.addAll(graph.outputNames());
    List<String> results = results(graph, places.frozen());
    if (results.isEmpty()) {
      this.file = null;
      this.session = null;
      return;
    }
    this.file = TemporaryModel.of(model.withOutputs(results));
    try {
      this.session = ModelSession.openBriefly(file.file(), name);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  /** The places of the nodes that cannot be trained through, and of all that they depend on. */
  static Set<Integer> nodes(Graph graph) {
    List<Node> nodes = graph.nodes();
    Map<String, Integer> producers = new HashMap<>();
    ArrayDeque<Integer> next = new ArrayDeque<>();
    for (int i = 0; i < nodes.size(); i++) {
      for (String output : nodes.get(i).outputs()) {
        producers.put(output, i);
      }
      if (TorchOperators.obstacle(nodes.get(i)).isPresent()) {
        next.add(i);
      }
    }
    Set<Integer> found = new HashSet<>(next);
    while (!next.isEmpty()) {
      Node node = nodes.get(next.remove());
      List<String> read = new ArrayList<>(node.inputs());
      read.addAll(node.captured());
      for (String input : read) {
        Integer producer = producers.get(input);
        if (producer != null && found.add(producer)) {
          next.add(producer);
        }
      }
    }
    return found;
  }

  /** What frozen nodes give to others, or to the outside. */
  static List<String> results(Graph graph, Set<Integer> frozen) {
    List<Node> nodes = graph.nodes();
    Set<String> given = new HashSet<>();
    Set<String> wanted = new LinkedHashSet<>();
    for (int i = 0; i < nodes.size(); i++) {
      if (frozen.contains(i)) {
        given.addAll(nodes.get(i).outputs());
      } else {
        wanted.addAll(nodes.get(i).inputs());
      }
    }
    wanted.addAll(graph.outputNames());
    wanted.retainAll(given);
    wanted.remove("");
    return List.copyOf(wanted);
  }

  /** What the trained part reads, of rows side by side. */
  Map<String, Tensor> inputs(TrainingBatch batch) {
    if (session == null) {
      return batch.tensors(name);
    }
    Map<String, InputTensor> given = new LinkedHashMap<>(batch.bytes(name));
    Map<String, Tensor> inputs = new HashMap<>();
    given.forEach(
        (input, tensor) -> {
          if (direct.contains(input)) {
            inputs.put(input, TrainingBatch.tensor(name, input, tensor));
          }
        });
    given.keySet().retainAll(session.inputs().keySet());
    session.run(
        given,
        session.outputs().keySet(),
        (output, tensor) -> inputs.put(output, tensor(output, tensor)));
    return inputs;
  }

  private Tensor tensor(String output, OutputTensor tensor) {
    ElementType type = session.outputs().get(output).elementType();
    switch (type) {
      case FLOAT32 -> {
        FloatBuffer floats = tensor.floats();
        float[] values = new float[floats.remaining()];
        floats.get(values);
        return Tensors.tensor(values, tensor.shape());
      }
      case INT64 -> {
        return Tensors.tensor(tensor.integers(), tensor.shape());
      }
      case INT32 -> {
        return Tensors.tensor(tensor.integers(), tensor.shape()).to(torch.ScalarType.Int);
      }
      case BOOL -> {
        return Tensors.tensor(tensor.integers(), tensor.shape()).to(torch.ScalarType.Bool);
      }
      default -> throw unfit(name, output, type);
    }
  }

  static TareException unfit(String model, String tensor, ElementType type) {
    return TareException.badInput(
        "Cannot train %s: \"%s\", which comes out of its frozen part, is %s; training takes float32,"
            + " int64, int32 and bool",
        model, tensor, type);
  }

  @Override
  public void close() {
    if (session != null) {
      session.close();
      file.close();
    }
  }
}
