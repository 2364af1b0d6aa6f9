package org.tare.onnx;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.tare.TareException;
import org.tare.onnx.SymbolicShapes.Size;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.SparseTensorProto;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.onnx.proto.Onnx.TensorShapeProto;
import org.tare.onnx.proto.Onnx.TensorShapeProto.Dimension;
import org.tare.onnx.proto.Onnx.TypeProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * An ONNX graph that can be edited: nodes in topological order, constants by name, and who produces
 * and who consumes each tensor. Not thread-safe.
 */
public final class Graph {
  /** Of names that added ones repeat. */
  private static final int LONGEST_NAME = 32;

  private final GraphProto source;

  /** The graph whose node runs this one, or null. */
  private final Graph outer;

  private List<Node> nodes;
  private final Map<String, Tensor> initializers = new LinkedHashMap<>();

  /**
   * Values of inputs that a caller may leave out. They are no constants: a caller may give others.
   */
  private final Map<String, Tensor> defaults = new LinkedHashMap<>();

  private int listedConstants;

  private final List<ValueInfoProto> inputs = new ArrayList<>();
  private final Set<String> inputSet = new HashSet<>();
  private List<ValueInfoProto> outputs;
  private Set<String> outputSet;
  private final Map<String, ValueInfoProto> declared = new LinkedHashMap<>();
  private final Set<String> names;

  /** The number behind the last fresh name of each wanted one. */
  private final Map<String, Integer> freshNumbers;

  Graph(GraphProto source) {
    this(source, null, true);
  }

  /**
   * Reads a model's graph.
   *
   * @param irVersion of the model. Before 4, constants had to be listed among the inputs, and ONNX
   *     Runtime lets no caller replace them
   */
  Graph(GraphProto source, long irVersion) {
    this(source, null, irVersion >= 4 && !listsConstants(source));
    if (irVersion < 4) {
      listedConstants = 0;
    }
  }

  /**
   * Whether all constants, weights among them, are listed as inputs: not for callers to replace
   * them, but by an exporter that does as versions before 4 demanded.
   */
  private static boolean listsConstants(GraphProto source) {
    Set<String> listed = new HashSet<>();
    source.getInputList().forEach(input -> listed.add(input.getName()));
    List<TensorProto> constants = source.getInitializerList();
    return constants.size() > 1
        && constants.stream().allMatch(constant -> listed.contains(constant.getName()))
        && constants.stream().anyMatch(constant -> constant.getDimsCount() > 1);
  }

  private Graph(GraphProto source, Graph outer) {
    this(source, outer, true);
  }

  private Graph(GraphProto source, Graph outer, boolean hasDefaults) {
    this.source = source;
    this.outer = outer;
    this.names = outer == null ? new HashSet<>() : outer.names;
    this.freshNumbers = outer == null ? new HashMap<>() : outer.freshNumbers;
    source.getInitializerList().forEach(tensor -> addInitializer(Tensor.of(tensor)));
    for (SparseTensorProto sparse : source.getSparseInitializerList()) {
      addInitializer(SparseTensors.dense(sparse));
    }
    for (ValueInfoProto input : source.getInputList()) {
      names.add(input.getName());
      if (!initializers.containsKey(input.getName())) {
        inputs.add(input);
        inputSet.add(input.getName());
      } else if (hasDefaults) {
        defaults.put(input.getName(), initializers.remove(input.getName()));
      } else {
        listedConstants++;
      }
    }
    setOutputInfos(source.getOutputList());
    List<Node> all = new ArrayList<>();
    source.getNodeList().forEach(proto -> all.add(new Node(proto)));
    for (Node node : all) {
      if (node.outputs().isEmpty()) {
        throw TareException.badInput("Not a valid model: node %s writes nothing", node);
      }
      for (String output : node.outputs()) {
        if (initializers.containsKey(output) || defaults.containsKey(output)) {
          throw TareException.badInput(
              "Not a valid model: node %s writes tensor \"%s\", which is an initializer",
              node, output);
        }
      }
      names.addAll(node.outputs());
      names.add(node.name());
      node.subgraphs().values().forEach(this::addNames);
    }
    nodes = sorted(all);
  }

  private void addInitializer(Tensor tensor) {
    if (initializers.put(tensor.name(), tensor) != null) {
      throw TareException.badInput(
          "Not a valid model: two initializers are named \"%s\"", tensor.name());
    }
    names.add(tensor.name());
  }

  /** Names of inner graphs are taken too: one that hides an outer name would mislead. */
  private void addNames(GraphProto inner) {
    inner.getInitializerList().forEach(tensor -> names.add(tensor.getName()));
    inner.getInputList().forEach(input -> names.add(input.getName()));
    for (NodeProto proto : inner.getNodeList()) {
      names.addAll(proto.getOutputList());
      names.add(proto.getName());
      new Node(proto).subgraphs().values().forEach(this::addNames);
    }
  }

  /** Shows each graph that a node of this one runs, as it is. */
  public void readSubgraphs(Consumer<Graph> reader) {
    for (Node node : nodes) {
      node.subgraphs().values().forEach(proto -> reader.accept(new Graph(proto, this)));
    }
  }

  /** Lets each graph that a node of this one runs be edited, inner ones as far as they go. */
  public void editSubgraphs(Consumer<Graph> edit) {
    nodes.forEach(node -> editSubgraphs(node, edit));
  }

  /** Lets each graph that this node runs be edited. */
  public void editSubgraphs(Node node, Consumer<Graph> edit) {
    node.subgraphs()
        .forEach(
            (key, proto) -> {
              Graph inner = new Graph(proto, this);
              edit.accept(inner);
              node.setSubgraph(key, inner.toProto());
            });
  }

  /** Whether a tensor of this name is this graph's own, not one of a graph around it. */
  public boolean defines(String tensor) {
    return initializers.containsKey(tensor)
        || isInput(tensor)
        || nodes.stream().anyMatch(node -> node.outputs().contains(tensor));
  }

  /** The nodes, each after those whose outputs it reads. */
  public List<Node> nodes() {
    return List.copyOf(nodes);
  }

  /** The nodes, and those of the graphs that they run, inner ones included. */
  public List<Node> allNodes() {
    List<Node> all = new ArrayList<>(nodes);
    readSubgraphs(inner -> all.addAll(inner.allNodes()));
    return all;
  }

  /** The tensors that a caller gives, in order. */
  List<ValueInfoProto> inputs() {
    return Collections.unmodifiableList(inputs);
  }

  /** Writes down the shape of a float32 tensor that a node writes, for the runtimes to read. */
  public void declareFloat(String tensor, List<Size> shape) {
    TensorShapeProto.Builder sizes = TensorShapeProto.newBuilder();
    for (Size size : shape) {
      sizes.addDim(
          size.isNumber()
              ? Dimension.newBuilder().setDimValue(size.number())
              : Dimension.newBuilder().setDimParam(size.name()));
    }
    TypeProto.Tensor.Builder type =
        TypeProto.Tensor.newBuilder().setElemType(ElementType.FLOAT32.code()).setShape(sizes);
    declared.put(
        tensor,
        ValueInfoProto.newBuilder()
            .setName(tensor)
            .setType(TypeProto.newBuilder().setTensorType(type))
            .build());
  }

  /** The names of the tensors that a caller gives, in order. */
  public List<String> inputNames() {
    return inputs.stream().map(ValueInfoProto::getName).toList();
  }

  /**
   * How many inputs that a caller might have replaced were taken as constants, since all constants
   * were listed as inputs.
   */
  public int listedConstants() {
    return listedConstants;
  }

  /** Whether the tensor is an input that has a default, of this graph or of one around it. */
  public boolean hasDefault(String tensor) {
    return defaults.containsKey(tensor) || (outer != null && outer.hasDefault(tensor));
  }

  /** The names of the tensors that a caller gets, in order. */
  public List<String> outputNames() {
    return outputs.stream().map(ValueInfoProto::getName).toList();
  }

  public boolean isInput(String tensor) {
    return inputSet.contains(tensor);
  }

  public boolean isOutput(String tensor) {
    return outputSet.contains(tensor);
  }

  /** Whether it is a constant of this graph, or of one around it. */
  public boolean isConstant(String tensor) {
    return constant(tensor).isPresent();
  }

  public Optional<Tensor> constant(String tensor) {
    Tensor own = initializers.get(tensor);
    return own != null || outer == null ? Optional.ofNullable(own) : outer.constant(tensor);
  }

  /** This graph's own constants. */
  public Collection<Tensor> constants() {
    return Collections.unmodifiableCollection(initializers.values());
  }

  /** The values of a float32 constant, if the tensor is one. */
  public Optional<float[]> floatConstant(String tensor) {
    return constant(tensor).filter(Tensor::isFloat).map(Tensor::floats);
  }

  /** The graph, this one or one around it, that holds a constant. */
  public Graph owner(String constant) {
    return initializers.containsKey(constant) || outer == null ? this : outer.owner(constant);
  }

  public void addConstant(Tensor tensor) {
    initializers.put(tensor.name(), tensor);
    names.add(tensor.name());
  }

  public void removeConstant(String name) {
    initializers.remove(name);
  }

  /** The node that writes each tensor. */
  public Map<String, Node> producers() {
    Map<String, Node> producers = new HashMap<>();
    for (Node node : nodes) {
      node.outputs().forEach(output -> producers.put(output, node));
    }
    producers.remove("");
    return producers;
  }

  /**
   * The nodes that read each tensor, a node once for each input that reads it; a subgraph's use of
   * an outer tensor counts as its node's.
   */
  public Map<String, List<Node>> consumers() {
    Map<String, List<Node>> consumers = new HashMap<>();
    for (Node node : nodes) {
      node.inputs().forEach(in -> consumers.computeIfAbsent(in, k -> new ArrayList<>()).add(node));
      node.captured()
          .forEach(in -> consumers.computeIfAbsent(in, k -> new ArrayList<>()).add(node));
    }
    consumers.remove("");
    return consumers;
  }

  /**
   * The one node that reads a tensor, if nothing else does and it is no output.
   *
   * @param consumers as {@link #consumers} gave them
   */
  public Optional<Node> soleReader(Map<String, List<Node>> consumers, String tensor) {
    List<Node> readers = consumers.getOrDefault(tensor, List.of());
    return readers.size() != 1 || isOutput(tensor) ? Optional.empty() : Optional.of(readers.get(0));
  }

  /** A name that nothing in the graph has yet; it is taken by this call. */
  public String freshName(String wanted) {
    String name = wanted;
    int number = freshNumbers.getOrDefault(wanted, 0);
    while (!names.add(name)) {
      number++;
      name = wanted + "_" + number;
    }
    freshNumbers.put(wanted, number);
    return name;
  }

  /**
   * A name that nothing has yet, for what is written beside a tensor or node. A long name, such as
   * the paths that exporters write, counts with its last part only: a pair of quantizers repeats it
   * ten times.
   */
  public String addedName(String of, String suffix) {
    String part = of;
    if (part.length() > LONGEST_NAME) {
      part = part.substring(part.lastIndexOf('/') + 1);
    }
    if (part.length() > LONGEST_NAME || part.isEmpty()) {
      part = of.substring(of.length() - LONGEST_NAME).replaceFirst("^[^A-Za-z0-9]+", "");
    }
    return freshName(part + suffix);
  }

  public void setNodes(List<Node> newNodes) {
    nodes = sorted(newNodes);
  }

  /** Leaves out what nothing needs: nodes whose outputs nobody reads, and then constants. */
  public void removeUnused() {
    Map<String, Node> producers = producers();
    Set<Node> needed = new HashSet<>();
    Set<String> used = new HashSet<>();
    Deque<String> open = new ArrayDeque<>(outputNames());
    while (!open.isEmpty()) {
      String tensor = open.pop();
      if (used.add(tensor)) {
        Node node = producers.get(tensor);
        if (node != null && needed.add(node)) {
          open.addAll(node.inputs());
          open.addAll(node.captured());
        }
      }
    }
    nodes = nodes.stream().filter(needed::contains).toList();
    initializers.keySet().retainAll(used);
  }

  /** Takes an input away that no node reads any more. */
  public void dropInput(String tensor) {
    inputs.removeIf(input -> input.getName().equals(tensor));
    inputSet.remove(tensor);
  }

  /** Takes one of the outputs away. */
  public void dropOutput(int index) {
    List<ValueInfoProto> left = new ArrayList<>(outputs);
    left.remove(index);
    setOutputInfos(left);
  }

  /** Replaces the graph's outputs by tensors of unknown type, which ONNX Runtime infers. */
  void setOutputs(List<String> tensors) {
    Map<String, ValueInfoProto> known = new HashMap<>();
    outputs.forEach(output -> known.put(output.getName(), output));
    List<ValueInfoProto> all = new ArrayList<>();
    for (String tensor : tensors) {
      all.add(known.getOrDefault(tensor, ValueInfoProto.newBuilder().setName(tensor).build()));
    }
    setOutputInfos(all);
  }

  private void setOutputInfos(List<ValueInfoProto> infos) {
    outputs = List.copyOf(infos);
    outputSet = new HashSet<>(outputNames());
  }

  private List<Node> sorted(List<Node> unsorted) {
    Map<String, Node> producers = new HashMap<>();
    for (Node node : unsorted) {
      for (String output : node.outputs()) {
        if (!output.isEmpty() && producers.put(output, node) != null) {
          throw TareException.badInput("Not a valid model: two nodes write tensor \"%s\"", output);
        }
      }
    }
    Map<Node, Set<Node>> before = new LinkedHashMap<>();
    for (Node node : unsorted) {
      Set<Node> needs = new LinkedHashSet<>();
      for (String input : node.inputs()) {
        addProducer(producers, input, needs);
      }
      for (String input : node.captured()) {
        addProducer(producers, input, needs);
      }
      before.put(node, needs);
    }
    // Depth first in the given order, so that a sorted graph stays as it is.
    Set<Node> done = new LinkedHashSet<>();
    Set<Node> entered = new HashSet<>();
    for (Node root : unsorted) {
      Deque<Node> stack = new ArrayDeque<>();
      stack.push(root);
      while (!stack.isEmpty()) {
        Node node = stack.peek();
        if (done.contains(node)) {
          stack.pop();
        } else if (entered.add(node)) {
          for (Node need : before.get(node)) {
            if (!done.contains(need)) {
              if (entered.contains(need)) {
                throw TareException.badInput(
                    "Not a valid model: node %s depends on its own output", need);
              }
              stack.push(need);
            }
          }
        } else {
          stack.pop();
          done.add(node);
        }
      }
    }
    return List.copyOf(done);
  }

  private static void addProducer(Map<String, Node> producers, String tensor, Set<Node> needs) {
    Node producer = producers.get(tensor);
    if (producer != null) {
      needs.add(producer);
    }
  }

  /** Throws if a graph that a node runs is none: two tensors of one name, or a cycle. */
  void checkSubgraphs() {
    readSubgraphs(Graph::checkSubgraphs);
  }

  /** Throws if a node reads what nothing writes. */
  void checkComplete() {
    Set<String> known = new HashSet<>(initializers.keySet());
    known.addAll(defaults.keySet());
    known.addAll(inputNames());
    known.add("");
    for (Node node : nodes) {
      for (String input : node.inputs()) {
        if (!known.contains(input)) {
          throw TareException.badInput(
              "Not a valid model: node %s reads tensor \"%s\", which nothing writes", node, input);
        }
      }
      known.addAll(node.outputs());
    }
    for (String output : outputNames()) {
      if (!known.contains(output)) {
        throw TareException.badInput("Not a valid model: nothing writes its output \"%s\"", output);
      }
    }
  }

  /** Inputs, outputs and declared tensors: the graph without nodes and values. */
  GraphProto header() {
    GraphProto.Builder header = GraphProto.newBuilder().addAllInput(inputs).addAllOutput(outputs);
    declaredInfos().forEach(header::addValueInfo);
    return header.build();
  }

  private Collection<ValueInfoProto> declaredInfos() {
    Map<String, ValueInfoProto> infos = new LinkedHashMap<>();
    source.getValueInfoList().forEach(info -> infos.put(info.getName(), info));
    infos.putAll(declared);
    return infos.values();
  }

  public GraphProto toProto() {
    Set<String> live = new HashSet<>();
    nodes.forEach(node -> live.addAll(node.outputs()));
    GraphProto.Builder builder =
        source.toBuilder()
            .clearSparseInitializer()
            .clearNode()
            .clearInitializer()
            .clearInput()
            .clearOutput()
            .clearValueInfo();
    nodes.forEach(node -> builder.addNode(node.toProto()));
    initializers.values().forEach(tensor -> builder.addInitializer(tensor.proto()));
    defaults.values().forEach(tensor -> builder.addInitializer(tensor.proto()));
    source.getInputList().stream()
        .filter(input -> isInput(input.getName()) || defaults.containsKey(input.getName()))
        .forEach(builder::addInput);
    builder.addAllOutput(outputs);
    declaredInfos().stream()
        .filter(info -> live.contains(info.getName()) && !isOutput(info.getName()))
        .forEach(builder::addValueInfo);
    return builder.build();
  }
}
