package org.tare.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.inspect.ModelInspection.Figures;
import org.tare.inspect.ModelInspection.Form;
import org.tare.inspect.ModelInspection.Kind;
import org.tare.inspect.ModelInspection.OperatorCount;
import org.tare.inspect.ModelInspection.QuantizedTensor;
import org.tare.inspect.ModelInspection.Weights;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.plan.FloatNode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.DType;
import org.tare.rewrite.QuantizedModel;
import org.tare.stats.Samples;

/** What is found in models of every form that quantizers write. */
class ModelInspectionTest {
  @TempDir Path folder;

  private static final long[] SCALAR = {};

  private static ModelInspection inspect(TestModel model) {
    return ModelInspection.of(model.read(), Map.of());
  }

  private static QuantizedTensor tensor(ModelInspection found, String name) {
    List<QuantizedTensor> named =
        found.tensors().stream().filter(tensor -> tensor.name().equals(name)).toList();
    assertEquals(1, named.size(), name + " in " + found.tensors());
    return named.get(0);
  }

  private static Tensor integers(String name, DType dtype, long[] shape, int... values) {
    return Tensor.ofQuantized(name, dtype, shape, values);
  }

  /** Scale and zero point of the name's {@code _s} and {@code _z}. */
  private static TestModel qparams(TestModel model, String name, float scale, int zeroPoint) {
    return model
        .constant(name + "_s", SCALAR, scale)
        .initializer(integers(name + "_z", DType.UINT8, SCALAR, zeroPoint));
  }

  private static Tensor packed(String name, ElementType type, long[] shape, int... bytes) {
    byte[] raw = new byte[bytes.length];
    for (int i = 0; i < raw.length; i++) {
      raw[i] = (byte) bytes[i];
    }
    return Tensor.ofBytes(name, type, shape, raw);
  }

  @Test
  void ourOwnModelsAreTheQParamsTheyWereWrittenWith() {
    Random random = new Random(1);
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 4, 8, 8)
            .constant("w", new long[] {6, 4, 3, 3}, Samples.normal(random, 216))
            .constant("b", new long[] {6}, Samples.normal(random, 6))
            .node("Conv", List.of("x", "w", "b"), List.of("h"))
            .node("Relu", List.of("h"), List.of("r"))
            .node("Erf", List.of("r"), List.of("y"))
            .output("y", -1, 6, 6, 6)
            .read();
    QuantizedModel quantized =
        TestModel.quantize(
            model,
            Map.of("x", new Values(new long[] {2, 4, 8, 8}, Samples.normal(random, 512))),
            new QConfigMapping(QConfig.standard(), List.of()));
    ModelInspection found =
        ModelInspection.of(quantized.model(), Map.of("Erf(Erf_2)", "Tare has no rule for it"));
    quantized
        .activations()
        .forEach(
            (name, chosen) ->
                assertEquals(
                    new QuantizedTensor(
                        name,
                        Kind.ACTIVATION,
                        Form.QDQ,
                        "uint8",
                        0,
                        0,
                        Figures.of(chosen.qparams().scale()),
                        Figures.of(chosen.qparams().zeroPoint()),
                        -1,
                        0),
                    tensor(found, name)));
    QuantizedTensor weight = tensor(found, "w_q");
    assertEquals(6, weight.scale().count());
    assertEquals(0, weight.axis());
    assertEquals(216, weight.values());
    assertEquals(Figures.of(0, 0, 0, 0, 0, 0), weight.zeroPoint());
    assertEquals(
        List.of(Kind.WEIGHT, Form.QDQ, Kind.BIAS, "int32"),
        List.of(
            weight.kind(),
            weight.form(),
            tensor(found, "b_q").kind(),
            tensor(found, "b_q").type()));
    assertEquals(
        List.of(new Weights("int32", 6, 24), new Weights("int8", 216, 216)), found.weights());
    // Scales and zero points of the weight, scales of the bias, and two pairs for activations.
    assertEquals(24 + 6 + 24 + 2 * 5, found.qparamsBytes());
    assertEquals((216 + 24 + 64) / 222.0, found.bytesPerWeight());
    assertEquals(
        List.of(new OperatorCount("Conv", 1, 0), new OperatorCount("Erf", 0, 1)),
        found.operators());
    assertEquals(
        List.of(new FloatNode("Erf", "Erf_2", "Tare has no rule for it")), found.floatNodes());
    assertEquals(
        "no integer kernel is known for it",
        ModelInspection.of(quantized.model(), Map.of()).floatNodes().get(0).reason());
  }

  @Test
  void operatorsOnIntegers() {
    TestModel model =
        qparams(qparams(qparams(TestModel.opset(17), "x", 0.5f, 3), "h", 0.25f, 7), "a", 0.125f, 9)
            .input("x", -1, 2, 4, 4)
            .initializer(integers("w", DType.INT8, new long[] {3, 2, 1, 1}, 1, 2, 3, 4, 5, 6))
            .constant("w_s", new long[] {3}, 0.5f, 1f, 2f)
            .initializer(integers("w_z", DType.INT8, new long[] {3}, 0, 0, 0))
            .initializer(integers("b", DType.INT32, new long[] {3}, 1, 2, 3))
            .node("QuantizeLinear", List.of("x", "x_s", "x_z"), List.of("x_q"))
            .node(
                "QLinearConv",
                List.of("x_q", "x_s", "x_z", "w", "w_s", "w_z", "h_s", "h_z", "b"),
                List.of("h"))
            .node("MaxPool", List.of("h"), List.of("p"), "kernel_shape", new long[] {2, 2})
            .node(
                "QLinearAdd",
                List.of("p", "h_s", "h_z", "p", "h_s", "h_z", "a_s", "a_z"),
                List.of("a"))
            .node("DequantizeLinear", List.of("a", "a_s", "a_z"), List.of("d"))
            .node("Softmax", List.of("d"), List.of("y"))
            .output("y", -1, 3, 3, 3);
    ModelInspection found = inspect(model.domain("com.microsoft", "QLinearAdd"));
    assertEquals(
        List.of("x", "w", "b", "h", "p", "a"),
        found.tensors().stream().map(QuantizedTensor::name).toList());
    assertEquals(
        List.of(Form.QOPERATOR),
        found.tensors().stream().map(QuantizedTensor::form).distinct().toList());
    assertEquals(new Figures(3, 0.5, 2), tensor(found, "w").scale());
    assertEquals(0, tensor(found, "w").axis());
    assertEquals(new Figures(3, 0.25, 1), tensor(found, "b").scale());
    assertEquals(Kind.BIAS, tensor(found, "b").kind());
    assertEquals(Figures.of(7), tensor(found, "h").zeroPoint());
    assertEquals(
        List.of(
            new OperatorCount("MaxPool", 1, 0),
            new OperatorCount("QLinearAdd", 1, 0),
            new OperatorCount("QLinearConv", 1, 0),
            new OperatorCount("Softmax", 0, 1)),
        found.operators());
    assertEquals(2, found.conversions());
  }

  /** As ONNX Runtime's quantize_dynamic writes it, the embedding quantized too. */
  @Test
  void dynamicForm() {
    TestModel model =
        qparams(TestModel.opset(17), "e", 0.5f, 126)
            .input("ids", ElementType.INT64, -1)
            .input("x", -1, 2)
            .initializer(integers("e", DType.UINT8, new long[] {4, 2}, 1, 2, 3, 4, 5, 6, 7, 8))
            .initializer(integers("w", DType.INT8, new long[] {2, 2}, 1, 2, 3, 4))
            .constant("w_s", new long[] {2}, 0.25f, 0.75f)
            .initializer(integers("w_z", DType.INT8, new long[] {2}, 0, 0))
            .node("Gather", List.of("e", "ids"), List.of("g"))
            .node("DequantizeLinear", List.of("g", "e_s", "e_z"), List.of("gf"))
            .node("Add", List.of("gf", "x"), List.of("s"))
            .node("DynamicQuantizeLinear", List.of("s"), List.of("s_q", "s_s", "s_z"))
            .node("MatMulInteger", List.of("s_q", "w", "s_z", "w_z"), List.of("m"))
            .node("Cast", List.of("m"), List.of("c"), "to", 1L)
            .node("Mul", List.of("s_s", "w_s"), List.of("f"))
            .node("Mul", List.of("c", "f"), List.of("y"))
            .output("y", -1, 2);
    ModelInspection found = inspect(model);
    assertEquals(
        new QuantizedTensor(
            "w",
            Kind.WEIGHT,
            Form.DYNAMIC,
            "int8",
            4,
            4,
            new Figures(2, 0.25, 0.75),
            new Figures(2, 0, 0),
            1,
            0),
        tensor(found, "w"));
    QuantizedTensor activation = tensor(found, "s");
    assertEquals(Form.DYNAMIC, activation.form());
    assertEquals(0, activation.scale().count());
    assertEquals(Form.WEIGHT_ONLY, tensor(found, "e").form());
    assertEquals(Figures.of(126), tensor(found, "e").zeroPoint());
    assertEquals(
        List.of(
            new OperatorCount("Add", 0, 1),
            new OperatorCount("Gather", 1, 0),
            new OperatorCount("MatMulInteger", 1, 0)),
        found.operators());
    assertEquals(4, found.conversions());
  }

  @Test
  void operatorsThatQuantizeTheirInput() {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 2)
            .initializer(integers("w", DType.INT8, new long[] {2, 2}, 1, 2, 3, 4))
            .constant("w_s", SCALAR, 0.25f)
            .node("DynamicQuantizeMatMul", List.of("x", "w", "w_s"), List.of("m"))
            .node("Erf", List.of("x"), List.of("e"))
            .node("Add", List.of("m", "e"), List.of("y"))
            .output("y", -1, 2);
    ModelInspection found = inspect(model.domain("com.microsoft", "DynamicQuantizeMatMul"));
    assertEquals(Form.DYNAMIC, tensor(found, "x").form());
    assertEquals(Figures.of(0.25), tensor(found, "w").scale());
    assertEquals(
        List.of(
            new OperatorCount("Add", 0, 1),
            new OperatorCount("DynamicQuantizeMatMul", 1, 0),
            new OperatorCount("Erf", 0, 1)),
        found.operators());
  }

  @Test
  void weightOnlyWithBlocks() {
    TestModel model =
        TestModel.opset(21)
            .input("x", -1, 4)
            // int4: 1 -1, 7 -8, from the low half up.
            .initializer(packed("w", ElementType.INT4, new long[] {4, 1}, 0xf1, 0x87))
            .constant("w_s", new long[] {2, 1}, 0.5f, 2f)
            .initializer(packed("w_z", ElementType.INT4, new long[] {2, 1}, 0xe3))
            .node(
                "DequantizeLinear",
                List.of("w", "w_s", "w_z"),
                List.of("wf"),
                "axis",
                0L,
                "block_size",
                2L)
            .node("MatMul", List.of("x", "wf"), List.of("y"))
            .output("y", -1, 1);
    ModelInspection found = inspect(model);
    assertEquals(
        List.of(
            new QuantizedTensor(
                "w",
                Kind.WEIGHT,
                Form.WEIGHT_ONLY,
                "int4",
                4,
                2,
                new Figures(2, 0.5, 2),
                new Figures(2, -2, 3),
                0,
                2)),
        found.tensors());
    assertEquals(
        List.of(new FloatNode("MatMul", "MatMul_1", "only its weight is quantized")),
        found.floatNodes());
    assertEquals((2 + 8 + 1) / 4.0, found.bytesPerWeight());
  }

  @Test
  void matMulNBitsAndGatherBlockQuantized() {
    // Two rows of 48 in blocks of 16: three zero points a row, the fourth half-byte is filling.
    TestModel model =
        TestModel.opset(21)
            .input("x", -1, 48)
            .input("ids", ElementType.INT64, -1)
            .initializer(packed("w", ElementType.UINT8, new long[] {2, 3, 8}, new int[48]))
            .constant("w_s", new long[] {6}, 1, 2, 3, 4, 5, 6)
            .initializer(packed("w_z", ElementType.UINT8, new long[] {4}, 0x76, 0x05, 0x98, 0x0a))
            .initializer(packed("e", ElementType.UINT4, new long[] {2, 32}, new int[32]))
            .constant("e_s", new long[] {2, 2}, 1, 1, 1, 1)
            .node(
                "MatMulNBits",
                List.of("x", "w", "w_s", "w_z"),
                List.of("m"),
                "N",
                2L,
                "K",
                48L,
                "bits",
                4L,
                "block_size",
                16L)
            .node(
                "GatherBlockQuantized", List.of("e", "ids", "e_s"), List.of("g"), "block_size", 16L)
            .node("Add", List.of("m", "g"), List.of("y"))
            .output("y", -1, 2);
    ModelInspection found =
        inspect(model.domain("com.microsoft", "MatMulNBits", "GatherBlockQuantized"));
    QuantizedTensor weight = tensor(found, "w");
    assertEquals(
        new QuantizedTensor(
            "w",
            Kind.WEIGHT,
            Form.WEIGHT_ONLY,
            "uint4",
            96,
            48,
            new Figures(6, 1, 6),
            new Figures(6, 5, 10),
            1,
            16),
        weight);
    QuantizedTensor embedding = tensor(found, "e");
    assertEquals(
        List.of("uint4", 64L, 16, 1),
        List.of(embedding.type(), embedding.values(), embedding.blockSize(), embedding.axis()));
    assertEquals(Figures.of(0), embedding.zeroPoint());
    assertEquals(List.of(new Weights("uint4", 160, 80)), found.weights());
  }

  /** Weights that are float in the file, and quantized where they are read. */
  @Test
  void floatWeightsWithPairs() {
    TestModel model =
        qparams(qparams(TestModel.opset(17), "x", 0.5f, 3), "w", 0.25f, 128)
            .input("x", -1, 2)
            .constant("w", new long[] {2, 2}, 1, 2, 3, 4)
            .node("QuantizeLinear", List.of("x", "x_s", "x_z"), List.of("x_q"))
            .node("DequantizeLinear", List.of("x_q", "x_s", "x_z"), List.of("x_d"))
            .node("QuantizeLinear", List.of("w", "w_s", "w_z"), List.of("w_q"))
            .node("DequantizeLinear", List.of("w_q", "w_s", "w_z"), List.of("w_d"))
            .node("MatMul", List.of("x_d", "w_d"), List.of("y"))
            .output("y", -1, 2);
    ModelInspection found = inspect(model);
    assertEquals(Kind.WEIGHT, tensor(found, "w").kind());
    assertEquals("uint8", tensor(found, "w").type());
    assertEquals(List.of(new Weights("float32", 4, 16)), found.weights());
    assertEquals(List.of(new OperatorCount("MatMul", 1, 0)), found.operators());
  }

  @Test
  void whyNodesStayFloat() {
    TestModel model =
        qparams(TestModel.opset(17), "x", 0.5f, 3)
            .input("x", -1, 2)
            .constant("c", new long[] {2}, 1, 2)
            .node("QuantizeLinear", List.of("x", "x_s", "x_z"), List.of("q"))
            .node("DequantizeLinear", List.of("q", "x_s", "x_z"), List.of("d"))
            .node("Add", List.of("d", "c"), List.of("a"))
            .node("Sigmoid", List.of("d"), List.of("s"))
            .node("Erf", List.of("d"), List.of("e"))
            .node("Mul", List.of("a", "s"), List.of("m"))
            .node("Shape", List.of("m"), List.of("shape"))
            .node("Reshape", List.of("m", "shape"), List.of("r"))
            .node("Mul", List.of("r", "e"), List.of("y"))
            .output("y", -1, 2);
    Map<String, String> reasons =
        inspect(model).floatNodes().stream()
            .collect(Collectors.toMap(FloatNode::name, FloatNode::reason));
    assertEquals(
        Map.of(
            "Add_2", "not all that it reads is quantized",
            "Sigmoid_3", "what it computes is not quantized",
            "Erf_4", "no integer kernel is known for it",
            "Mul_5", "no quantized input",
            "Reshape_7", "no quantized input",
            "Mul_8", "no quantized input"),
        reasons);
  }

  @Test
  void subgraphsAreEntered() throws Exception {
    TestModel branch =
        TestModel.opset(17)
            .initializer(integers("w", DType.INT8, new long[] {2, 2}, 1, 2, 3, 4))
            .constant("w_s", SCALAR, 0.25f)
            .node("DequantizeLinear", List.of("w", "w_s"), List.of("wd"))
            .node("MatMul", List.of("x", "wd"), List.of("b"))
            .output("b", -1, 2);
    NodeProto.Builder choice =
        NodeProto.newBuilder().setOpType("If").setName("choice").addInput("c").addOutput("y");
    for (String name : List.of("then_branch", "else_branch")) {
      choice.addAttribute(
          AttributeProto.newBuilder()
              .setName(name)
              .setType(AttributeProto.AttributeType.GRAPH)
              .setG(ModelProto.parseFrom(branch.bytes()).getGraph()));
    }
    ModelProto.Builder outer =
        ModelProto.parseFrom(
            TestModel.opset(17)
                .input("x", -1, 2)
                .input("c", ElementType.BOOL)
                .output("y", -1, 2)
                .bytes())
            .toBuilder();
    outer.getGraphBuilder().addNode(choice);
    Path file = folder.resolve("if.onnx");
    Files.write(file, outer.build().toByteArray());
    ModelInspection found = ModelInspection.of(OnnxModel.read(file), Map.of());
    assertEquals(
        List.of("choice/then_branch/w", "choice/else_branch/w"),
        found.tensors().stream().map(QuantizedTensor::name).toList());
    assertEquals(List.of(new OperatorCount("MatMul", 0, 2)), found.operators());
    assertEquals("choice/then_branch/MatMul_1", found.floatNodes().get(0).name());
    assertEquals(List.of(new Weights("int8", 8, 8)), found.weights());
  }

  @Test
  void floatModelsHaveNothing() {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 1)
            .node("Relu", List.of("x"), List.of("y"))
            .output("y", -1, 1);
    assertEquals(List.of(), inspect(model).tensors());
  }
}
