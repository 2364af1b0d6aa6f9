package org.tare.onnx.beside;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.TensorProto;

/** Copies of nodes that read and write under other names, in the graphs that they run too. */
final class Renamed {
  private final UnaryOperator<String> reads;
  private final UnaryOperator<String> writes;
  private final String prefix;

  /**
   * @param reads the new name of a tensor that a node reads
   * @param writes the new name of a tensor that it writes
   * @param prefix of the names of nodes, so that no two are equal
   */
  Renamed(UnaryOperator<String> reads, UnaryOperator<String> writes, String prefix) {
    this.reads = reads;
    this.writes = writes;
    this.prefix = prefix;
  }

  NodeProto node(NodeProto node) {
    NodeProto.Builder copy = node.toBuilder().clearInput().clearOutput().clearAttribute();
    copy.setName(prefix + (node.getName().isEmpty() ? node.getOutput(0) : node.getName()));
    node.getInputList().forEach(input -> copy.addInput(input.isEmpty() ? "" : reads.apply(input)));
    node.getOutputList()
        .forEach(output -> copy.addOutput(output.isEmpty() ? "" : writes.apply(output)));
    node.getAttributeList().forEach(attribute -> copy.addAttribute(attribute(attribute)));
    return copy.build();
  }

  private AttributeProto attribute(AttributeProto attribute) {
    return attribute.hasG()
        ? attribute.toBuilder().setG(inner(attribute.getG(), Set.of())).build()
        : attribute;
  }

  /** A graph inside of a node: its own names stay, what it takes from outside is renamed. */
  private GraphProto inner(GraphProto graph, Set<String> around) {
    Set<String> own = new HashSet<>(around);
    graph.getInputList().forEach(input -> own.add(input.getName()));
    for (TensorProto constant : graph.getInitializerList()) {
      own.add(constant.getName());
    }
    graph.getNodeList().forEach(node -> own.addAll(node.getOutputList()));
    UnaryOperator<String> outer = name -> own.contains(name) ? name : reads.apply(name);
    GraphProto.Builder copy = graph.toBuilder().clearNode();
    for (NodeProto node : graph.getNodeList()) {
      NodeProto.Builder inner = node.toBuilder().clearInput().clearAttribute();
      node.getInputList().forEach(name -> inner.addInput(name.isEmpty() ? "" : outer.apply(name)));
      for (AttributeProto attribute : node.getAttributeList()) {
        inner.addAttribute(
            attribute.hasG()
                ? attribute.toBuilder().setG(inner(attribute.getG(), own)).build()
                : attribute);
      }
      copy.addNode(inner);
    }
    List<String> outputs = graph.getOutputList().stream().map(o -> o.getName()).toList();
    for (int i = 0; i < outputs.size(); i++) {
      if (!own.contains(outputs.get(i))) {
        copy.setOutput(i, graph.getOutput(i).toBuilder().setName(reads.apply(outputs.get(i))));
      }
    }
    return copy.build();
  }
}
