package org.tare.onnx;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.infer.ConstantFolding;
import org.tare.infer.ModelSession;
import org.tare.infer.TensorTypes;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.FunctionProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.OperatorSetIdProto;
import org.tare.onnx.proto.Onnx.StringStringEntryProto;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.onnx.proto.Onnx.TensorShapeProto;
import org.tare.onnx.proto.Onnx.TypeProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.rewrite.WrittenProducts;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/** Builds small ONNX models, runs them, and quantizes them on given data. */
public final class TestModel {
  private final GraphProto.Builder graph = GraphProto.newBuilder().setName("test");
  private final List<String> domains = new ArrayList<>();
  private final List<FunctionProto> functions = new ArrayList<>();
  private final int opset;
  private long irVersion = 8;

  private TestModel(int opset) {
    this.opset = opset;
  }

  public static TestModel opset(int opset) {
    return new TestModel(opset);
  }

  /** A float32 input; sizes of -1 are free. */
  public TestModel input(String name, long... shape) {
    graph.addInput(info(name, ElementType.FLOAT32, shape));
    return this;
  }

  public TestModel input(String name, ElementType type, long... shape) {
    graph.addInput(info(name, type, shape));
    return this;
  }

  /** A float32 input whose sizes are numbers or names. */
  public TestModel namedInput(String name, String... sizes) {
    graph.addInput(named(name, sizes));
    return this;
  }

  /** A float32 output whose sizes are numbers or names. */
  public TestModel namedOutput(String name, String... sizes) {
    graph.addOutput(named(name, sizes));
    return this;
  }

  private static ValueInfoProto named(String name, String... sizes) {
    ValueInfoProto.Builder info = info(name, ElementType.FLOAT32).toBuilder();
    for (String size : sizes) {
      TensorShapeProto.Dimension.Builder dim = TensorShapeProto.Dimension.newBuilder();
      info.getTypeBuilder()
          .getTensorTypeBuilder()
          .getShapeBuilder()
          .addDim(
              Character.isDigit(size.charAt(0))
                  ? dim.setDimValue(Long.parseLong(size))
                  : dim.setDimParam(size));
    }
    return info.build();
  }

  public TestModel output(String name, long... shape) {
    graph.addOutput(info(name, ElementType.FLOAT32, shape));
    return this;
  }

  public TestModel output(String name, ElementType type, long... shape) {
    graph.addOutput(info(name, type, shape));
    return this;
  }

  public TestModel constant(String name, long[] shape, float... values) {
    graph.addInitializer(Tensor.ofFloats(name, shape, values).proto());
    return this;
  }

  public TestModel longs(String name, long... values) {
    graph.addInitializer(Tensor.ofLongs(name, new long[] {values.length}, values).proto());
    return this;
  }

  /** An int64 constant without axes. */
  public TestModel scalar(String name, long value) {
    graph.addInitializer(Tensor.ofLongs(name, new long[0], value).proto());
    return this;
  }

  /** An initializer as the file format has it. */
  public TestModel initializer(Tensor tensor) {
    return initializer(tensor.proto());
  }

  TestModel initializer(TensorProto tensor) {
    graph.addInitializer(tensor);
    return this;
  }

  /** A float32 initializer whose values are in a file beside the model. */
  public TestModel external(String name, long[] shape, String location, long offset, long length) {
    graph.addInitializer(externalTensor(name, shape, location, offset, length));
    return this;
  }

  /** The same, as the file format has it. */
  static TensorProto externalTensor(
      String name, long[] shape, String location, long offset, long length) {
    TensorProto.Builder tensor =
        TensorProto.newBuilder()
            .setName(name)
            .setDataType(ElementType.FLOAT32.code())
            .setDataLocation(TensorProto.DataLocation.EXTERNAL)
            .addExternalData(entry("location", location))
            .addExternalData(entry("offset", Long.toString(offset)))
            .addExternalData(entry("length", Long.toString(length)));
    for (long dim : shape) {
      tensor.addDims(dim);
    }
    return tensor.build();
  }

  private static StringStringEntryProto entry(String key, String value) {
    return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
  }

  /**
   * An attribute of a function's node that is the one of the call.
   *
   * @param type as ONNX names it: INT, INTS, FLOAT
   */
  public record Reference(String attribute, String type) {}

  /**
   * A function of the model's own.
   *
   * @param name behind its domain and a point
   * @param attributes those that a call must give
   * @param body whose nodes and operator set it has
   */
  public TestModel function(
      String name,
      List<String> attributes,
      List<String> inputs,
      List<String> outputs,
      TestModel body) {
    int point = name.lastIndexOf('.');
    FunctionProto.Builder function =
        FunctionProto.newBuilder()
            .setDomain(name.substring(0, point))
            .setName(name.substring(point + 1))
            .addAllAttribute(attributes)
            .addAllInput(inputs)
            .addAllOutput(outputs)
            .addAllNode(body.graph.getNodeList())
            .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(body.opset));
    for (String domain : body.domains) {
      function.addOpsetImport(OperatorSetIdProto.newBuilder().setDomain(domain).setVersion(1));
    }
    functions.add(function.build());
    return this;
  }

  /**
   * A node; attributes are name and value in turn, of types Long, Float, String, arrays of them,
   * Tensor, Reference, or TestModel for a graph.
   */
  public TestModel node(
      String op, List<String> inputs, List<String> outputs, Object... attributes) {
    NodeProto.Builder node =
        NodeProto.newBuilder()
            .setOpType(op)
            .setName(op + "_" + graph.getNodeCount())
            .addAllInput(inputs)
            .addAllOutput(outputs);
    for (int i = 0; i < attributes.length; i += 2) {
      AttributeProto.Builder attribute =
          AttributeProto.newBuilder().setName((String) attributes[i]);
      Object value = attributes[i + 1];
      if (value instanceof Long number) {
        attribute.setType(AttributeProto.AttributeType.INT).setI(number);
      } else if (value instanceof Float number) {
        attribute.setType(AttributeProto.AttributeType.FLOAT).setF(number);
      } else if (value instanceof Reference reference) {
        attribute
            .setType(AttributeProto.AttributeType.valueOf(reference.type()))
            .setRefAttrName(reference.attribute());
      } else if (value instanceof Tensor tensor) {
        attribute.setType(AttributeProto.AttributeType.TENSOR).setT(tensor.proto());
      } else if (value instanceof TensorProto tensor) {
        attribute.setType(AttributeProto.AttributeType.TENSOR).setT(tensor);
      } else if (value instanceof TestModel inner) {
        attribute.setType(AttributeProto.AttributeType.GRAPH).setG(inner.graph);
      } else if (value instanceof float[] numbers) {
        attribute.setType(AttributeProto.AttributeType.FLOATS);
        for (float number : numbers) {
          attribute.addFloats(number);
        }
      } else if (value instanceof String[] texts) {
        attribute.setType(AttributeProto.AttributeType.STRINGS);
        for (String text : texts) {
          attribute.addStrings(com.google.protobuf.ByteString.copyFromUtf8(text));
        }
      } else if (value instanceof long[] numbers) {
        attribute.setType(AttributeProto.AttributeType.INTS);
        for (long number : numbers) {
          attribute.addInts(number);
        }
      } else {
        attribute
            .setType(AttributeProto.AttributeType.STRING)
            .setS(com.google.protobuf.ByteString.copyFromUtf8((String) value));
      }
      node.addAttribute(attribute);
    }
    graph.addNode(node);
    return this;
  }

  /** Makes these operators those of another domain. */
  public TestModel domain(String domain, String... operators) {
    domains.add(domain);
    graph.getNodeBuilderList().stream()
        .filter(node -> List.of(operators).contains(node.getOpType()))
        .forEach(node -> node.setDomain(domain));
    return this;
  }

  private static ValueInfoProto info(String name, ElementType type, long... shape) {
    TensorShapeProto.Builder dims = TensorShapeProto.newBuilder();
    for (long size : shape) {
      TensorShapeProto.Dimension.Builder dim = TensorShapeProto.Dimension.newBuilder();
      dims.addDim(size < 0 ? dim.setDimParam("N") : dim.setDimValue(size));
    }
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            TypeProto.newBuilder()
                .setTensorType(
                    TypeProto.Tensor.newBuilder().setElemType(type.code()).setShape(dims)))
        .build();
  }

  /** A version of the file format other than 8. */
  public TestModel irVersion(long version) {
    irVersion = version;
    return this;
  }

  /** The inputs that a model lists, those with a default too, with their types as text. */
  public static Map<String, String> inputsOf(OnnxModel model) {
    Map<String, String> inputs = new LinkedHashMap<>();
    model
        .graph()
        .toProto()
        .getInputList()
        .forEach(input -> inputs.put(input.getName(), input.getType().toString()));
    return inputs;
  }

  /**
   * Runs a model with other values for inputs that have defaults: in the place of the defaults,
   * since ONNX Runtime's Java library takes none beside them.
   */
  public static Map<String, Values> runWith(
      OnnxModel model, Map<String, Values> replaced, Map<String, Values> inputs) {
    try {
      ModelProto.Builder changed = ModelProto.parseFrom(bytes(model)).toBuilder();
      for (TensorProto.Builder tensor : changed.getGraphBuilder().getInitializerBuilderList()) {
        String name = tensor.getName();
        Values values = replaced.get(name);
        if (values != null) {
          tensor.clear().mergeFrom(Tensor.ofFloats(name, values.shape(), values.floats()).proto());
        }
      }
      Path file = Files.createTempFile("tare-test-", ".onnx");
      try {
        Files.write(file, changed.build().toByteArray());
        return run(OnnxModel.read(file), inputs);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The model as the bytes of one ONNX file. */
  public static byte[] bytes(OnnxModel model) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      model.files("model.onnx").get(0).writeTo(bytes);
    } catch (IOException e) { // memory has none
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  public byte[] bytes() {
    ModelProto.Builder model =
        ModelProto.newBuilder()
            .setIrVersion(irVersion)
            .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(opset))
            .addAllFunctions(functions)
            .setGraph(graph);
    for (String domain : domains) {
      model.addOpsetImport(OperatorSetIdProto.newBuilder().setDomain(domain).setVersion(1));
    }
    return model.build().toByteArray();
  }

  public void write(Path file) {
    try {
      Files.write(file, bytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public OnnxModel read() {
    try {
      Path file = Files.createTempFile("tare-test-", ".onnx");
      try {
        write(file);
        return OnnxModel.read(file);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A float32 tensor. */
  public record Values(long[] shape, float[] floats) {}

  /** Runs a model on float32 inputs; all its outputs. */
  public static Map<String, Values> run(OnnxModel model, Map<String, Values> inputs) {
    try {
      Path file = Files.createTempFile("tare-test-", ".onnx");
      try {
        model.write(file);
        try (ModelSession session = ModelSession.open(file, "test", 1)) {
          Map<String, ModelSession.InputTensor> given = new LinkedHashMap<>();
          inputs.forEach((name, values) -> given.put(name, tensor(values)));
          Map<String, Values> outputs = new LinkedHashMap<>();
          session.run(
              given,
              session.outputs().keySet(),
              (name, tensor) -> {
                float[] floats = new float[(int) tensor.size()];
                tensor.floats().get(floats);
                outputs.put(name, new Values(tensor.shape(), floats));
              });
          return outputs;
        }
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ModelSession.InputTensor tensor(Values values) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(4 * values.floats().length).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(values.floats());
    return new ModelSession.InputTensor(ElementType.FLOAT32, values.shape(), bytes);
  }

  /** Calibrates on one batch and quantizes, in QDQ form. */
  public static QuantizedModel quantize(
      OnnxModel model, Map<String, Values> inputs, QConfigMapping mapping) {
    return quantize(model, inputs, mapping, Quantization.Form.QDQ);
  }

  /** Calibrates on one batch, if the mode needs it, and quantizes. */
  public static QuantizedModel quantize(
      OnnxModel model, Map<String, Values> inputs, QConfigMapping mapping, Quantization.Form form) {
    OnnxModel prepared =
        FloatPasses.prepare(
            ConstantFolding.apply(model, "test"),
            FloatPasses.Options.none(),
            older -> TensorTypes.of(older, "test"));
    Map<String, TensorType> types = TensorTypes.of(prepared, "test");
    QuantizationPlan plan = QuantizationPlan.of(prepared, types, mapping);
    List<String> computed = new ArrayList<>(plan.observed());
    computed.removeAll(inputs.keySet());
    java.util.SortedMap<String, TensorStats> stats = new java.util.TreeMap<>();
    inputs.forEach((name, values) -> stats.put(name, TensorStats.of(values.floats())));
    if (!computed.isEmpty()) {
      run(prepared.withOutputs(computed), inputs)
          .forEach((name, values) -> stats.put(name, TensorStats.of(values.floats())));
    }
    QuantizedModel quantized =
        Quantization.quantize(
            prepared,
            types,
            mapping,
            form,
            Optional.of(new CalibrationState(model.digest(), 1, stats)),
            Map.of("tare.version", "test"));
    WrittenProducts.check(quantized.model(), mapping.standard());
    return quantized;
  }
}
