package org.tare.correct;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tare.Sqnr;
import org.tare.infer.TensorTypes;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxChecker;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelObserver;
import org.tare.stats.ChannelStats;
import org.tare.stats.Samples;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

class SmoothQuantTest {
  private static final QConfigMapping STANDARD = new QConfigMapping(QConfig.standard(), List.of());
  private static final int CHANNELS = 16;

  /** 64 rows of which one channel is as many times as large as the others. */
  private static Values rows(float outlier) {
    float[] x = Samples.normal(new Random(1), 64 * CHANNELS);
    for (int i = 3; i < x.length; i += CHANNELS) {
      x[i] *= outlier;
    }
    return new Values(new long[] {64, CHANNELS}, x);
  }

  private static TestModel product() {
    return TestModel.opset(17)
        .input("x", -1, CHANNELS)
        .constant("w", new long[] {CHANNELS, 8}, Samples.normal(new Random(2), CHANNELS * 8));
  }

  private static OnnxModel plain() {
    return product().node("MatMul", List.of("x", "w"), List.of("y")).output("y", -1, 8).read();
  }

  private static CalibrationState state(OnnxModel model, String tensor, Values values) {
    ChannelStats channels = ChannelStats.of(CHANNELS);
    new ChannelObserver(new StatsObserver())
        .observe(channels, values.floats(), 0, values.floats().length, 64, 1);
    TreeMap<String, TensorStats> stats = new TreeMap<>();
    stats.put(tensor, TensorStats.of(values.floats()).with(channels));
    return new CalibrationState(model.digest(), 64, stats);
  }

  private static SmoothQuant.Result smooth(OnnxModel model, String tensor, Values values) {
    return SmoothQuant.choose(
        model, TensorTypes.of(model, "test"), STANDARD, state(model, tensor, values));
  }

  @Test
  void floatModelStaysTheSameToTheLastBit() {
    OnnxModel model = plain();
    Values x = rows(100);
    SmoothQuant.Result smoothed = smooth(model, "x", x);
    assertEquals(1, smoothed.layers().size());
    assertTrue(smoothed.layers().get(0).gain() > 1);
    assertFalse(smoothed.layers().get(0).folded());
    assertArrayEquals(
        TestModel.run(model, Map.of("x", x)).get("y").floats(),
        TestModel.run(smoothed.model(), Map.of("x", x)).get("y").floats());
  }

  @Test
  void quantizedProductGains() {
    OnnxModel model = plain();
    Values x = rows(100);
    float[] exact = TestModel.run(model, Map.of("x", x)).get("y").floats();
    OnnxModel smoothed = smooth(model, "x", x).model();
    double without = Sqnr.of(exact, quantizedRun(model, x));
    double with = Sqnr.of(exact, quantizedRun(smoothed, x));
    assertTrue(with > without + 6, without + " and " + with + " dB");
  }

  @Test
  void attentionGains() {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 8, CHANNELS)
            .constant("w", new long[] {CHANNELS, 24}, small(2, CHANNELS * 24))
            .constant("b", new long[] {24}, small(3, 24))
            .node("Attention", List.of("x", "w", "b"), List.of("y"), "num_heads", 2L)
            .domain(Node.MICROSOFT, "Attention")
            .output("y", -1, 8, 8)
            .read();
    Values x = new Values(new long[] {8, 8, CHANNELS}, rows(100).floats());
    SmoothQuant.Result smoothed = smooth(model, "x", x);
    assertEquals(List.of("Attention_0"), smoothed.layers().get(0).products());
    float[] exact = TestModel.run(model, Map.of("x", x)).get("y").floats();
    assertArrayEquals(exact, TestModel.run(smoothed.model(), Map.of("x", x)).get("y").floats());
    double without = Sqnr.of(exact, integersRun(model, x));
    double with = Sqnr.of(exact, integersRun(smoothed.model(), x));
    assertTrue(with > without + 6, without + " and " + with + " dB");
  }

  /** Values of which the outlier's sums do not drive the softmax to a choice of one. */
  private static float[] small(int seed, int size) {
    float[] values = Samples.normal(new Random(seed), size);
    for (int i = 0; i < size; i++) {
      values[i] *= 0.01f;
    }
    return values;
  }

  private static float[] integersRun(OnnxModel model, Values x) {
    OnnxModel quantized =
        TestModel.quantize(model, Map.of("x", x), STANDARD, Quantization.Form.QOPERATOR).model();
    assertTrue(quantized.graph().nodes().stream().anyMatch(n -> n.opType().equals("QAttention")));
    return TestModel.run(quantized, Map.of("x", x)).get("y").floats();
  }

  private static float[] quantizedRun(OnnxModel model, Values x) {
    OnnxModel quantized = TestModel.quantize(model, Map.of("x", x), STANDARD).model();
    OnnxChecker.check(TestModel.bytes(quantized));
    return TestModel.run(quantized, Map.of("x", x)).get("y").floats();
  }

  @Test
  void nothingIsDoneWithoutOutliersOrStatistics() {
    OnnxModel model = plain();
    assertTrue(smooth(model, "x", rows(1)).layers().isEmpty());
    CalibrationState none =
        new CalibrationState(
            model.digest(), 64, new TreeMap<>(Map.of("x", TensorStats.of(rows(100).floats()))));
    SmoothQuant.Result result =
        SmoothQuant.choose(model, TensorTypes.of(model, "test"), STANDARD, none);
    assertTrue(result.layers().isEmpty());
    assertEquals(model, result.model());
  }

  @Test
  void constantsBeforeTakeTheFactors() {
    OnnxModel model =
        product()
            .constant("gamma", new long[] {CHANNELS}, Samples.normal(new Random(3), CHANNELS))
            .constant("beta", new long[] {CHANNELS}, Samples.normal(new Random(4), CHANNELS))
            .node("Mul", List.of("x", "gamma"), List.of("scaled"))
            .node("Add", List.of("scaled", "beta"), List.of("h"))
            .node("MatMul", List.of("h", "w"), List.of("y"))
            .output("y", -1, 8)
            .read();
    Values x = rows(100);
    Values h = TestModel.run(model.withOutputs(List.of("h")), Map.of("x", x)).get("h");
    SmoothQuant.Result smoothed = smooth(model, "h", h);
    assertEquals(1, smoothed.layers().size());
    assertTrue(smoothed.layers().get(0).folded());
    assertEquals(model.graph().nodes().size(), smoothed.model().graph().nodes().size());
    assertArrayEquals(
        TestModel.run(model, Map.of("x", x)).get("y").floats(),
        TestModel.run(smoothed.model(), Map.of("x", x)).get("y").floats());
  }

  @Test
  void nameTellsTheFactors() {
    OnnxModel model = plain();
    String one = smooth(model, "x", rows(100)).smoothed().get(0);
    assertEquals(one, smooth(model, "x", rows(100)).smoothed().get(0));
    assertFalse(one.equals(smooth(model, "x", rows(2000)).smoothed().get(0)));
  }

  /** A constant [1, 1, C] beside [N, C] gives three axes, with factors too. */
  @Test
  void foldedConstantKeepsItsRank() {
    OnnxModel model =
        product()
            .constant("gamma", new long[] {1, 1, CHANNELS}, Samples.normal(new Random(3), CHANNELS))
            .node("Mul", List.of("x", "gamma"), List.of("h"))
            .node("MatMul", List.of("h", "w"), List.of("y"))
            .output("y", 1, -1, 8)
            .read();
    Values x = rows(100);
    Values h = TestModel.run(model.withOutputs(List.of("h")), Map.of("x", x)).get("h");
    SmoothQuant.Result smoothed = smooth(model, "h", h);
    assertTrue(smoothed.layers().get(0).folded());
    Values expected = TestModel.run(model, Map.of("x", x)).get("y");
    Values actual = TestModel.run(smoothed.model(), Map.of("x", x)).get("y");
    assertArrayEquals(new long[] {1, 64, 8}, actual.shape());
    assertArrayEquals(expected.floats(), actual.floats());
  }

  /** They would round the division by the factors too, and with it what was to be saved. */
  @Test
  void backendsThatRoundEveryResultGetNoFactors() {
    OnnxModel model = plain();
    Values x = rows(100);
    QConfigMapping rounds =
        new QConfigMapping(Mode.STATIC, Backend.ONEDNN, QConfig.standard(), List.of());
    Map<String, TensorType> types = TensorTypes.of(model, "test");
    assertTrue(SmoothQuant.candidates(model, types, rounds).isEmpty());
    assertTrue(SmoothQuant.choose(model, types, rounds, state(model, "x", x)).layers().isEmpty());
  }

  /** Runtimes fuse a Gelu by its 0.5. */
  @Test
  void functionsBeforeProductsKeepTheirConstants() {
    OnnxModel model =
        product()
            .constant("half", new long[0], 0.5f)
            .node("Mul", List.of("x", "half"), List.of("h"))
            .node("MatMul", List.of("h", "w"), List.of("y"))
            .output("y", -1, 8)
            .read();
    Values h = TestModel.run(model.withOutputs(List.of("h")), Map.of("x", rows(100))).get("h");
    SmoothQuant.Result smoothed = smooth(model, "h", h);
    assertFalse(smoothed.layers().get(0).folded());
    assertTrue(smoothed.model().graph().isConstant("half"));
  }

  private static OnnxModel afterArithmetic() {
    return product()
        .constant("gamma", new long[] {CHANNELS}, Samples.normal(new Random(3), CHANNELS))
        .constant("beta", new long[] {CHANNELS}, Samples.normal(new Random(4), CHANNELS))
        .node("Mul", List.of("x", "gamma"), List.of("scaled"))
        .node("Add", List.of("scaled", "beta"), List.of("h"))
        .node("MatMul", List.of("h", "w"), List.of("y"))
        .output("y", -1, 8)
        .read();
  }

  private static float[] values(OnnxModel model, String tensor, Values x) {
    return TestModel.run(model.withOutputs(List.of(tensor)), Map.of("x", x)).get(tensor).floats();
  }

  /** Factors go to a Mul of their own in the one, into constants in the other. */
  @Test
  void dividedValuesAreObservedInTheFloatModel() {
    Values x = rows(100);
    for (OnnxModel model : List.of(plain(), afterArithmetic())) {
      String tensor = model.graph().nodes().size() == 1 ? "x" : "h";
      Values read =
          tensor.equals("x") ? x : new Values(new long[] {64, CHANNELS}, values(model, "h", x));
      SmoothQuant.Result factors = smooth(model, tensor, read);
      OnnxModel observing = SmoothQuant.observing(model, STANDARD, factors);
      String divided = factors.smoothed().get(0);
      assertArrayEquals(values(factors.model(), divided, x), values(observing, divided, x));
      assertArrayEquals(values(model, "y", x), values(observing, "y", x));
      assertEquals(model.digest(), observing.digest());
    }
  }

  /** The state of x whose values were divided by the factors of other rows. */
  private static CalibrationState divided(OnnxModel model, Values x, SmoothQuant.Result factors) {
    OnnxModel observing = SmoothQuant.observing(model, STANDARD, factors);
    CalibrationState state = state(model, "x", x);
    for (SmoothQuant.Layer layer : factors.layers()) {
      float[] values = values(observing, layer.smoothed(), x);
      state.tensors().put(layer.smoothed(), TensorStats.of(values).with(layer.smoothing()));
    }
    return state;
  }

  @Test
  void factorsThatAStateWasMadeWithAreFoundInIt() {
    OnnxModel model = plain();
    Map<String, TensorType> types = TensorTypes.of(model, "test");
    SmoothQuant.Result few = smooth(model, "x", rows(100));
    CalibrationState state = divided(model, rows(2000), few);
    assertFalse(
        few.smoothed().equals(SmoothQuant.choose(model, types, STANDARD, state).smoothed()));
    SmoothQuant.Result found = SmoothQuant.observed(model, types, STANDARD, state);
    assertEquals(few.smoothed(), found.smoothed());
    assertEquals(few.layers().get(0).smoothing(), found.layers().get(0).smoothing());
    assertEquals(List.of(), SmoothQuant.disagreeing(model, STANDARD, state));
    CalibrationState sum = state.merge(divided(model, rows(50), few));
    assertEquals(few.smoothed(), SmoothQuant.observed(model, types, STANDARD, sum).smoothed());
  }

  @Test
  void sumOfStatesWithOtherFactorsHasNone() {
    OnnxModel model = plain();
    Map<String, TensorType> types = TensorTypes.of(model, "test");
    CalibrationState one = divided(model, rows(100), smooth(model, "x", rows(100)));
    CalibrationState other = divided(model, rows(100), smooth(model, "x", rows(2000)));
    CalibrationState sum = one.merge(other);
    assertEquals(3, sum.tensors().size());
    assertEquals(List.of(), SmoothQuant.observed(model, types, STANDARD, sum).layers());
    assertEquals(List.of("x"), SmoothQuant.disagreeing(model, STANDARD, sum));
  }
}
