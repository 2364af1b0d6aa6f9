package org.tare.onnx;

import com.google.protobuf.ByteString;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.TensorProto;

/** One operator of a {@link Graph}: editable inputs, outputs and attributes. */
public final class Node {
  /** The domain of ONNX Runtime's own operators. */
  public static final String MICROSOFT = "com.microsoft";

  private final NodeProto source;
  private final String opType;
  private String name;
  private final List<String> inputs;
  private final List<String> outputs;

  /** What {@link #inputs()} gives until an input changes, or null: nodes may have many. */
  private List<String> givenInputs;

  private List<String> givenOutputs;
  private final Map<String, AttributeProto> attributes = new LinkedHashMap<>();

  Node(NodeProto source) {
    this.source = source;
    this.opType = source.getOpType();
    this.name = source.getName();
    this.inputs = new ArrayList<>(source.getInputList());
    this.outputs = new ArrayList<>(source.getOutputList());
    for (AttributeProto attribute : source.getAttributeList()) {
      attributes.put(attribute.getName(), attribute);
    }
  }

  /** A node of the ONNX domain. */
  public static Node of(String opType, String name, List<String> inputs, List<String> outputs) {
    return new Node(
        NodeProto.newBuilder()
            .setOpType(opType)
            .setName(name)
            .addAllInput(inputs)
            .addAllOutput(outputs)
            .build());
  }

  /** A node of another domain: {@code com.microsoft}, say. */
  public static Node of(
      String domain, String opType, String name, List<String> inputs, List<String> outputs) {
    return new Node(
        NodeProto.newBuilder()
            .setDomain(domain)
            .setOpType(opType)
            .setName(name)
            .addAllInput(inputs)
            .addAllOutput(outputs)
            .build());
  }

  public String opType() {
    return opType;
  }

  public String name() {
    return name;
  }

  /** The name, or that of the first output where the model gives the node none. */
  public String label() {
    return name.isEmpty() && !outputs.isEmpty() ? outputs.get(0) : name;
  }

  /** Whether it is one of ONNX's own operators. */
  public boolean isStandard() {
    return source.getDomain().isEmpty() || source.getDomain().equals("ai.onnx");
  }

  /** The domain of its operator; empty for ONNX's own. */
  public String domain() {
    return isStandard() ? "" : source.getDomain();
  }

  /** Names of the tensors it reads; an empty name is an optional input that is not given. */
  public List<String> inputs() {
    if (givenInputs == null) {
      givenInputs = List.copyOf(inputs);
    }
    return givenInputs;
  }

  public List<String> outputs() {
    if (givenOutputs == null) {
      givenOutputs = List.copyOf(outputs);
    }
    return givenOutputs;
  }

  /** The name of an input, or empty if it is not given. */
  public String input(int index) {
    return index < inputs.size() ? inputs.get(index) : "";
  }

  public String output(int index) {
    return outputs.get(index);
  }

  void setName(String newName) {
    name = newName;
  }

  public void setInput(int index, String tensor) {
    givenInputs = null;
    while (inputs.size() <= index) {
      inputs.add("");
    }
    inputs.set(index, tensor);
  }

  /** Drops the inputs from a place on. */
  public void truncateInputs(int size) {
    givenInputs = null;
    while (inputs.size() > size) {
      inputs.remove(inputs.size() - 1);
    }
  }

  public void setOutput(int index, String tensor) {
    givenOutputs = null;
    outputs.set(index, tensor);
  }

  /** Takes an input away; those behind it move up. */
  public void dropInput(int index) {
    givenInputs = null;
    inputs.remove(index);
  }

  /** Takes an output away; those behind it move up. */
  public void dropOutput(int index) {
    givenOutputs = null;
    outputs.remove(index);
  }

  /** Whether the attribute is given. */
  public boolean hasAttribute(String key) {
    return attributes.containsKey(key);
  }

  /** The names of the attributes that are given. */
  public Set<String> attributeNames() {
    return Collections.unmodifiableSet(attributes.keySet());
  }

  Optional<AttributeProto> attribute(String key) {
    return Optional.ofNullable(attributes.get(key));
  }

  public long intAttribute(String key, long absent) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null ? absent : attribute.getI();
  }

  public float floatAttribute(String key, float absent) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null ? absent : attribute.getF();
  }

  public String stringAttribute(String key, String absent) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null ? absent : attribute.getS().toStringUtf8();
  }

  public List<Long> intsAttribute(String key) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null ? List.of() : attribute.getIntsList();
  }

  public void setInt(String key, long value) {
    attributes.put(
        key,
        AttributeProto.newBuilder()
            .setName(key)
            .setType(AttributeProto.AttributeType.INT)
            .setI(value)
            .build());
  }

  public void setInts(String key, long... values) {
    AttributeProto.Builder ints =
        AttributeProto.newBuilder().setName(key).setType(AttributeProto.AttributeType.INTS);
    for (long value : values) {
      ints.addInts(value);
    }
    attributes.put(key, ints.build());
  }

  public void setFloat(String key, float value) {
    attributes.put(
        key,
        AttributeProto.newBuilder()
            .setName(key)
            .setType(AttributeProto.AttributeType.FLOAT)
            .setF(value)
            .build());
  }

  public void setString(String key, String value) {
    attributes.put(
        key,
        AttributeProto.newBuilder()
            .setName(key)
            .setType(AttributeProto.AttributeType.STRING)
            .setS(ByteString.copyFromUtf8(value))
            .build());
  }

  /** All attributes by name. */
  public Map<String, AttributeProto> attributes() {
    return Collections.unmodifiableMap(attributes);
  }

  /** Whether the attribute is given and is a whole number. */
  public boolean hasInt(String key) {
    AttributeProto attribute = attributes.get(key);
    return attribute != null && attribute.getType() == AttributeProto.AttributeType.INT;
  }

  /** The numbers of an attribute that is a list of floats; none if it is not given. */
  public List<Float> floatsAttribute(String key) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null ? List.of() : attribute.getFloatsList();
  }

  /** The texts of an attribute that is a list of them; none if it is not given. */
  public List<String> stringsAttribute(String key) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null
        ? List.of()
        : attribute.getStringsList().stream().map(ByteString::toStringUtf8).toList();
  }

  /** The attribute that is a tensor, if it is given and is one. */
  public Optional<Tensor> tensorAttribute(String key) {
    return attribute(key).filter(AttributeProto::hasT).map(AttributeProto::getT).map(Tensor::of);
  }

  /**
   * The value of a Constant node, by its output's name, whichever attribute holds it; empty for
   * other nodes, and for sparse values.
   */
  public Optional<Tensor> constantValue() {
    if (!isStandard() || !opType.equals("Constant") || attributes.size() != 1) {
      return Optional.empty();
    }
    AttributeProto value = attributes.values().iterator().next();
    TensorProto.Builder tensor = TensorProto.newBuilder();
    switch (value.getName()) {
      case "value" -> tensor.mergeFrom(value.getT());
      case "value_float" ->
          tensor.setDataType(ElementType.FLOAT32.code()).addFloatData(value.getF());
      case "value_floats" ->
          tensor
              .setDataType(ElementType.FLOAT32.code())
              .addDims(value.getFloatsCount())
              .addAllFloatData(value.getFloatsList());
      case "value_int" -> tensor.setDataType(ElementType.INT64.code()).addInt64Data(value.getI());
      case "value_ints" ->
          tensor
              .setDataType(ElementType.INT64.code())
              .addDims(value.getIntsCount())
              .addAllInt64Data(value.getIntsList());
      case "value_string" ->
          tensor.setDataType(ElementType.STRING.code()).addStringData(value.getS());
      case "value_strings" ->
          tensor
              .setDataType(ElementType.STRING.code())
              .addDims(value.getStringsCount())
              .addAllStringData(value.getStringsList());
      default -> {
        return Optional.empty();
      }
    }
    return Optional.of(Tensor.of(tensor.setName(outputs.get(0)).build()));
  }

  /** Takes over all attributes of another node. */
  public void copyAttributes(Node other) {
    attributes.putAll(other.attributes);
  }

  /** Takes over those attributes of another node that have these names. */
  public void copyAttributes(Node other, Set<String> keys) {
    other.attributes.forEach(
        (key, value) -> {
          if (keys.contains(key)) {
            attributes.put(key, value);
          }
        });
  }

  public void removeAttribute(String key) {
    attributes.remove(key);
  }

  /** The names that the node's subgraphs (of If, Loop, Scan) take from outside of themselves. */
  public Set<String> captured() {
    Set<String> names = new TreeSet<>();
    for (AttributeProto attribute : attributes.values()) {
      if (attribute.hasG()) {
        capturedBy(attribute.getG(), names);
      }
      for (GraphProto graph : attribute.getGraphsList()) {
        capturedBy(graph, names);
      }
    }
    return names;
  }

  private static void capturedBy(GraphProto graph, Set<String> names) {
    Set<String> own = new TreeSet<>();
    graph.getInputList().forEach(input -> own.add(input.getName()));
    graph.getInitializerList().forEach(tensor -> own.add(tensor.getName()));
    Set<String> used = new TreeSet<>();
    for (NodeProto proto : graph.getNodeList()) {
      Node node = new Node(proto);
      used.addAll(node.inputs);
      used.addAll(node.captured());
      own.addAll(node.outputs);
    }
    graph.getOutputList().forEach(output -> used.add(output.getName()));
    used.removeAll(own);
    used.remove("");
    names.addAll(used);
  }

  /** The graphs that the node runs itself (branches of an If, the body of a Loop), by attribute. */
  public Map<String, GraphProto> subgraphs() {
    Map<String, GraphProto> graphs = new LinkedHashMap<>();
    attributes.forEach(
        (key, attribute) -> {
          if (attribute.hasG()) {
            graphs.put(key, attribute.getG());
          }
        });
    return graphs;
  }

  void setSubgraph(String key, GraphProto graph) {
    attributes.put(key, attributes.get(key).toBuilder().setG(graph).build());
  }

  public NodeProto toProto() {
    return source.toBuilder()
        .setName(name)
        .clearInput()
        .addAllInput(inputs)
        .clearOutput()
        .addAllOutput(outputs)
        .clearAttribute()
        .addAllAttribute(attributes.values())
        .build();
  }

  @Override
  public String toString() {
    return opType + "(" + label() + ")";
  }
}
