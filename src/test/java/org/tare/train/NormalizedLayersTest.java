package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.tare.train.OperatorChecks.random;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.Sqnr;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.ChosenRanges;
import org.tare.prepare.FloatPasses;
import org.tare.prepare.FoldedBatchNormalization;
import org.tare.qconfig.QConfigMapping;
import org.tare.quant.QParams;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.stats.CalibrationState;
import org.tare.train.torch.Libtorch;
import org.tare.train.torch.Tensors;
import org.tare.train.torch.TorchOperators;

/** Layers with a BatchNormalization that is kept, against PyTorch's own and against differences. */
class NormalizedLayersTest {
  private static final float EPSILON = 1e-3f;

  @BeforeAll
  static void load() {
    Libtorch.load();
  }

  /** A layer of a kind, with what it reads and the axis of its channels in the weight. */
  private record Layer(
      String op, long[] input, long[] weight, int channels, boolean hasBias, Object... attributes) {
    float[] x() {
      return random(1, size(input));
    }

    float[] gamma() {
      float[] gamma = random(3, channels);
      gamma[0] = -0.7f;
      return gamma;
    }

    float[] variance() {
      float[] variance = random(4, channels);
      for (int c = 0; c < channels; c++) {
        variance[c] = 0.3f + variance[c] * variance[c];
      }
      return variance;
    }

    OnnxModel model() {
      return model(random(2, size(weight)), gamma());
    }

    OnnxModel model(float[] w, float[] gamma) {
      long[] each = {channels};
      List<String> read = new ArrayList<>(List.of("x", "w"));
      TestModel model =
          TestModel.opset(17)
              .input("x", input)
              .constant("w", weight, w)
              .constant("gamma", each, gamma)
              .constant("beta", each, random(5, channels))
              .constant("mean", each, random(6, channels))
              .constant("variance", each, variance());
      if (hasBias) {
        read.add("c");
        model.constant("c", each, random(7, channels));
      }
      return model
          .node(op, read, List.of("l"), attributes)
          .node(
              "BatchNormalization",
              List.of("l", "gamma", "beta", "mean", "variance"),
              List.of("y"),
              "epsilon",
              EPSILON)
          .output("y")
          .read();
    }

    @Override
    public String toString() {
      return op + Arrays.toString(weight) + Arrays.toString(attributes);
    }
  }

  private static int size(long... shape) {
    return (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
  }

  static Stream<Layer> layers() {
    return Stream.of(
        new Layer("Conv", new long[] {3, 2, 4, 4}, new long[] {5, 2, 3, 3}, 5, true),
        new Layer("Conv", new long[] {2, 4, 6}, new long[] {6, 2, 3}, 6, false, "group", 2L),
        new Layer("Conv", new long[] {2, 3, 5, 5}, new long[] {3, 1, 3, 3}, 3, true, "group", 3L),
        new Layer("ConvTranspose", new long[] {2, 3, 3, 3}, new long[] {3, 4, 2, 2}, 4, true),
        new Layer(
            "ConvTranspose", new long[] {2, 4, 5}, new long[] {4, 3, 2}, 6, false, "group", 2L),
        new Layer("Gemm", new long[] {6, 4}, new long[] {4, 3}, 3, true),
        new Layer("Gemm", new long[] {6, 4}, new long[] {3, 4}, 3, true, "transB", 1L),
        new Layer("Gemm", new long[] {6, 4}, new long[] {4, 3}, 3, false, "alpha", 0.5f));
  }

  private static List<FoldedBatchNormalization> folded(OnnxModel model) {
    return FloatPasses.foldedBatchNormalizations(model, older -> TensorTypes.of(older, "test"));
  }

  private static TrainedModel trained(OnnxModel model) {
    OnnxModel prepared = FloatPasses.prepare(model);
    return TrainedModel.of(
        "m.onnx",
        prepared,
        TensorTypes.of(prepared, "test"),
        SimulationTest.mapping(4, 8),
        Untrainable.REFUSED,
        folded(model));
  }

  /** One step of one layer: what it gives, and the gradients of a random sum of it. */
  private record Stepped(float[] y, long[] shape, TrainingState state, float[][] gradients) {
    static Stepped of(TrainedModel trained, Layer layer, boolean ofBatch, float[] rounding) {
      TrainingState state = trained.initialState();
      Places places = trained.places();
      NormalizedLayers layers = new NormalizedLayers("m.onnx", places);
      try (PointerScope scope = new PointerScope();
          TorchGraph graph = new TorchGraph(trained.model(), places)) {
        NormalizedLayers.Step step =
            ofBatch ? layers.withBatchStatistics(state) : layers.withRunningStatistics(state);
        List<float[]> rounded = new ArrayList<>(List.of(layers.folded(state)));
        float[] weight = rounded.get(0).clone();
        for (int i = 0; i < weight.length; i++) {
          weight[i] += rounding[i];
        }
        rounded.set(0, weight);
        Map<String, Tensor> given = new HashMap<>();
        List<Tensor> leaves = new ArrayList<>();
        for (int p = 0; p < rounded.size(); p++) {
          String parameter = places.parameters().get(p);
          long[] shape = graph.shapeOf(parameter);
          float[] values = rounded.get(p);
          Tensor leaf =
              step.given(p, shape)
                  .orElseGet(() -> Tensors.tensor(values, shape).set_requires_grad(true));
          leaves.add(leaf);
          given.put(parameter, leaf);
        }
        Tensor y =
            graph
                .run(
                    Map.of("x", Tensors.tensor(layer.x(), layer.input())),
                    given,
                    Optional.empty(),
                    ActivationRounding.FIXED,
                    step.after(rounded))
                .get("y");
        weighted(y, torch.ScalarType.Float).backward();
        float[][] gradients = new float[state.values().length][];
        for (int p = 0; p < leaves.size(); p++) {
          Tensor found = leaves.get(p).grad();
          gradients[p] = found.defined() ? Tensors.floats(found) : new float[rounded.get(p).length];
        }
        step.backward(gradients);
        return new Stepped(Tensors.floats(y), y.shape(), state, gradients);
      }
    }
  }

  private static Tensor weighted(Tensor y, torch.ScalarType type) {
    Tensor weights = Tensors.tensor(random(9, Math.toIntExact(y.numel())), y.shape());
    return y.mul(weights.to(type)).sum();
  }

  private static float greatest(float[] values) {
    float greatest = 1;
    for (float value : values) {
      greatest = Math.max(greatest, Math.abs(value));
    }
    return greatest;
  }

  /** Weights, gamma, beta, running mean and variance in a state of one layer. */
  private static final int W = 0, B = 1, GAMMA = 2, MEAN = 3, VARIANCE = 4;

  /** Without rounding it is PyTorch's layer with PyTorch's BatchNorm in training. */
  @ParameterizedTest
  @MethodSource("layers")
  void withBatchStatisticsItIsPyTorchsBatchNorm(Layer layer) {
    OnnxModel model = layer.model();
    TrainedModel trained = trained(model);
    assertEquals(List.of("BatchNormalization_1"), trained.keptNormalizations());
    Stepped found = Stepped.of(trained, layer, true, new float[size(layer.weight())]);
    try (PointerScope scope = new PointerScope()) {
      Tensor x = Tensors.tensor(layer.x(), layer.input());
      Tensor w = Tensors.tensor(random(2, size(layer.weight())), layer.weight());
      w.set_requires_grad(true);
      Tensor gamma = leaf(layer.gamma());
      Tensor beta = leaf(random(5, layer.channels()));
      Tensor mean = Tensors.tensor(random(6, layer.channels()), layer.channels());
      Tensor variance = Tensors.tensor(layer.variance(), layer.channels());
      List<Tensor> inputs = new ArrayList<>(List.of(x, w));
      if (layer.hasBias()) {
        inputs.add(Tensors.tensor(random(7, layer.channels()), layer.channels()));
      }
      Tensor y =
          torch.batch_norm(
              TorchOperators.run(model.graph().nodes().get(0), inputs).get(0),
              new TensorOptional(gamma),
              new TensorOptional(beta),
              new TensorOptional(mean),
              new TensorOptional(variance),
              true,
              0.1,
              EPSILON,
              false);
      weighted(y, torch.ScalarType.Float).backward();
      assertArrayEquals(y.shape(), found.shape());
      assertSame(Tensors.floats(y), found.y(), "y");
      assertSame(Tensors.floats(mean), found.state().values()[MEAN], "mean");
      assertSame(Tensors.floats(variance), found.state().values()[VARIANCE], "variance");
      // Gemm's alpha is part of the weight that is trained.
      float alpha = layer.attributes().length > 0 && layer.attributes()[0].equals("alpha") ? 2 : 1;
      float[] ofWeight = Tensors.floats(w.grad());
      for (int i = 0; i < ofWeight.length; i++) {
        ofWeight[i] *= alpha;
      }
      assertSame(ofWeight, found.gradients()[W], "gradient of w");
      assertSame(Tensors.floats(gamma.grad()), found.gradients()[GAMMA], "gradient of gamma");
      assertSame(Tensors.floats(beta.grad()), found.gradients()[B], "gradient of beta");
      assertEquals(null, found.gradients()[MEAN]);
      assertEquals(null, found.gradients()[VARIANCE]);
    }
  }

  private static Tensor leaf(float[] values) {
    return Tensors.tensor(values, values.length).set_requires_grad(true);
  }

  /** Sums of some hundred float32 products. */
  private static void assertSame(float[] expected, float[] actual, String what) {
    assertArrayEquals(expected, actual, 2e-5f * greatest(expected), what);
  }

  /**
   * The sum as a function of weight, gamma and beta in double. Rounding is a number that is added
   * to the folded weight: then its gradient is that of the identity.
   */
  private static double sum(
      TrainedModel trained, Layer layer, boolean ofBatch, float[] rounding, double[][] values) {
    NormalizedLayer kept = trained.places().normalized().get(0);
    TrainingState begin = trained.initialState();
    int channels = layer.channels();
    double[] deviations = kept.deviations(begin.values()[VARIANCE]);
    float[] mean = begin.values()[MEAN];
    double[] weight = values[W].clone();
    double[] bias = new double[channels];
    double[] inverse = new double[channels];
    for (int c = 0; c < channels; c++) {
      double factor = values[GAMMA][c] / deviations[c];
      inverse[c] = 1 / factor;
      bias[c] = (kept.offsets()[c] - mean[c]) * factor + values[B][c];
    }
    for (int i = 0; i < weight.length; i++) {
      int c = kept.channels().of(i);
      weight[i] = weight[i] * values[GAMMA][c] / deviations[c] + rounding[i];
    }
    Tensor x = Tensors.tensor(layer.x(), layer.input()).to(torch.ScalarType.Double);
    long[] shape =
        trained.model().graph().constant(trained.places().parameters().get(0)).get().shape();
    List<Tensor> read = new ArrayList<>(List.of(x, Tensor.create(weight, shape)));
    if (!ofBatch) {
      read.add(Tensor.create(bias, channels));
    }
    Tensor y = TorchOperators.run(trained.model().graph().nodes().get(0), read).get(0);
    if (ofBatch) {
      long[] spread = new long[(int) y.dim()];
      Arrays.fill(spread, 1);
      spread[1] = channels;
      y =
          torch.batch_norm(
              y.mul(Tensor.create(inverse, spread)),
              new TensorOptional(Tensor.create(values[GAMMA], channels)),
              new TensorOptional(Tensor.create(values[B], channels)),
              new TensorOptional(),
              new TensorOptional(),
              true,
              0,
              EPSILON,
              false);
    }
    return weighted(y, torch.ScalarType.Double).item_double();
  }

  @ParameterizedTest
  @MethodSource("layers")
  void gradientsAreThoseOfDifferencesInDouble(Layer layer) {
    TrainedModel trained = trained(layer.model());
    float[] rounding = random(8, size(layer.weight()));
    for (int i = 0; i < rounding.length; i++) {
      rounding[i] *= 0.05f;
    }
    for (boolean ofBatch : new boolean[] {true, false}) {
      float[][] gradients = Stepped.of(trained, layer, ofBatch, rounding).gradients();
      float[][] begin = trained.initialState().values();
      for (int array : new int[] {W, B, GAMMA}) {
        float[] direction = random(20 + array, begin[array].length);
        double expected = 0;
        double terms = 1;
        for (int i = 0; i < direction.length; i++) {
          expected += (double) gradients[array][i] * direction[i];
          terms += Math.abs((double) gradients[array][i] * direction[i]);
        }
        double step = 1e-5;
        double[] ends = new double[2];
        for (int end = 0; end < 2; end++) {
          double[][] moved = new double[3][];
          for (int k = 0; k < 3; k++) {
            moved[k] = new double[begin[k].length];
            for (int i = 0; i < moved[k].length; i++) {
              double along = k == array ? (1 - 2 * end) * step * direction[i] : 0;
              moved[k][i] = begin[k][i] + along;
            }
          }
          try (PointerScope scope = new PointerScope()) {
            ends[end] = sum(trained, layer, ofBatch, rounding, moved);
          }
        }
        // The gradients are sums of float32.
        assertEquals(
            expected, (ends[0] - ends[1]) / (2 * step), 2e-5 * terms, array + ", " + ofBatch);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("layers")
  void whatFoldingGaveIsGivenBackToTheBit(Layer layer) {
    TrainedModel trained = trained(layer.model());
    boolean hasFactor = layer.attributes().length > 0 && layer.attributes()[0].equals("alpha");
    OnnxModel again = trained.with(trained.initialState());
    for (String parameter : trained.places().parameters()) {
      float[] expected = trained.model().graph().floatConstant(parameter).orElseThrow();
      float[] actual = again.graph().floatConstant(parameter).orElseThrow();
      // Gemm's alpha is multiplied with the weight before the rest is, not at once.
      assertArrayEquals(expected, actual, hasFactor ? 1e-6f : 0f, parameter);
    }
  }

  /** What was trained, folded as the passes fold it in a model that has it unfolded. */
  @ParameterizedTest
  @MethodSource("layers")
  void whatWasTrainedIsFoldedAsTheModelItselfWouldBe(Layer layer) {
    TrainedModel trained = trained(layer.model());
    if (layer.attributes().length > 0 && layer.attributes()[0].equals("alpha")) {
      return;
    }
    TrainingState state = trained.initialState();
    for (int k = 0; k < state.values().length; k++) {
      for (int i = 0; i < state.values()[k].length; i++) {
        state.values()[k][i] *= 1.1f + 0.01f * i;
      }
    }
    OnnxModel changed = layer.model().copy();
    String[] names = {"w", "beta", "gamma", "mean", "variance"};
    for (int k = 0; k < names.length; k++) {
      long[] shape = changed.graph().constant(names[k]).orElseThrow().shape();
      changed.graph().removeConstant(names[k]);
      changed
          .graph()
          .addConstant(org.tare.onnx.Tensor.ofFloats(names[k], shape, state.values()[k]));
    }
    OnnxModel expected = FloatPasses.prepare(changed);
    OnnxModel actual = trained.with(state);
    for (int input = 1; input <= 2; input++) {
      String name = expected.graph().nodes().get(0).input(input);
      assertArrayEquals(
          expected.graph().floatConstant(name).orElseThrow(),
          actual.graph().floatConstant(name).orElseThrow(),
          name);
    }
  }

  @Test
  void channelsThatSayNothingKeepTheirStatistics() {
    Layer layer = new Layer("Conv", new long[] {2, 2, 4, 4}, new long[] {3, 2, 1, 1}, 3, true);
    float[] w = random(2, 6);
    // The second channel has no weight, the third a gamma of 0.
    w[2] = 0;
    w[3] = 0;
    TrainedModel trained = trained(layer.model(w, new float[] {0.5f, 0.8f, 0f}));
    Stepped found = Stepped.of(trained, layer, true, new float[6]);
    float[][] before = trained.initialState().values();
    float[][] after = found.state().values();
    for (int c = 0; c < 3; c++) {
      assertEquals(c > 0, before[MEAN][c] == after[MEAN][c], "mean " + c);
      assertEquals(c > 0, before[VARIANCE][c] == after[VARIANCE][c], "variance " + c);
    }
    for (float[] gradient : Arrays.copyOf(found.gradients(), 3)) {
      for (float one : gradient) {
        assertTrue(Float.isFinite(one), Arrays.deepToString(found.gradients()));
      }
    }
    float beta = before[B][2];
    for (int place = 0; place < 16; place++) {
      assertEquals(beta, found.y()[32 + place], 1e-6f);
    }
  }

  @Test
  void oneValueForEachChannelIsRefused() {
    Layer layer = new Layer("Gemm", new long[] {1, 4}, new long[] {4, 3}, 3, true);
    TrainedModel trained = trained(layer.model());
    TareException e =
        assertThrows(TareException.class, () -> Stepped.of(trained, layer, true, new float[12]));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    assertEquals(
        "Cannot train m.onnx: BatchNormalization_1 has one value for each channel in a batch of 1,"
            + " which has no variance; set train.batch to 2 or more, or"
            + " train.batch-normalization=folded",
        e.getMessage());
    Stepped.of(trained, layer, false, new float[12]);
  }

  @Test
  void layerThatWasChangedSinceStaysFolded() {
    Layer layer = new Layer("Conv", new long[] {2, 2, 4, 4}, new long[] {3, 2, 1, 1}, 3, true);
    OnnxModel model = layer.model();
    for (int input = 1; input <= 2; input++) {
      OnnxModel prepared = FloatPasses.prepare(model);
      String name = prepared.graph().nodes().get(0).input(input);
      org.tare.onnx.Tensor old = prepared.graph().constant(name).orElseThrow();
      float[] values = old.floats().clone();
      values[1] = Math.nextUp(values[1]);
      prepared.graph().removeConstant(name);
      prepared.graph().addConstant(org.tare.onnx.Tensor.ofFloats(name, old.shape(), values));
      TrainedModel trained =
          TrainedModel.of(
              "m.onnx",
              prepared,
              TensorTypes.of(prepared, "test"),
              SimulationTest.mapping(4, 8),
              Untrainable.REFUSED,
              folded(model));
      assertEquals(List.of(), trained.keptNormalizations());
      assertEquals(2, trained.initialState().values().length);
    }
  }

  @Test
  void weightDecayTouchesWeightsAndNotBetaOrWhatFollows() {
    Layer layer = new Layer("Conv", new long[] {2, 2, 4, 4}, new long[] {3, 2, 1, 1}, 3, true);
    Places places = trained(layer.model()).places();
    assertEquals(5, places.arrays());
    assertEquals(
        List.of(true, false, false, false, false, false),
        Stream.of(0, 1, 2, 3, 4, 5).map(places::isDecayed).toList());
    Places plain =
        TrainedModel.of(
                "m.onnx",
                FloatPasses.prepare(layer.model()),
                TensorTypes.of(FloatPasses.prepare(layer.model()), "test"),
                SimulationTest.mapping(4, 8))
            .places();
    assertEquals(List.of(true, true, false), Stream.of(0, 1, 2).map(plain::isDecayed).toList());
  }

  private static final int ROWS = 16;

  /** With the running statistics that its inputs have. */
  private static OnnxModel net(Map<String, Values> inputs) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 2, 6, 6)
            .constant("w1", new long[] {8, 2, 3, 3}, random(2, 144))
            .constant("w2", new long[] {6, 8, 3, 3}, random(3, 432))
            .node("Conv", List.of("x", "w1"), List.of("l1"));
    normalize(model, "1", 8, inputs);
    model
        .node("Relu", List.of("n1"), List.of("r1"))
        .node("Conv", List.of("r1", "w2"), List.of("l2"));
    normalize(model, "2", 6, inputs);
    return model
        .node("Relu", List.of("n2"), List.of("r2"))
        .node("GlobalAveragePool", List.of("r2"), List.of("y"))
        .output("y", -1, 6, 1, 1)
        .read()
        .withOutputs(List.of("y"));
  }

  private static void normalize(
      TestModel model, String number, int channels, Map<String, Values> inputs) {
    String read = "l" + number;
    float[] y = TestModel.run(model.output(read).read(), inputs).get(read).floats();
    float[] mean = new float[channels];
    float[] variance = new float[channels];
    int inner = y.length / ROWS / channels;
    int each = ROWS * inner;
    for (int i = 0; i < y.length; i++) {
      mean[i / inner % channels] += y[i] / each;
    }
    for (int i = 0; i < y.length; i++) {
      int c = i / inner % channels;
      variance[c] += (y[i] - mean[c]) * (y[i] - mean[c]) / each;
    }
    model
        .constant("g" + number, new long[] {channels}, random(30, channels))
        .constant("b" + number, new long[] {channels}, random(31, channels))
        .constant("m" + number, new long[] {channels}, mean)
        .constant("v" + number, new long[] {channels}, variance)
        .node(
            "BatchNormalization",
            List.of(read, "g" + number, "b" + number, "m" + number, "v" + number),
            List.of("n" + number));
  }

  private static TrainingBatch batch(float[] x) {
    List<TrainingRow> rows = new ArrayList<>();
    for (int row = 0; row < ROWS; row++) {
      ByteBuffer bytes = ByteBuffer.allocate(288).order(ByteOrder.nativeOrder());
      bytes.asFloatBuffer().put(x, row * 72, 72);
      TrainingRow.Value value =
          new TrainingRow.Value("x", ElementType.FLOAT32, new long[] {2, 6, 6}, bytes.array());
      rows.add(new TrainingRow(new TrainingRow.Value[] {value}, -1));
    }
    return new TrainingBatch(rows);
  }

  /** Trained for two rounds, the first with statistics of batches. */
  @Test
  void writtenModelComputesAsTheSimulationAndTrainingHelps() {
    QConfigMapping mapping = SimulationTest.mapping(3, 8);
    float[] x = random(1, ROWS * 72);
    Map<String, Values> inputs = Map.of("x", new Values(new long[] {ROWS, 2, 6, 6}, x));
    OnnxModel model = net(inputs);
    OnnxModel prepared = FloatPasses.prepare(model);
    Map<String, TensorType> types = TensorTypes.of(prepared, "test");
    QuantizedModel begun = TestModel.quantize(prepared, inputs, mapping);
    TrainedModel trained =
        TrainedModel.of("net", prepared, types, mapping, Untrainable.REFUSED, folded(model));
    assertEquals(2, trained.keptNormalizations().size());
    int steps = 60;
    TrainingOptions options =
        new TrainingOptions(
            TrainingOptions.Loss.MSE,
            0,
            Optimizer.Kind.ADAM,
            1,
            1,
            ROWS,
            steps / 2,
            0.003,
            0,
            1,
            1,
            TrainingOptions.Scales.LEARNED,
            0,
            TrainingOptions.Normalization.TRAINED,
            0,
            TrainingOptions.ZeroPoints.FIXED);
    Grids grids = trained.grids(begun);
    TrainingState begin = trained.initialState(grids, options);
    int mean = trained.places().parameters().size() + 1;
    try (Trainer trainer = Trainer.of(trained.send(), options)) {
      Trainer.Round first = trainer.run(begin, grids, step -> List.of(batch(x)), steps / 2, steps);
      Trainer.Round second =
          trainer.run(first.state(), grids, step -> List.of(batch(x)), steps / 2, steps);
      assertEquals(Optional.empty(), second.failure());
      assertFalse(Arrays.equals(begin.values()[mean], first.state().values()[mean]));
      assertArrayEquals(first.state().values()[mean], second.state().values()[mean]);
      assertArrayEquals(first.state().values()[mean + 1], second.state().values()[mean + 1]);
      assertFalse(Arrays.equals(begin.values()[mean - 1], second.state().values()[mean - 1]));
      TrainedQParams qparams = trained.qparams(begun, grids, second.state(), options);
      float[] written =
          TestModel.run(
                  Quantization.quantizeWith(
                          trained.with(second.state()),
                          types,
                          mapping,
                          Quantization.Form.QDQ,
                          Optional.of(
                              new ChosenRanges(
                                  new CalibrationState(model.digest(), 1, new TreeMap<>()),
                                  qparams.weights(),
                                  activations(begun, qparams))),
                          Map.of())
                      .model(),
                  inputs)
              .get("y")
              .floats();
      Grids now = TrainedScales.of(trained.places(), grids, options).at(second.state());
      float[] simulated = trainer.outputs(batch(x), second.state(), Optional.of(now)).get("y");
      float[] plain = TestModel.run(model, inputs).get("y").floats();
      float[] before = TestModel.run(begun.model(), inputs).get("y").floats();
      assertTrue(Sqnr.of(written, simulated) > 60, Sqnr.of(written, simulated) + " dB");
      assertTrue(
          Sqnr.of(plain, written) > Sqnr.of(plain, before) + 3,
          Sqnr.of(plain, before) + " dB became " + Sqnr.of(plain, written));
    }
  }

  private static Map<String, QParams> activations(QuantizedModel begun, TrainedQParams trained) {
    Map<String, QParams> all = new HashMap<>();
    begun.activations().forEach((root, q) -> all.put(root, q.qparams()));
    all.putAll(trained.activations());
    return all;
  }
}
