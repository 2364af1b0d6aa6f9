package org.tare.onnx;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * A graph, or a subgraph of If, Loop or Scan, as it is read and not edited: constants, producers
 * and consumers of its tensors, where a subgraph sees the tensors of the graphs around it.
 */
public final class GraphScope {
  /**
   * A node with where it is.
   *
   * @param scope the graph that it belongs to
   */
  public record Item(Node node, String domain, GraphScope scope) {
    public String op() {
      return node.opType();
    }

    /** Whether it is ONNX's own or ONNX Runtime's. */
    public boolean isKnownDomain() {
      return node.isStandard() || domain.equals(Node.MICROSOFT);
    }

    public boolean is(String opType) {
      return isKnownDomain() && op().equals(opType);
    }

    public boolean hasSubgraph() {
      return node.attributes().values().stream().anyMatch(a -> a.hasG() || a.getGraphsCount() > 0);
    }
  }

  /** A tensor of one graph; two subgraphs may have tensors of the same name. */
  public record Place(GraphScope scope, String tensor) {
    /** The name, in a subgraph behind the names of the nodes that lead there. */
    public String label() {
      return scope.path + tensor;
    }
  }

  private final GraphScope parent;
  private final String path;
  private final Map<String, Tensor> constants = new LinkedHashMap<>();
  private final Map<String, Item> producers = new HashMap<>();
  private final Map<String, List<Item>> consumers = new HashMap<>();
  private final Map<String, ElementType> types = new HashMap<>();
  private final Set<String> names = new HashSet<>();
  private final Set<String> outputs = new HashSet<>();

  // What was found by walking back over chains of nodes, so that no chain is walked twice.
  private final Map<String, Optional<Place>> constantPlaces = new HashMap<>();
  private final Map<String, Optional<Place>> sources = new HashMap<>();
  private final Map<String, Optional<Item>> origins = new HashMap<>();

  /**
   * Reads a graph and its subgraphs.
   *
   * @param items takes the nodes, those of a subgraph after the node that holds it; Constant nodes
   *     are constants and no nodes
   * @param scopes takes the graphs
   */
  public static GraphScope read(Graph graph, List<Item> items, List<GraphScope> scopes) {
    return new GraphScope(graph.toProto(), null, "", items, scopes);
  }

  private GraphScope(
      GraphProto graph, GraphScope parent, String path, List<Item> items, List<GraphScope> scopes) {
    this.parent = parent;
    this.path = path;
    scopes.add(this);
    graph
        .getInitializerList()
        .forEach(tensor -> constants.put(tensor.getName(), Tensor.of(tensor)));
    names.addAll(constants.keySet());
    List<ValueInfoProto> infos = new ArrayList<>(graph.getInputList());
    infos.forEach(input -> names.add(input.getName()));
    infos.addAll(graph.getValueInfoList());
    infos.addAll(graph.getOutputList());
    for (ValueInfoProto info : infos) {
      if (info.getType().hasTensorType()) {
        types.put(info.getName(), ElementType.ofCode(info.getType().getTensorType().getElemType()));
      }
    }
    graph.getOutputList().forEach(output -> outputs.add(output.getName()));
    List<Item> own = new ArrayList<>();
    for (NodeProto proto : graph.getNodeList()) {
      Item item = new Item(new Node(proto), proto.getDomain(), this);
      names.addAll(item.node().outputs());
      Optional<Tensor> constant = item.node().constantValue();
      if (constant.isPresent()) {
        constants.put(item.node().output(0), constant.get());
      } else {
        own.add(item);
        item.node().outputs().forEach(output -> producers.put(output, item));
      }
    }
    for (Item item : own) {
      items.add(item);
      for (String input : item.node().inputs()) {
        if (!input.isEmpty()) {
          Place place = place(input);
          place.scope.consumers.computeIfAbsent(input, k -> new ArrayList<>()).add(item);
        }
      }
      for (AttributeProto attribute : item.node().toProto().getAttributeList()) {
        String inner = path + item.node().label() + "/" + attribute.getName() + "/";
        if (attribute.hasG()) {
          new GraphScope(attribute.getG(), this, inner, items, scopes);
        }
        for (GraphProto subgraph : attribute.getGraphsList()) {
          new GraphScope(subgraph, this, inner, items, scopes);
        }
      }
    }
  }

  /** Where the tensor of this name, as this graph sees it, is made. */
  public Place place(String tensor) {
    for (GraphScope scope = this; scope != null; scope = scope.parent) {
      if (scope.names.contains(tensor)) {
        return new Place(scope, tensor);
      }
    }
    return new Place(this, tensor);
  }

  /** The constant of this name, also behind Identity. */
  public Optional<Tensor> constant(String tensor) {
    return constantPlace(tensor).map(place -> place.scope.constants.get(place.tensor));
  }

  /** Where the constant of this name, also behind Identity, is kept. */
  public Optional<Place> constantPlace(String tensor) {
    Place place = place(tensor);
    List<Place> passed = new ArrayList<>();
    Optional<Place> found = place.scope.constantPlaces.get(place.tensor);
    while (found == null) {
      passed.add(place);
      Item producer = place.scope.producers.get(place.tensor);
      if (place.scope.constants.containsKey(place.tensor)) {
        found = Optional.of(place);
      } else if (producer == null || !producer.is("Identity")) {
        found = Optional.empty();
      } else {
        place = producer.scope().place(producer.node().input(0));
        found = place.scope.constantPlaces.get(place.tensor);
      }
    }
    for (Place one : passed) {
      one.scope.constantPlaces.put(one.tensor, found);
    }
    return found;
  }

  /**
   * The constant whose values these are, all of them or some, in whatever order: behind Gather of
   * an embedding, say, or Transpose.
   */
  public Optional<Place> source(String tensor) {
    Place place = place(tensor);
    List<Place> passed = new ArrayList<>();
    Optional<Place> found = place.scope.sources.get(place.tensor);
    while (found == null) {
      passed.add(place);
      Item producer = place.scope.producers.get(place.tensor);
      Optional<Place> constant = place.scope.constantPlace(place.tensor);
      if (constant.isPresent() || producer == null || !moves(producer)) {
        found = constant;
      } else {
        place = producer.scope().place(producer.node().input(0));
        found = place.scope.sources.get(place.tensor);
      }
    }
    for (Place one : passed) {
      one.scope.sources.put(one.tensor, found);
    }
    return found;
  }

  /** The node whose values these are, all of them or some, in whatever order; no mover itself. */
  public Optional<Item> origin(String tensor) {
    Place place = place(tensor);
    List<Place> passed = new ArrayList<>();
    Optional<Item> found = place.scope.origins.get(place.tensor);
    while (found == null) {
      passed.add(place);
      Item producer = place.scope.producers.get(place.tensor);
      if (producer == null || !moves(producer)) {
        found = Optional.ofNullable(producer);
      } else {
        place = producer.scope().place(producer.node().input(0));
        found = place.scope.origins.get(place.tensor);
      }
    }
    for (Place one : passed) {
      one.scope.origins.put(one.tensor, found);
    }
    return found;
  }

  /** Whether a node gives its first input's values back, in other places. */
  public static boolean moves(Item item) {
    return item.isKnownDomain() && Operators.MOVES_VALUES.contains(item.op());
  }

  public Optional<Item> producer(String tensor) {
    Place place = place(tensor);
    return Optional.ofNullable(place.scope.producers.get(tensor));
  }

  /** The nodes that read the tensor, also those of subgraphs. */
  public List<Item> consumers(String tensor) {
    Place place = place(tensor);
    return place.scope.consumers.getOrDefault(tensor, List.of());
  }

  public boolean isOutput(String tensor) {
    return place(tensor).scope.outputs.contains(tensor);
  }

  /** The type that the model states for the tensor, if it does. */
  public Optional<ElementType> type(String tensor) {
    return Optional.ofNullable(place(tensor).scope.types.get(tensor));
  }

  /** The graph's own constants, with their names. */
  public Map<String, Tensor> constants() {
    return constants;
  }
}
