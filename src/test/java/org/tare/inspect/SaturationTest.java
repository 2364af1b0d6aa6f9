package org.tare.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.inspect.Saturation.Layer;
import org.tare.inspect.Saturation.Where;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.WeightProducts;
import org.tare.quant.DType;
import org.tare.rewrite.Quantization.Form;

class SaturationTest {
  /** Dense, depthwise and matrix products of weights of one sign. */
  private static TestModel model() {
    float[] ones = new float[4 * 4 * 9];
    Arrays.fill(ones, 1);
    return TestModel.opset(17)
        .input("x", -1, 4, 6, 6)
        .constant("dense", new long[] {4, 4, 3, 3}, ones)
        .node("Conv", List.of("x", "dense"), List.of("a"))
        .constant("depthwise", new long[] {4, 1, 3, 3}, Arrays.copyOf(ones, 36))
        .node("Conv", List.of("a", "depthwise"), List.of("b"), "group", 4L)
        .node("Flatten", List.of("b"), List.of("c"))
        .constant("matrix", new long[] {16, 3}, Arrays.copyOf(ones, 48))
        .node("MatMul", List.of("c", "matrix"), List.of("d"))
        .constant("gemm", new long[] {5, 3}, Arrays.copyOf(ones, 15))
        .node("Gemm", List.of("d", "gemm"), List.of("e"), "transB", 1L)
        .node("Identity", List.of("e"), List.of("y"))
        .output("y", -1, 5);
  }

  private static OnnxModel quantized(Mode mode, Form form, WeightProducts products) {
    float[] x = new float[144];
    Arrays.fill(x, 1);
    QConfigMapping mapping =
        new QConfigMapping(
            mode, Backend.ONNXRUNTIME_CPU, QConfig.standard().withProducts(products), List.of());
    Map<String, Values> inputs = Map.of("x", new Values(new long[] {1, 4, 6, 6}, x));
    return TestModel.quantize(model().read(), inputs, mapping, form).model();
  }

  @ParameterizedTest
  @EnumSource(Form.class)
  void findsDenseLayersOfTheWholeRange(Form form) {
    List<Layer> layers = Saturation.of(quantized(Mode.STATIC, form, WeightProducts.FULL));
    assertEquals(
        List.of("dense_q", "matrix_q", "gemm_q"), layers.stream().map(Layer::weight).toList());
    for (Layer layer : layers) {
      assertEquals(Where.X86_WITHOUT_VNNI, layer.where());
      assertEquals(255 * 254, layer.largestPair());
    }
    assertEquals(List.of(), Saturation.of(quantized(Mode.STATIC, form, WeightProducts.PORTABLE)));
  }

  @Test
  void convolutionsOfUnsignedWeightsAndStoredOnesAreExact() {
    List<Layer> dynamic = Saturation.of(quantized(Mode.DYNAMIC, Form.QDQ, WeightProducts.FULL));
    assertEquals(List.of("matrix_q", "gemm_q"), dynamic.stream().map(Layer::weight).toList());
    assertEquals("MatMulInteger", dynamic.get(0).opType());
    assertEquals(
        List.of(), Saturation.of(quantized(Mode.WEIGHT_ONLY, Form.QDQ, WeightProducts.FULL)));
  }

  /** A product of integers as others write it. */
  private static OnnxModel foreign(DType data, byte... weight) {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, weight.length)
            .constant("w", new long[] {weight.length, 1}, new float[weight.length])
            .node("MatMul", List.of("x", "w"), List.of("y"))
            .output("y", -1, 1)
            .read();
    Graph graph = model.graph();
    graph.addConstant(Tensor.ofFloats("s", new long[0], 1));
    graph.addConstant(Tensor.ofQuantized("z", data, new long[0], 0));
    graph.addConstant(
        Tensor.ofBytes("wq", ElementType.INT8, new long[] {weight.length, 1}, weight));
    graph.setNodes(
        List.of(
            Node.of("QuantizeLinear", "", List.of("x", "s", "z"), List.of("q")),
            Node.of("MatMulInteger", "product", List.of("q", "wq", "z"), List.of("sums")),
            Node.of("Identity", "", List.of("sums"), List.of("y"))));
    return model;
  }

  @Test
  void foreignModels() {
    byte least = Byte.MIN_VALUE;
    assertEquals(
        List.of(new Layer("MatMulInteger", "product", "wq", Where.X86_WITHOUT_VNNI, 255 * 129)),
        Saturation.of(foreign(DType.UINT8, (byte) 64, (byte) 65)));
    assertEquals(List.of(), Saturation.of(foreign(DType.UINT8, (byte) 64, (byte) 64)));
    // Neighbours are those at even places and the places after them.
    assertEquals(List.of(), Saturation.of(foreign(DType.UINT8, (byte) 1, (byte) 127, (byte) 127)));
    assertEquals(List.of(), Saturation.of(foreign(DType.UINT8, (byte) -127, (byte) 127)));
    // Products of int8 by int8 are exact on x86.
    assertEquals(List.of(), Saturation.of(foreign(DType.INT8, (byte) 127, (byte) 127)));
    List<Layer> wraps = Saturation.of(foreign(DType.UINT8, least, (byte) 0));
    assertEquals(List.of(Where.ARM64), wraps.stream().map(Layer::where).toList());
    List<Layer> both = Saturation.of(foreign(DType.UINT8, least, (byte) -1));
    assertTrue(both.stream().map(Layer::where).toList().containsAll(List.of(Where.values())));
  }
}
