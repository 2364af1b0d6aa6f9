package org.tare.onnx.beside;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.QConfigMapping.Rule;

class LayerNamesTest {
  private static final int WIDTH = 6;
  private static final List<String> LAYERS = List.of("first", "second/0", "third");

  /** Three products, with what is between them, a residual and an output amid. */
  private static OnnxModel net() {
    Random random = new Random(5);
    TestModel net = TestModel.opset(17).input("x", -1, WIDTH);
    for (String weight : List.of("w1", "w2", "w3")) {
      float[] values = new float[WIDTH * WIDTH];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      net.constant(weight, new long[] {WIDTH, WIDTH}, values);
    }
    return net.node("Tanh", List.of("x"), List.of("before"))
        .node("MatMul", List.of("before", "w1"), List.of("first"))
        .node("Relu", List.of("first"), List.of("after"))
        .node("MatMul", List.of("after", "w2"), List.of("second/0"))
        .node("Add", List.of("second/0", "before"), List.of("sum"))
        .node("MatMul", List.of("sum", "w3"), List.of("third"))
        .output("third", -1, WIDTH)
        .output("after", -1, WIDTH)
        .read();
  }

  private static Values input() {
    float[] x = new float[2 * WIDTH];
    for (int i = 0; i < x.length; i++) {
      x[i] = (i % 5 - 2) / 2f;
    }
    return new Values(new long[] {2, WIDTH}, x);
  }

  /** The layers of the nodes, by operator. */
  private static Map<String, List<Integer>> layers(OnnxModel named) {
    Map<String, List<Integer>> layers = new TreeMap<>();
    for (Node node : named.graph().nodes()) {
      OptionalInt layer = LayerNames.layer(node.name());
      layers
          .computeIfAbsent(node.opType(), type -> new java.util.ArrayList<>())
          .add(layer.orElseThrow());
    }
    return layers;
  }

  @Test
  void aNodeBelongsToTheProductBeforeItAndTheFirstOnesToTheFirst() {
    OnnxModel floats = net();
    OnnxModel named = LayerNames.of(floats, LAYERS, floats);
    assertEquals(
        Map.of(
            "Tanh", List.of(0), "MatMul", List.of(0, 1, 2), "Relu", List.of(0), "Add", List.of(1)),
        layers(named));
    assertEquals(floats.graph().inputNames(), named.graph().inputNames());
    assertEquals(floats.graph().outputNames(), named.graph().outputNames());
  }

  @Test
  void aFormGivesTheSameUnderItsNamesAndItsRoundingsBelongToReaders() {
    OnnxModel floats = net();
    QConfig standard = QConfig.standard();
    Rule asFloat = Rule.byName("second/0", standard.asFloat());
    for (QConfigMapping mapping :
        List.of(
            new QConfigMapping(standard, List.of()),
            new QConfigMapping(standard, List.of(asFloat)))) {
      OnnxModel form = TestModel.quantize(floats, Map.of("x", input()), mapping).model();
      OnnxModel named = LayerNames.of(floats, LAYERS, form);
      Map<String, Values> expected = TestModel.run(form, Map.of("x", input()));
      Map<String, Values> actual = TestModel.run(named, Map.of("x", input()));
      assertEquals(expected.keySet(), actual.keySet());
      expected.forEach(
          (name, values) -> assertArrayEquals(values.floats(), actual.get(name).floats(), name));
      assertEquals(List.of(0, 1, 2), layers(named).get("MatMul"));
      for (Node node : named.graph().nodes()) {
        if (node.opType().equals("DequantizeLinear") && named.graph().isConstant(node.input(0))) {
          String reader = named.graph().consumers().get(node.output(0)).get(0).name();
          assertEquals(LayerNames.layer(reader), LayerNames.layer(node.name()), node.toString());
        }
      }
    }
  }

  @Test
  void namesOfKernelsAreUnderstoodWhereverTheTagStands() {
    assertEquals(OptionalInt.of(12), LayerNames.layer("tare_layer_12/conv_nchwc"));
    assertEquals(OptionalInt.of(3), LayerNames.layer("Fused/tare_layer_3/x_token_4"));
    assertTrue(LayerNames.layer("ReorderInput").isEmpty());
    assertTrue(LayerNames.layer("tare_layer_x/a").isEmpty());
  }
}
