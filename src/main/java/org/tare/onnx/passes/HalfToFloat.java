package org.tare.onnx.passes;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.onnx.proto.Onnx.TypeProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * Lets a float16 model compute in float32: its constants, the types that its nodes name, and graphs
 * inside of nodes. Inputs and outputs keep their types, with a Cast behind and before them. CPUs
 * have hardly a kernel for float16, so that runtimes do the same, node by node; and what is
 * quantized starts from float32.
 */
public final class HalfToFloat {
  private static final int HALF = ElementType.FLOAT16.code();
  private static final int FLOAT = ElementType.FLOAT32.code();

  private HalfToFloat() {}

  /**
   * A copy that computes in float32; the model itself if it has nothing in float16, or if it has
   * local functions.
   */
  public static OnnxModel apply(OnnxModel model) {
    GraphProto graph = model.graph().toProto();
    if (!usesHalf(graph) || model.hasFunctions()) {
      return model;
    }
    Map<String, String> renamed = new HashMap<>();
    List<ValueInfoProto> ends = new ArrayList<>(graph.getInputList());
    ends.addAll(graph.getOutputList());
    for (ValueInfoProto end : ends) {
      if (isHalf(end)) {
        renamed.computeIfAbsent(end.getName(), name -> model.graph().freshName(name + "_f"));
      }
    }
    return model.withGraph(top(graph, renamed));
  }

  private static boolean usesHalf(GraphProto graph) {
    return graph.getInitializerList().stream().anyMatch(t -> t.getDataType() == HALF)
        || graph.getInputList().stream().anyMatch(HalfToFloat::isHalf)
        || graph.getNodeList().stream()
            .flatMap(node -> node.getAttributeList().stream())
            .anyMatch(HalfToFloat::usesHalf);
  }

  private static boolean usesHalf(AttributeProto attribute) {
    return namesHalf(attribute)
        || attribute.getT().getDataType() == HALF
        || (attribute.hasG() && usesHalf(attribute.getG()));
  }

  /** The element types that nodes name: Cast's, and those of what makes tensors. */
  private static boolean namesHalf(AttributeProto attribute) {
    boolean isType = attribute.getName().equals("to") || attribute.getName().equals("dtype");
    return isType && attribute.getI() == HALF;
  }

  private static boolean isHalf(ValueInfoProto info) {
    return info.getType().getTensorType().getElemType() == HALF;
  }

  private static GraphProto top(GraphProto graph, Map<String, String> renamed) {
    GraphProto converted = convert(graph);
    GraphProto.Builder top = converted.toBuilder();
    // Inputs and outputs are as they were.
    top.clearInput().addAllInput(graph.getInputList());
    top.clearOutput().addAllOutput(graph.getOutputList());
    top.clearNode().clearValueInfo();
    converted.getValueInfoList().stream()
        .filter(info -> !renamed.containsKey(info.getName()))
        .forEach(top::addValueInfo);
    for (ValueInfoProto input : graph.getInputList()) {
      if (isHalf(input)) {
        top.addNode(cast(input.getName(), renamed.get(input.getName()), FLOAT));
      }
    }
    for (NodeProto node : converted.getNodeList()) {
      NodeProto.Builder changed = reading(node, renamed).toBuilder().clearOutput();
      node.getOutputList().forEach(out -> changed.addOutput(renamed.getOrDefault(out, out)));
      top.addNode(changed);
    }
    Set<String> inputs = new HashSet<>();
    graph.getInputList().forEach(input -> inputs.add(input.getName()));
    for (ValueInfoProto output : graph.getOutputList()) {
      if (isHalf(output) && !inputs.contains(output.getName())) {
        top.addNode(cast(renamed.get(output.getName()), output.getName(), HALF));
      }
    }
    return top.build();
  }

  /** The same node, which reads other tensors; so do the graphs inside of it. */
  private static NodeProto reading(NodeProto node, Map<String, String> renamed) {
    NodeProto.Builder changed = node.toBuilder().clearInput().clearAttribute();
    node.getInputList().forEach(in -> changed.addInput(renamed.getOrDefault(in, in)));
    for (AttributeProto attribute : node.getAttributeList()) {
      changed.addAttribute(
          attribute.hasG()
              ? attribute.toBuilder().setG(reading(attribute.getG(), renamed)).build()
              : attribute);
    }
    return changed.build();
  }

  private static GraphProto reading(GraphProto graph, Map<String, String> renamed) {
    Map<String, String> outer = new HashMap<>(renamed);
    graph.getInputList().forEach(input -> outer.remove(input.getName()));
    graph.getInitializerList().forEach(tensor -> outer.remove(tensor.getName()));
    graph.getNodeList().forEach(node -> outer.keySet().removeAll(node.getOutputList()));
    GraphProto.Builder changed = graph.toBuilder().clearNode().clearOutput();
    graph.getNodeList().forEach(node -> changed.addNode(reading(node, outer)));
    for (ValueInfoProto output : graph.getOutputList()) {
      String name = outer.getOrDefault(output.getName(), output.getName());
      changed.addOutput(output.toBuilder().setName(name));
    }
    return changed.build();
  }

  private static NodeProto cast(String from, String to, int type) {
    Node cast = Node.of("Cast", "", List.of(from), List.of(to));
    cast.setInt("to", type);
    return cast.toProto();
  }

  private static GraphProto convert(GraphProto graph) {
    GraphProto.Builder converted =
        graph.toBuilder()
            .clearInitializer()
            .clearNode()
            .clearInput()
            .clearOutput()
            .clearValueInfo();
    graph.getInitializerList().forEach(tensor -> converted.addInitializer(convert(tensor)));
    graph.getInputList().forEach(info -> converted.addInput(convert(info)));
    graph.getOutputList().forEach(info -> converted.addOutput(convert(info)));
    graph.getValueInfoList().forEach(info -> converted.addValueInfo(convert(info)));
    for (NodeProto node : graph.getNodeList()) {
      NodeProto.Builder changed = node.toBuilder().clearAttribute();
      node.getAttributeList().forEach(attribute -> changed.addAttribute(convert(attribute)));
      converted.addNode(changed);
    }
    return converted.build();
  }

  private static AttributeProto convert(AttributeProto attribute) {
    if (!usesHalf(attribute) && !attribute.hasG()) {
      return attribute;
    }
    AttributeProto.Builder changed = attribute.toBuilder();
    if (namesHalf(attribute)) {
      changed.setI(FLOAT);
    }
    if (attribute.hasT()) {
      changed.setT(convert(attribute.getT()));
    }
    if (attribute.hasG()) {
      changed.setG(convert(attribute.getG()));
    }
    return changed.build();
  }

  private static TensorProto convert(TensorProto tensor) {
    if (tensor.getDataType() != HALF) {
      return tensor;
    }
    Tensor half = Tensor.of(tensor);
    double[] numbers = half.numbers();
    float[] floats = new float[numbers.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) numbers[i];
    }
    return Tensor.ofFloats(tensor.getName(), half.shape(), floats).proto();
  }

  private static ValueInfoProto convert(ValueInfoProto info) {
    if (!isHalf(info)) {
      return info;
    }
    TypeProto.Tensor type = info.getType().getTensorType();
    return info.toBuilder()
        .setType(info.getType().toBuilder().setTensorType(type.toBuilder().setElemType(FLOAT)))
        .build();
  }
}
