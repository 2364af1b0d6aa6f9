package org.tare.onnx;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.tare.TareException;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.FunctionProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.OperatorSetIdProto;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * Puts the nodes of a model's local functions in the place of the nodes that call them, functions
 * that call others included, in the graphs inside of nodes too. A tensor {@code t} of a function
 * becomes {@code call/t}, where {@code call} is the label of the node.
 */
final class FunctionInliner {
  /** More nodes than this no model has: functions that call others twice each grow fast. */
  private static final int MOST_NODES = 1 << 20;

  private record Id(String domain, String name, String overload) {
    static Id of(FunctionProto function) {
      return new Id(domain(function.getDomain()), function.getName(), function.getOverload());
    }

    static Id of(NodeProto call) {
      return new Id(domain(call.getDomain()), call.getOpType(), call.getOverload());
    }

    private static String domain(String domain) {
      return domain.equals("ai.onnx") ? "" : domain;
    }
  }

  private final Map<Id, FunctionProto> functions = new HashMap<>();
  private final OnnxModel.Raise raise;
  private final Set<Id> open = new HashSet<>();

  /** How many nodes a call of each function comes to. */
  private final Map<Id, Long> sizes = new HashMap<>();

  FunctionInliner(List<FunctionProto> all, OnnxModel.Raise raise) {
    all.forEach(function -> functions.put(Id.of(function), function));
    this.raise = raise;
  }

  /** The version of ONNX's operators that a function is written in; 0 if it has none of them. */
  static int opset(FunctionProto function) {
    return function.getOpsetImportList().stream()
        .filter(id -> id.getDomain().isEmpty() || id.getDomain().equals("ai.onnx"))
        .mapToInt(id -> (int) id.getVersion())
        .findFirst()
        .orElse(0);
  }

  /**
   * Edits the graph.
   *
   * @throws TareException if a function calls itself, or there are too many nodes
   */
  void inline(Graph graph) {
    if (size(graph.toProto().getNodeList()) > MOST_NODES) {
      throw TareException.badInput(
          "Cannot use the model: the calls of its functions come to more than %d nodes",
          MOST_NODES);
    }
    place(graph);
  }

  /** Before anything is placed: it grows with the model, not with what the calls come to. */
  private long size(List<NodeProto> nodes) {
    long size = 0;
    for (NodeProto node : nodes) {
      Id id = Id.of(node);
      FunctionProto function = functions.get(id);
      long own = 1;
      if (function != null) {
        own = size(id, function);
      }
      for (AttributeProto attribute : node.getAttributeList()) {
        own += attribute.hasG() ? size(attribute.getG().getNodeList()) : 0;
        for (GraphProto graph : attribute.getGraphsList()) {
          own += size(graph.getNodeList());
        }
      }
      size = Math.min(size + own, 2L * MOST_NODES);
    }
    return size;
  }

  private long size(Id id, FunctionProto function) {
    Long known = sizes.get(id);
    if (known == null) {
      if (!open.add(id)) {
        throw TareException.badInput(
            "Not a valid model: its function %s calls itself", function.getName());
      }
      known = size(function.getNodeList());
      open.remove(id);
      sizes.put(id, known);
    }
    return known;
  }

  private void place(Graph graph) {
    List<Node> nodes = new ArrayList<>();
    graph.nodes().forEach(node -> add(graph, node, nodes));
    graph.setNodes(nodes);
    graph.editSubgraphs(this::place);
  }

  private void add(Graph graph, Node node, List<Node> nodes) {
    FunctionProto function = functions.get(Id.of(node.toProto()));
    if (function == null) {
      nodes.add(node);
    } else {
      place(graph, node, body(function, node)).forEach(inner -> add(graph, inner, nodes));
    }
  }

  /** The function with the attributes of the call, in the model's operator set. */
  private GraphProto body(FunctionProto function, Node call) {
    Map<String, AttributeProto> given = new HashMap<>();
    function.getAttributeProtoList().forEach(absent -> given.put(absent.getName(), absent));
    given.putAll(call.attributes());
    GraphProto.Builder body = GraphProto.newBuilder().setName(function.getName());
    function.getInputList().forEach(name -> body.addInput(named(name)));
    function.getOutputList().forEach(name -> body.addOutput(named(name)));
    function.getNodeList().forEach(node -> body.addNode(resolved(node, given)));
    Graph graph = new Graph(body.build());
    raise.raise(graph, opset(function));
    return graph.toProto();
  }

  private static ValueInfoProto named(String name) {
    return ValueInfoProto.newBuilder().setName(name).build();
  }

  private static NodeProto resolved(NodeProto node, Map<String, AttributeProto> given) {
    NodeProto.Builder resolved = node.toBuilder().clearAttribute();
    for (AttributeProto attribute : node.getAttributeList()) {
      AttributeProto value = attribute;
      if (!attribute.getRefAttrName().isEmpty()) {
        value = given.get(attribute.getRefAttrName());
        if (value == null) {
          continue; // It is not given, and has the operator's default.
        }
        value = value.toBuilder().setName(attribute.getName()).build();
      }
      resolved.addAttribute(inGraphs(value, graph -> resolved(graph, given)));
    }
    return resolved.build();
  }

  private static GraphProto resolved(GraphProto graph, Map<String, AttributeProto> given) {
    GraphProto.Builder resolved = graph.toBuilder().clearNode();
    graph.getNodeList().forEach(node -> resolved.addNode(resolved(node, given)));
    return resolved.build();
  }

  private static AttributeProto inGraphs(
      AttributeProto attribute, UnaryOperator<GraphProto> change) {
    if (!attribute.hasG() && attribute.getGraphsCount() == 0) {
      return attribute;
    }
    AttributeProto.Builder changed = attribute.toBuilder().clearGraphs();
    if (attribute.hasG()) {
      changed.setG(change.apply(attribute.getG()));
    }
    attribute.getGraphsList().forEach(graph -> changed.addGraphs(change.apply(graph)));
    return changed.build();
  }

  /** The body's nodes with the names that they have in the graph; its constants go there. */
  private static List<Node> place(Graph graph, Node call, GraphProto body) {
    Names names = new Names(graph, call.label());
    Set<String> inputs = new HashSet<>();
    for (int i = 0; i < body.getInputCount(); i++) {
      inputs.add(body.getInput(i).getName());
      names.known.put(body.getInput(i).getName(), call.input(i));
    }
    List<Node> nodes = new ArrayList<>();
    for (int i = 0; i < body.getOutputCount() && i < call.outputs().size(); i++) {
      String inner = body.getOutput(i).getName();
      String outer = call.output(i);
      if (outer.isEmpty()) {
        continue;
      }
      boolean isPassedOn = inputs.contains(inner) || names.known.containsKey(inner);
      if (isPassedOn) {
        nodes.add(Node.of("Identity", "", List.of(names.of(inner)), List.of(outer)));
      } else {
        names.known.put(inner, outer);
      }
    }
    for (TensorProto constant : body.getInitializerList()) {
      graph.addConstant(Tensor.of(constant).withName(names.of(constant.getName())));
    }
    body.getNodeList().forEach(node -> nodes.add(new Node(names.in(node))));
    return nodes;
  }

  /** What the names of a function's tensors and nodes become. */
  private static final class Names {
    private final Graph graph;
    private final String call;
    private final Map<String, String> known = new LinkedHashMap<>();

    Names(Graph graph, String call) {
      this.graph = graph;
      this.call = call;
    }

    String of(String inner) {
      return inner.isEmpty()
          ? ""
          : known.computeIfAbsent(inner, name -> graph.freshName(call + "/" + name));
    }

    NodeProto in(NodeProto node) {
      NodeProto.Builder renamed = node.toBuilder().clearInput().clearOutput().clearAttribute();
      if (!node.getName().isEmpty()) {
        renamed.setName(graph.freshName(call + "/" + node.getName()));
      }
      node.getInputList().forEach(input -> renamed.addInput(of(input)));
      node.getOutputList().forEach(output -> renamed.addOutput(of(output)));
      node.getAttributeList()
          .forEach(attribute -> renamed.addAttribute(inGraphs(attribute, this::in)));
      return renamed.build();
    }

    private GraphProto in(GraphProto inner) {
      GraphProto.Builder renamed =
          inner.toBuilder()
              .clearNode()
              .clearInitializer()
              .clearInput()
              .clearOutput()
              .clearValueInfo();
      inner.getInputList().forEach(info -> renamed.addInput(in(info)));
      inner.getOutputList().forEach(info -> renamed.addOutput(in(info)));
      inner.getValueInfoList().forEach(info -> renamed.addValueInfo(in(info)));
      inner
          .getInitializerList()
          .forEach(
              tensor ->
                  renamed.addInitializer(tensor.toBuilder().setName(of(tensor.getName())).build()));
      inner.getNodeList().forEach(node -> renamed.addNode(in(node)));
      return renamed.build();
    }

    private ValueInfoProto in(ValueInfoProto info) {
      return info.toBuilder().setName(of(info.getName())).build();
    }
  }

  /** The versions of other vendors' operators that functions are written in. */
  static Map<String, Long> domains(List<FunctionProto> functions) {
    Map<String, Long> domains = new LinkedHashMap<>();
    for (FunctionProto function : functions) {
      for (OperatorSetIdProto id : function.getOpsetImportList()) {
        if (!id.getDomain().isEmpty() && !id.getDomain().equals("ai.onnx")) {
          domains.put(id.getDomain(), id.getVersion());
        }
      }
    }
    return domains;
  }
}
