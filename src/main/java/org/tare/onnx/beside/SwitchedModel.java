package org.tare.onnx.beside;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.onnx.proto.Onnx.TensorShapeProto;
import org.tare.onnx.proto.Onnx.TypeProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * Several quantized forms of one float model in one model. Where forms differ in a layer, the layer
 * is there once for each way to compute it, and an input chooses. Layers that are equal in all
 * forms are there once, whatever the forms are called: their constants are compared by content.
 *
 * <p>An If runs the chosen way alone, so that a run takes about as long as one form. Where the
 * results of a switched node go to one other alone, and are chosen together, one If has both: ONNX
 * Runtime fuses them then. The float model itself is the choice of {@link #floatChoices}.
 */
public final class SwitchedModel {
  private static final String INPUT = "tare_choices";

  private final Graph floats;
  private final Map<String, TensorType> types;
  private final Graph names;
  private final List<Form> forms = new ArrayList<>();
  private final List<long[]> choices = new ArrayList<>();
  private final GraphProto.Builder graph;
  private final String input;
  private OnnxModel model;
  private int switches;
  private int ways;

  /** One of the quantized models. */
  private record Form(
      Graph graph,
      Set<String> shared,
      Map<String, Node> producers,
      Map<String, List<Node>> consumers) {}

  /**
   * A way to compute what a float node computes.
   *
   * @param nodes none if this form lacks the results: nothing reads them in it
   * @param key equal for ways that compute the same
   */
  private record Way(Graph graph, Set<String> shared, List<Node> nodes, List<Object> key) {
    /** This, and then what reads its results. */
    Way then(Way next) {
      Set<Node> both = new LinkedHashSet<>(nodes);
      both.addAll(next.nodes);
      return new Way(graph, shared, List.copyOf(both), List.of(key, next.key));
    }
  }

  /**
   * What is computed in one of several ways.
   *
   * @param node whose results are read from outside
   * @param all the float way, and that of each form
   * @param different the float way first
   */
  private record Switch(Node node, List<Way> all, List<Way> different) {
    static Switch of(Node node, List<Way> all) {
      Map<List<Object>, Way> different = new LinkedHashMap<>();
      all.forEach(way -> different.putIfAbsent(way.key(), way));
      return new Switch(node, all, List.copyOf(different.values()));
    }

    boolean isSwitched() {
      return different.size() > 1;
    }

    /** This and what alone reads its results. */
    Switch then(Switch next) {
      List<Way> both = new ArrayList<>();
      for (int i = 0; i < all.size(); i++) {
        both.add(all.get(i).then(next.all.get(i)));
      }
      return of(next.node, both);
    }

    /** The place of the way of a form among those that differ. */
    long choice(int form) {
      List<Object> key = all.get(form + 1).key();
      for (int i = 0; i < different.size(); i++) {
        if (different.get(i).key().equals(key)) {
          return i;
        }
      }
      throw new IllegalStateException(node.toString());
    }
  }

  private SwitchedModel(OnnxModel floats, Map<String, TensorType> types) {
    this.floats = floats.graph();
    this.types = types;
    this.names = floats.copy().graph();
    this.input = names.freshName(INPUT);
    this.graph = floats.graph().toProto().toBuilder().clearNode();
  }

  /**
   * Puts forms together.
   *
   * @param floats the float model, in the operator set of the forms
   * @param types of its tensors
   * @param quantized the forms, made of this float model: tensors of one name stand for the same
   */
  public static SwitchedModel of(
      OnnxModel floats, Map<String, TensorType> types, List<OnnxModel> quantized) {
    SwitchedModel switched = new SwitchedModel(floats, types);
    for (OnnxModel one : quantized) {
      if (one.opset() != floats.opset()) {
        throw new IllegalArgumentException(
            "operator sets differ: " + floats.opset() + " and " + one.opset());
      }
      Graph form = one.graph();
      switched.forms.add(
          new Form(
              form, SharedTensors.of(floats.graph(), form), form.producers(), form.consumers()));
    }
    switched.write();
    switched.model =
        floats.withGraph(switched.graph.build()).withOutputs(floats.graph().outputNames());
    switched.model.importUsedDomains();
    return switched;
  }

  /** The model. It takes the inputs of the float model, and {@link #input}. */
  public OnnxModel model() {
    return model;
  }

  /** The input that chooses: int64, one number for each layer that differs between forms. */
  public String input() {
    return input;
  }

  /** What the input holds for a form, by its place among those given. */
  public long[] choices(int form) {
    return choices.get(form).clone();
  }

  /** What the input holds for the float model. */
  public long[] floatChoices() {
    return new long[Math.max(1, switches)];
  }

  /** How many ways to compute a layer there are, over all layers that differ. */
  public int ways() {
    return ways;
  }

  private void write() {
    List<List<Long>> chosen = new ArrayList<>();
    forms.forEach(form -> chosen.add(new ArrayList<>()));
    Map<Node, Switch> ready = together();
    for (Node node : floats.nodes()) {
      Switch found = ready.get(node);
      if (found == null) {
        continue;
      }
      if (!found.isSwitched()) {
        graph.addNode(node.toProto());
        continue;
      }
      for (int i = 0; i < forms.size(); i++) {
        chosen.get(i).add(found.choice(i));
      }
      writeSwitch(node, found.different());
      ways += found.different().size();
      switches++;
    }
    chosen.forEach(
        list ->
            choices.add(
                switches == 0 ? new long[1] : list.stream().mapToLong(Long::longValue).toArray()));
    graph.addInput(
        ValueInfoProto.newBuilder()
            .setName(input)
            .setType(
                TypeProto.newBuilder()
                    .setTensorType(
                        TypeProto.Tensor.newBuilder()
                            .setElemType(ElementType.INT64.code())
                            .setShape(
                                TensorShapeProto.newBuilder()
                                    .addDim(
                                        TensorShapeProto.Dimension.newBuilder()
                                            .setDimValue(Math.max(1, switches)))))));
  }

  /**
   * What is switched, by the node whose results are read; nodes that went into one are not there.
   */
  private Map<Node, Switch> together() {
    Set<String> all = new HashSet<>(floats.inputNames());
    floats.nodes().forEach(node -> all.addAll(node.outputs()));
    Map<String, List<Node>> consumers = floats.consumers();
    Set<String> outputs = new HashSet<>(floats.outputNames());
    Map<Node, Switch> found = new HashMap<>();
    Map<Node, Switch> before = new HashMap<>();
    for (Node node : floats.nodes()) {
      List<Way> ways = new ArrayList<>();
      ways.add(new Way(floats, all, List.of(node), key(floats, all, List.of(node), node)));
      forms.forEach(form -> ways.add(way(form, node)));
      Switch own = Switch.of(node, ways);
      Switch former = before.get(node);
      if (former != null && own.isSwitched()) {
        Switch both = former.then(own);
        // More ways of the former would be more copies of its weights.
        if (both.different().size() <= former.different().size()
            && isReadByThese(former.node(), own)) {
          found.remove(former.node());
          own = both;
        }
      }
      found.put(node, own);
      List<Node> readers =
          node.outputs().size() == 1
              ? consumers.getOrDefault(node.output(0), List.of())
              : List.of();
      boolean isInside = readers.size() == 1 && !outputs.contains(node.output(0));
      if (own.isSwitched() && isInside && !isWeighted(readers.get(0))) {
        before.putIfAbsent(readers.get(0), own);
      }
    }
    return found;
  }

  /** Whether in each form, too, what computes a node is all that reads the results of another. */
  private boolean isReadByThese(Node read, Switch reader) {
    for (int i = 0; i < forms.size(); i++) {
      Form form = forms.get(i);
      List<Node> own = reader.all().get(i + 1).nodes();
      boolean isReadElsewhere =
          form.shared().contains(read.output(0))
              && !own.containsAll(form.consumers().getOrDefault(read.output(0), List.of()));
      if (isReadElsewhere) {
        return false;
      }
    }
    return true;
  }

  /** A layer with a weight of its own begins another switch. */
  private boolean isWeighted(Node node) {
    return node.inputs().stream()
        .anyMatch(name -> floats.constant(name).filter(one -> one.rank() > 1).isPresent());
  }

  /** How a form computes the results of a float node. */
  private Way way(Form form, Node node) {
    Deque<Node> open = new ArrayDeque<>();
    Set<Node> cone = new HashSet<>();
    for (String output : node.outputs()) {
      Node producer = form.shared().contains(output) ? form.producers().get(output) : null;
      if (producer != null && cone.add(producer)) {
        open.add(producer);
      }
    }
    while (!open.isEmpty()) {
      Node one = open.pop();
      List<String> read = new ArrayList<>(one.inputs());
      read.addAll(one.captured());
      for (String tensor : read) {
        Node producer = form.shared().contains(tensor) ? null : form.producers().get(tensor);
        if (producer != null && cone.add(producer)) {
          open.add(producer);
        }
      }
    }
    List<Node> ordered = sorted(form, cone);
    return new Way(
        form.graph(), form.shared(), ordered, key(form.graph(), form.shared(), ordered, node));
  }

  /** The nodes of a layer are few: they are sorted among themselves. */
  private static List<Node> sorted(Form form, Set<Node> cone) {
    List<Node> ordered = new ArrayList<>();
    Set<Node> done = new HashSet<>();
    for (Node root : cone.stream().sorted((a, b) -> a.output(0).compareTo(b.output(0))).toList()) {
      add(form, cone, root, ordered, done);
    }
    return ordered;
  }

  private static void add(
      Form form, Set<Node> cone, Node node, List<Node> ordered, Set<Node> done) {
    if (!done.add(node)) {
      return;
    }
    for (String tensor : node.inputs()) {
      Node producer = form.shared().contains(tensor) ? null : form.producers().get(tensor);
      if (producer != null && cone.contains(producer)) {
        add(form, cone, producer, ordered, done);
      }
    }
    ordered.add(node);
  }

  /** What a way computes: operators, attributes, contents of constants, names of shared tensors. */
  private static List<Object> key(
      Graph graph, Set<String> shared, List<Node> nodes, Node computed) {
    if (nodes.isEmpty()) {
      return List.of();
    }
    List<Object> key = new ArrayList<>();
    Map<String, Integer> inner = new HashMap<>();
    for (Node node : nodes) {
      key.add(node.domain());
      key.add(node.opType());
      List<AttributeProto> attributes = new ArrayList<>(node.attributes().values());
      attributes.sort((a, b) -> a.getName().compareTo(b.getName()));
      key.add(attributes);
      for (String input : node.inputs()) {
        if (graph.isConstant(input)) {
          key.add(content(graph, input));
        } else {
          key.add(inner.containsKey(input) ? (Object) inner.get(input) : input);
        }
      }
      node.captured().stream()
          .filter(graph::isConstant)
          .forEach(constant -> key.add(content(graph, constant)));
      for (String output : node.outputs()) {
        if (computed.outputs().contains(output) && shared.contains(output)) {
          key.add(output);
        } else {
          inner.put(output, inner.size());
        }
      }
    }
    return Collections.unmodifiableList(key);
  }

  private static TensorProto content(Graph graph, String constant) {
    return graph.constant(constant).orElseThrow().proto().toBuilder().clearName().build();
  }

  /** Writes the Ifs that choose between ways: a chain, the last way in the last else. */
  private void writeSwitch(Node node, List<Way> different) {
    String place = names.freshName("choice/" + switches);
    addNumber(place + "/index", switches);
    graph.addNode(
        Node.of("Gather", "", List.of(input, place + "/index"), List.of(place)).toProto());
    List<GraphProto> branches = new ArrayList<>();
    for (int i = 0; i < different.size(); i++) {
      branches.add(branch(node, different.get(i), place + "/" + i + "/"));
    }
    GraphProto rest = branches.get(branches.size() - 1);
    for (int i = branches.size() - 2; i >= 0; i--) {
      String is = place + "/is" + i;
      addNumber(place + "/n" + i, i);
      graph.addNode(Node.of("Equal", "", List.of(place, place + "/n" + i), List.of(is)).toProto());
      NodeProto.Builder choose =
          NodeProto.newBuilder()
              .setOpType("If")
              .setName(place + "/if" + i)
              .addInput(is)
              .addAttribute(graphAttribute("then_branch", branches.get(i)))
              .addAttribute(graphAttribute("else_branch", rest));
      if (i == 0) {
        choose.addAllOutput(node.outputs().stream().filter(name -> !name.isEmpty()).toList());
        graph.addNode(choose);
      } else {
        GraphProto.Builder around = GraphProto.newBuilder().setName(place + "/else" + i);
        int outputs = branches.get(i).getOutputCount();
        for (int o = 0; o < outputs; o++) {
          String name = place + "/else" + i + "/" + o;
          choose.addOutput(name);
          around.addOutput(ValueInfoProto.newBuilder().setName(name));
        }
        rest = around.addNode(choose).build();
      }
    }
  }

  private static AttributeProto graphAttribute(String name, GraphProto branch) {
    return AttributeProto.newBuilder()
        .setName(name)
        .setType(AttributeProto.AttributeType.GRAPH)
        .setG(branch)
        .build();
  }

  private void addNumber(String name, long number) {
    graph.addInitializer(Tensor.ofLongs(name, new long[0], number).proto());
  }

  private GraphProto branch(Node node, Way way, String prefix) {
    GraphProto.Builder branch = GraphProto.newBuilder().setName(prefix);
    Map<String, String> own = new LinkedHashMap<>();
    Set<String> constants = new HashSet<>();
    Set<String> written = new HashSet<>();
    way.nodes().forEach(one -> written.addAll(one.outputs()));
    Set<String> results = new HashSet<>(node.outputs());
    results.retainAll(way.shared());
    Renamed renamed =
        new Renamed(
            tensor -> {
              boolean isConstant = way.graph().isConstant(tensor);
              if (isConstant) {
                constants.add(tensor);
              }
              return isConstant || written.contains(tensor)
                  ? own.computeIfAbsent(tensor, t -> prefix + t)
                  : tensor;
            },
            tensor -> own.computeIfAbsent(tensor, t -> prefix + t),
            prefix);
    way.nodes().forEach(one -> branch.addNode(renamed.node(one.toProto())));
    for (String constant : constants) {
      Tensor tensor = way.graph().constant(constant).orElseThrow();
      branch.addInitializer(tensor.withName(own.get(constant)).proto());
    }
    for (String output : node.outputs()) {
      if (output.isEmpty()) {
        continue;
      }
      String name = own.get(output);
      if (name == null || !results.contains(output)) {
        name = prefix + "none/" + output;
        branch.addInitializer(empty(name + "/empty", output));
        branch.addNode(
            Node.of("Identity", name, List.of(name + "/empty"), List.of(name)).toProto());
      }
      branch.addOutput(ValueInfoProto.newBuilder().setName(name));
    }
    return branch.build();
  }

  /** What stands for a result that a form lacks. */
  private TensorProto empty(String name, String tensor) {
    TensorType type = types.get(tensor);
    ElementType element = type == null ? ElementType.FLOAT32 : type.elementType();
    return Tensor.ofBytes(name, element, new long[] {0}, new byte[0]).proto();
  }
}
