package org.tare.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.SymbolicShapes.Size;
import org.tare.onnx.TestModel.Values;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.TensorShapeProto.Dimension;
import org.tare.onnx.proto.Onnx.ValueInfoProto;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.rewrite.RandomModel;
import org.tare.stats.Samples;

/** Symbolic shapes against those that ONNX Runtime gives when it runs the model. */
class SymbolicShapesTest {
  @TempDir Path folder;

  /** Numbers are the sizes, and equal names stand for equal sizes, in every tensor of the run. */
  private static int check(Map<String, List<Size>> shapes, Map<String, Values> run, String what) {
    Map<String, Long> bound = new HashMap<>();
    int names = 0;
    for (Map.Entry<String, Values> entry : run.entrySet()) {
      List<Size> shape = shapes.get(entry.getKey());
      if (shape == null) {
        continue;
      }
      long[] found = entry.getValue().shape();
      String where = what + ", tensor " + entry.getKey() + " " + shape;
      assertEquals(found.length, shape.size(), where);
      for (int i = 0; i < found.length; i++) {
        Size size = shape.get(i);
        if (size.isNumber()) {
          assertEquals(found[i], size.number(), where);
        } else {
          names++;
          long before = bound.getOrDefault(size.name(), found[i]);
          assertEquals(before, found[i], where);
          bound.put(size.name(), found[i]);
        }
      }
    }
    return names;
  }

  private static Map<String, Values> runAll(OnnxModel model, Map<String, Values> given) {
    List<String> floats =
        TensorTypes.of(model, "m").entrySet().stream()
            .filter(entry -> entry.getValue().elementType() == ElementType.FLOAT32)
            .map(Map.Entry::getKey)
            .filter(tensor -> !model.graph().isInput(tensor))
            .toList();
    return TestModel.run(model.withOutputs(floats), given);
  }

  /**
   * The model with one name for half of the sizes of an input, as bad exporters write it. That one
   * name stands for different sizes of two inputs is nothing that a model shows.
   */
  private static byte[] named(byte[] bytes, Random random) throws IOException {
    ModelProto.Builder model = ModelProto.parseFrom(bytes).toBuilder();
    GraphProto.Builder graph = model.getGraphBuilder();
    for (ValueInfoProto.Builder input : graph.getInputBuilderList()) {
      for (Dimension.Builder size :
          input.getTypeBuilder().getTensorTypeBuilder().getShapeBuilder().getDimBuilderList()) {
        if (random.nextBoolean()) {
          size.setDimParam("N_" + input.getName());
        }
      }
    }
    // What the model says of its outputs may be numbers that do not follow any more.
    graph
        .getOutputBuilderList()
        .forEach(output -> output.getTypeBuilder().getTensorTypeBuilder().clearShape());
    return model.build().toByteArray();
  }

  @Test
  void holdInRandomModels() throws IOException {
    int names = 0;
    int known = 0;
    for (long seed = 1; seed <= 150; seed++) {
      Random random = new Random(seed);
      RandomModel made = new RandomModel(random);
      Path file = folder.resolve("model.onnx");
      Files.write(file, named(made.bytes(), random));
      OnnxModel model = OnnxModel.read(file);
      Map<String, List<Size>> shapes = SymbolicShapes.of(model.graph());
      Map<String, Values> run;
      try {
        run = runAll(model, made.inputs());
      } catch (TareException e) {
        // Some of these models are none: an index out of bounds, say.
        continue;
      }
      names += check(shapes, run, "seed " + seed);
      known += shapes.size();
    }
    assertTrue(names > 150 && known > 400, names + " names in " + known + " tensors");
  }

  /** Self-attention as exporters write it: sizes go through Shape, Gather, Concat and Reshape. */
  private static OnnxModel attention() {
    Random random = new Random(1);
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, -1, 8)
            .constant("scale", new long[] {8}, Samples.normal(random, 8))
            .constant("shift", new long[] {8}, Samples.normal(random, 8));
    for (String name : List.of("q", "k", "v", "o")) {
      model
          .constant("w" + name, new long[] {8, 8}, Samples.normal(random, 64))
          .constant("b" + name, new long[] {8}, Samples.normal(random, 8));
    }
    model
        .scalar("zero", 0)
        .scalar("one", 1)
        .longs("axis0", 0)
        .longs("heads", 2, 4)
        .longs("whole", 8)
        .node("Shape", List.of("x"), List.of("shape"))
        .node("Gather", List.of("shape", "zero"), List.of("b"))
        .node("Gather", List.of("shape", "one"), List.of("s"))
        .node("Unsqueeze", List.of("b", "axis0"), List.of("b1"))
        .node("Unsqueeze", List.of("s", "axis0"), List.of("s1"))
        .node("Concat", List.of("b1", "s1", "heads"), List.of("split"), "axis", 0L)
        .node("Concat", List.of("b1", "s1", "whole"), List.of("join"), "axis", 0L);
    for (String name : List.of("q", "k", "v")) {
      model
          .node("MatMul", List.of("x", "w" + name), List.of("m" + name))
          .node("Add", List.of("m" + name, "b" + name), List.of("a" + name))
          .node("Reshape", List.of("a" + name, "split"), List.of("r" + name))
          .node(
              "Transpose",
              List.of("r" + name),
              List.of("t" + name),
              "perm",
              name.equals("k") ? new long[] {0, 2, 3, 1} : new long[] {0, 2, 1, 3});
    }
    return model
        .node("MatMul", List.of("tq", "tk"), List.of("scores"))
        .node("Softmax", List.of("scores"), List.of("p"), "axis", -1L)
        .node("MatMul", List.of("p", "tv"), List.of("c"))
        .node("Transpose", List.of("c"), List.of("ct"), "perm", new long[] {0, 2, 1, 3})
        .node("Reshape", List.of("ct", "join"), List.of("context"))
        .node("MatMul", List.of("context", "wo"), List.of("mo"))
        .node("Add", List.of("mo", "bo"), List.of("ao"))
        .node("Add", List.of("ao", "x"), List.of("sum"))
        .node("LayerNormalization", List.of("sum", "scale", "shift"), List.of("n"), "axis", -1L)
        .node("MatMul", List.of("n", "wq"), List.of("f"))
        .node("Add", List.of("f", "n"), List.of("second"))
        .node("LayerNormalization", List.of("second", "scale", "shift"), List.of("y"), "axis", -1L)
        .output("y", -1, -1, 8)
        .read();
  }

  @Test
  void followSizesThroughAttention() {
    OnnxModel model = attention();
    Map<String, List<Size>> shapes = SymbolicShapes.of(model.graph());
    assertEquals(shapes.get("x"), shapes.get("ao"));
    assertEquals(shapes.get("x"), shapes.get("y"));
    Size batch = shapes.get("x").get(0);
    Size length = shapes.get("x").get(1);
    assertEquals(List.of(batch, Size.of(2), length, length), shapes.get("p"));
    for (long[] sizes : new long[][] {{1, 1}, {2, 5}, {3, 2}}) {
      float[] x = Samples.normal(new Random(2), (int) (sizes[0] * sizes[1] * 8));
      Map<String, Values> given = Map.of("x", new Values(new long[] {sizes[0], sizes[1], 8}, x));
      check(shapes, runAll(model, given), sizes[0] + " by " + sizes[1]);
    }
  }

  /** Names are taken for sizes unless a model shows that it has one for all. */
  @Test
  void namesOfTheModel() {
    assertEquals(List.of("batch", "length", "batch", "length"), namesOf("batch", "length"));
    List<String> own = namesOf("N", "N");
    assertEquals(4, own.stream().distinct().count(), own.toString());
  }

  private static List<String> namesOf(String first, String second) {
    GraphProto.Builder graph = GraphProto.newBuilder();
    for (String name : List.of("x", "y")) {
      ValueInfoProto.Builder input = graph.addInputBuilder().setName(name);
      for (String size : List.of(first, second)) {
        input
            .getTypeBuilder()
            .getTensorTypeBuilder()
            .getShapeBuilder()
            .addDimBuilder()
            .setDimParam(size);
      }
    }
    Map<String, List<Size>> shapes = SymbolicShapes.of(new Graph(graph.build()));
    return Stream.of("x", "y").flatMap(t -> shapes.get(t).stream()).map(Size::name).toList();
  }

  /** Only what residual additions add is declared, and the model stays what it was. */
  @Test
  void residualAdditionsAreDeclared() {
    OnnxModel model = attention();
    Map<String, TensorType> types = TensorTypes.of(model, "m");
    QConfigMapping mapping =
        new QConfigMapping(
            Mode.DYNAMIC,
            Backend.ONNXRUNTIME_CPU,
            Backend.ONNXRUNTIME_CPU.standard(Mode.DYNAMIC),
            List.of());
    QuantizedModel quantized =
        Quantization.quantize(
            model, types, mapping, Quantization.Form.QDQ, Optional.empty(), Map.of());
    Map<String, Values> given =
        Map.of("x", new Values(new long[] {2, 5, 8}, Samples.normal(new Random(2), 80)));
    float[] before = TestModel.run(quantized.model(), given).get("y").floats();
    assertEquals(List.of(), declared(quantized.model()));
    Quantization.declareShapes(quantized, model, types);
    assertEquals(List.of("ao", "f", "n"), declared(quantized.model()));
    OnnxChecker.check(TestModel.bytes(quantized.model()));
    float[] after = TestModel.run(quantized.model(), given).get("y").floats();
    for (int i = 0; i < before.length; i++) {
      assertEquals(before[i], after[i], 1e-5f * Math.max(1, Math.abs(before[i])));
    }
  }

  private static List<String> declared(OnnxModel model) {
    return model.graph().toProto().getValueInfoList().stream()
        .map(ValueInfoProto::getName)
        .sorted()
        .toList();
  }
}
