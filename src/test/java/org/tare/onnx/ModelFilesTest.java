package org.tare.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.infer.TensorTypes;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/** Models in one file and in two. */
class ModelFilesTest {
  private static final TestModel.Values X = new TestModel.Values(new long[] {1, 20}, floats(20, 9));

  @TempDir Path folder;

  private static float[] floats(int size, long seed) {
    Random random = new Random(seed);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Two weights of more than 1 KB, a bias below. */
  private static TestModel twoLayers() {
    return TestModel.opset(17)
        .input("x", -1, 20)
        .constant("v", new long[] {20, 30}, floats(600, 1))
        .constant("w", new long[] {30, 20}, floats(600, 2))
        .constant("b", new long[] {20}, floats(20, 3))
        .node("MatMul", List.of("x", "v"), List.of("h"))
        .node("MatMul", List.of("h", "w"), List.of("m"))
        .node("Add", List.of("m", "b"), List.of("y"))
        .output("y", -1, 20);
  }

  private Path write(OnnxModel model, String name) {
    Path file = folder.resolve(name);
    try (OneFileLimit limit = OneFileLimit.of(1000)) {
      model.write(file);
    }
    return file;
  }

  @Test
  void whatFitsIsOneFile() throws IOException {
    OnnxModel model = twoLayers().read();
    Path file = folder.resolve("model.onnx");
    model.write(file);
    assertFalse(Files.exists(folder.resolve("model.onnx.data")));
    assertArrayEquals(TestModel.bytes(model), Files.readAllBytes(file));
    assertEquals(Set.of(), OnnxModel.dataFiles(file));
  }

  @Test
  void largeTensorsStandOnPagesOfTheSecondFile() throws IOException {
    OnnxModel model = twoLayers().read();
    Path file = write(model, "model.onnx");
    ModelProto proto = ModelProto.parseFrom(Files.readAllBytes(file));
    byte[] data = Files.readAllBytes(folder.resolve("model.onnx.data"));
    assertEquals(4096 + 2400, data.length);
    List<TensorProto> stored = proto.getGraph().getInitializerList();
    assertEquals(
        TestModel.externalTensor("w", new long[] {30, 20}, "model.onnx.data", 4096, 2400),
        stored.get(1));
    assertEquals(model.graph().constant("b").orElseThrow().proto(), stored.get(2));
    ByteBuffer bytes = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).position(4096);
    float[] w = new float[600];
    bytes.asFloatBuffer().get(w);
    assertArrayEquals(floats(600, 2), w);
    for (int i = 2400; i < 4096; i++) {
      assertEquals(0, data[i]);
    }
    assertEquals(Set.of("model.onnx.data"), OnnxModel.dataFiles(file));
  }

  @Test
  void comesBackAsItWas() throws IOException {
    OnnxModel model = twoLayers().read();
    Path file = write(model, "model.onnx");
    OnnxModel again = OnnxModel.read(file);
    assertArrayEquals(TestModel.bytes(model), TestModel.bytes(again));
    assertArrayEquals(TestModel.bytes(model), TestModel.bytes(again.copy()));
    assertEquals(Files.size(file) + 2 * 2400, again.sizeBytes());
    assertNotEquals(model.digest(), again.digest());
    assertArrayEquals(
        TestModel.run(model, Map.of("x", X)).get("y").floats(),
        TestModel.run(again, Map.of("x", X)).get("y").floats());
  }

  /** Weights of 80 KB are mapped; their own file can be written anew, and go. */
  @Test
  void mappedTensorsOutliveTheirFile() throws IOException {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 20)
            .constant("w", new long[] {20, 1000}, floats(20_000, 4))
            .node("MatMul", List.of("x", "w"), List.of("y"))
            .output("y", -1, 1000)
            .read();
    Path file = write(model, "model.onnx");
    OnnxModel mapped = OnnxModel.read(file);
    write(mapped, "model.onnx");
    assertArrayEquals(TestModel.bytes(model), TestModel.bytes(OnnxModel.read(file)));
    Files.delete(folder.resolve("model.onnx.data"));
    assertArrayEquals(TestModel.bytes(model), TestModel.bytes(mapped));
    try (var left = Files.list(folder)) {
      assertEquals(List.of(file), left.toList());
    }
  }

  @Test
  void runtimeReadsBothFilesOfGraphsInsideToo() throws IOException {
    TestModel inside =
        TestModel.opset(17)
            .constant("w", new long[] {20, 30}, floats(600, 1))
            .node("MatMul", List.of("x", "w"), List.of("a"))
            .output("a", -1, 30);
    TestModel other =
        TestModel.opset(17)
            .node(
                "Constant",
                List.of(),
                List.of("v"),
                "value",
                Tensor.ofFloats("", new long[] {20, 30}, floats(600, 2)))
            .node("MatMul", List.of("x", "v"), List.of("b"))
            .output("b", -1, 30);
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 20)
            .initializer(Tensor.ofBytes("yes", ElementType.BOOL, new long[0], new byte[] {1}))
            .node("If", List.of("yes"), List.of("y"), "then_branch", inside, "else_branch", other)
            .output("y", -1, 30)
            .read();
    Path file = write(model, "model.onnx");
    assertEquals(4096 + 2400, Files.size(folder.resolve("model.onnx.data")));
    assertArrayEquals(TestModel.bytes(model), TestModel.bytes(OnnxModel.read(file)));
    float[] expected = TestModel.run(model, Map.of("x", X)).get("y").floats();
    float[] actual;
    try (OneFileLimit limit = OneFileLimit.of(1000)) {
      actual = TestModel.run(model, Map.of("x", X)).get("y").floats();
    }
    assertArrayEquals(expected, actual);
  }

  /** A net of two weights, and a table of numbers that is looked up. */
  private static OnnxModel withATable() {
    return TestModel.opset(17)
        .input("x", -1, 600)
        .constant("w", new long[] {600, 600}, floats(360_000, 1))
        .constant("v", new long[] {600, 700}, floats(420_000, 1))
        .initializer(Tensor.ofLongs("table", new long[] {200_000}, new long[200_000]))
        .scalar("first", 0)
        .longs("shape", 0, 7, -1)
        .node("MatMul", List.of("x", "w"), List.of("h"))
        .node("MatMul", List.of("h", "v"), List.of("m"))
        .node("Gather", List.of("table", "first"), List.of("place"))
        .node("Gather", List.of("v", "place"), List.of("row"))
        .node("Add", List.of("m", "row"), List.of("moved"))
        .node("Reshape", List.of("moved", "shape"), List.of("y"))
        .output("y", -1, 7, 100)
        .read();
  }

  @Test
  void typesNeedNoValues() throws IOException {
    OnnxModel model = withATable();
    Map<String, TensorType> expected = TensorTypes.of(model, "m");
    assertEquals(Set.of("x", "h", "m", "place", "row", "moved", "y"), expected.keySet());
    assertArrayEquals(new long[] {-1, 7, 100}, expected.get("y").shape());
    Path file = folder.resolve("types.onnx");
    model.writeTypes(file);
    assertEquals(8 * 200_000, Files.size(file), 10_000);
    assertFalse(Files.exists(folder.resolve("types.onnx.data")));
    try (OneFileLimit limit = OneFileLimit.of(1000)) {
      model.writeTypes(file);
      assertEquals(expected.keySet(), TensorTypes.of(model, "m").keySet());
      assertArrayEquals(expected.get("y").shape(), TensorTypes.of(model, "m").get("y").shape());
    }
    assertTrue(Files.size(file) < 10_000);
    assertEquals(8 * 200_000, Files.size(folder.resolve("types.onnx.data")));
  }

  @Test
  void weightsThatARuntimeIsToCheckStayWhereTypesAreAsked() {
    TensorProto wrong =
        TensorProto.newBuilder()
            .setName("w")
            .setDataType(ElementType.FLOAT32.code())
            .addDims(601)
            .addDims(600)
            .setRawData(ByteString.copyFrom(new byte[4 * 600 * 600]))
            .build();
    ModelProto model =
        ModelProto.newBuilder()
            .setGraph(
                GraphProto.newBuilder()
                    .addInput(ValueInfoProto.newBuilder().setName("x"))
                    .addInput(ValueInfoProto.newBuilder().setName("default"))
                    .addInitializer(wrong)
                    .addInitializer(wrong.toBuilder().setDims(0, 600).setName("default"))
                    .addInitializer(wrong.toBuilder().setDims(0, 600).setName("result"))
                    .addInitializer(wrong.toBuilder().setDims(0, 600).setName("v"))
                    .addInitializer(wrong.toBuilder().setDims(0, Long.MAX_VALUE).setName("huge"))
                    .addOutput(ValueInfoProto.newBuilder().setName("result")))
            .build();
    GraphProto typed = ModelFiles.weightsAsInputs(model, 1000).getGraph();
    assertEquals(
        List.of("w", "default", "result", "huge"),
        typed.getInitializerList().stream().map(TensorProto::getName).toList());
    assertEquals(
        List.of("x", "default", "v"),
        typed.getInputList().stream().map(ValueInfoProto::getName).toList());
  }

  @Test
  void filesOfAModelAreTheSameEachTime() throws IOException {
    OnnxModel model = twoLayers().read();
    try (OneFileLimit limit = OneFileLimit.of(1000)) {
      List<ModelFile> files = model.files("a.onnx", "other.bin");
      assertEquals(List.of("a.onnx", "other.bin"), files.stream().map(ModelFile::name).toList());
      for (ModelFile file : files) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        file.writeTo(out);
        assertEquals(file.sizeBytes(), out.size());
        assertEquals(file.sha256(), file.sha256());
      }
    }
  }
}
