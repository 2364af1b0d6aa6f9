package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.infer.TensorTypes;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.oracle.Oracle;
import org.tare.prepare.FloatPasses;
import org.tare.train.OperatorChecks.Case;
import org.tare.train.torch.Libtorch;
import org.tare.train.torch.Tensors;

/** Layers with BatchNormalization on libtorch, as they are and folded, against PyTorch's. */
class RecordedLayersTest {
  /** A recorded layer. */
  private record Layer(JsonNode recorded) {
    Case asCase() {
      JsonNode x = recorded.path("x");
      return new Case(
          recorded.path("name").asText(),
          model(),
          Map.of("x", new Values(longs(x.path("shape")), floats(x.path("data"), 0))));
    }

    private OnnxModel model() {
      long[] shape = longs(recorded.path("weight_shape"));
      int channels = recorded.path("bn_mean").size();
      boolean isLinear = recorded.path("linear").asBoolean();
      String op =
          isLinear ? "Gemm" : recorded.path("transpose").asBoolean() ? "ConvTranspose" : "Conv";
      List<String> read = new ArrayList<>(List.of("x", "w"));
      TestModel model =
          TestModel.opset(17)
              .input("x", longs(recorded.path("x").path("shape")))
              .constant("w", shape, floats(recorded.path("weight"), 0))
              .constant("g", new long[] {channels}, ofChannels("bn_weight", channels, 1))
              .constant("b", new long[] {channels}, ofChannels("bn_bias", channels, 0))
              .constant("m", new long[] {channels}, ofChannels("bn_mean", channels, 0))
              .constant("v", new long[] {channels}, ofChannels("bn_var", channels, 0));
      if (!recorded.path("bias").isNull()) {
        read.add("c");
        model.constant("c", new long[] {channels}, ofChannels("bias", channels, 0));
      }
      List<Object> attributes = new ArrayList<>();
      if (isLinear) {
        attributes.addAll(List.of("transB", 1L));
      } else {
        long[] padding = longs(recorded.path("padding"));
        long[] pads = Arrays.copyOf(padding, 2 * padding.length);
        System.arraycopy(padding, 0, pads, padding.length, padding.length);
        attributes.addAll(List.of("pads", pads, "group", recorded.path("groups").asLong()));
        attributes.addAll(List.of("strides", longs(recorded.path("stride"))));
        attributes.addAll(List.of("dilations", longs(recorded.path("dilation"))));
      }
      if (recorded.has("output_padding")) {
        attributes.addAll(List.of("output_padding", longs(recorded.path("output_padding"))));
      }
      return model
          .node(op, read, List.of("l"), attributes.toArray())
          .node(
              "BatchNormalization",
              List.of("l", "g", "b", "m", "v"),
              List.of("y"),
              "epsilon",
              (float) recorded.path("bn_eps").asDouble())
          .output("y")
          .read();
    }

    private float[] ofChannels(String name, int channels, float absent) {
      float[] values = new float[channels];
      Arrays.fill(values, absent);
      return recorded.path(name).isNull() ? values : floats(recorded.path(name), channels);
    }

    @Override
    public String toString() {
      return recorded.path("name").asText();
    }
  }

  private static float[] floats(JsonNode list, int wanted) {
    float[] values = new float[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) list.get(i).asDouble();
    }
    assertEquals(wanted == 0 ? values.length : wanted, values.length);
    return values;
  }

  private static long[] longs(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).mapToLong(JsonNode::asLong).toArray();
  }

  static Stream<Layer> layers() {
    JsonNode cases = Oracle.read("bn_folding.json").path("cases");
    return StreamSupport.stream(cases.spliterator(), false)
        .filter(one -> one.has("y_unfused"))
        .map(Layer::new);
  }

  @ParameterizedTest
  @MethodSource("layers")
  void layersComputeAsRecorded(Layer layer) {
    Case one = layer.asCase();
    holds(layer, "y_unfused", one.model(), one);
    OnnxModel folded = FloatPasses.prepare(one.model());
    assertEquals(1, folded.graph().nodes().size());
    holds(layer, layer.recorded().has("y_fused") ? "y_fused" : "y_unfused", folded, one);
  }

  @ParameterizedTest
  @MethodSource("layers")
  void keptNormalizationsWithRunningStatisticsComputeAsRecorded(Layer layer) {
    Case one = layer.asCase();
    OnnxModel folded = FloatPasses.prepare(one.model());
    TrainedModel trained =
        TrainedModel.of(
            layer.toString(),
            folded,
            TensorTypes.of(folded, "test"),
            SimulationTest.mapping(8, 8),
            Untrainable.REFUSED,
            FloatPasses.foldedBatchNormalizations(one.model(), x -> TensorTypes.of(x, "test")));
    assertEquals(1, trained.keptNormalizations().size());
    OnnxModel again = trained.with(trained.initialState());
    holds(layer, layer.recorded().has("y_fused") ? "y_fused" : "y_unfused", again, one);
  }

  private static void holds(Layer layer, String name, OnnxModel model, Case one) {
    Libtorch.load();
    JsonNode y = layer.recorded().path(name);
    float[] expected = floats(y.path("data"), 0);
    float greatest = 1;
    for (float value : expected) {
      greatest = Math.max(greatest, Math.abs(value));
    }
    try (PointerScope scope = new PointerScope();
        TorchGraph graph = new TorchGraph(model, OperatorChecks.NO_PLACES)) {
      Values x = one.inputs().get("x");
      Tensor actual = graph.run(Map.of("x", Tensors.tensor(x.floats(), x.shape()))).get("y");
      assertArrayEquals(longs(y.path("shape")), actual.shape());
      assertArrayEquals(expected, Tensors.floats(actual), 1e-6f * greatest, name);
    }
  }

  @ParameterizedTest
  @MethodSource("layers")
  void gradientsAreThoseOfDifferences(Layer layer) {
    OperatorChecks.holdAgainstDifferences(layer.asCase());
  }
}
