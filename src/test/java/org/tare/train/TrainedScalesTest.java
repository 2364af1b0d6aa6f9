package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;
import org.tare.quant.QuantSpec;
import org.tare.train.torch.Libtorch;
import org.tare.train.torch.Tensors;

/** Fake quantization in training, and its scales, against what PyTorch recorded. */
class TrainedScalesTest {
  private static final Places NO_PARAMETERS =
      new Places(
          new ArrayList<>(),
          new HashMap<>(),
          new HashSet<>(),
          new HashSet<>(),
          new HashSet<>(),
          new HashSet<>(),
          new ArrayList<>());
  private static final QuantSpec SPEC = QParamsRule.ONNXRUNTIME.spec(DType.UINT8, false);

  @BeforeAll
  static void load() {
    Libtorch.load();
  }

  private static JsonNode oracle(String file) throws Exception {
    try (InputStream in = TrainedScalesTest.class.getResourceAsStream("/oracle/" + file)) {
      return new ObjectMapper().readTree(in).path("cases");
    }
  }

  private static float[] floats(JsonNode list) {
    float[] values = new float[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Double.parseDouble(list.get(i).asText());
    }
    return values;
  }

  static TrainingOptions options(TrainingOptions.Scales scales, long freezeAfter) {
    return new TrainingOptions(
        TrainingOptions.Loss.MSE,
        0,
        Optimizer.Kind.ADAM,
        1,
        1,
        1,
        1,
        0.1,
        0,
        0,
        1,
        scales,
        freezeAfter,
        TrainingOptions.Normalization.FOLDED,
        0,
        TrainingOptions.ZeroPoints.FIXED);
  }

  private static Grids.Grid grid(JsonNode one, int zeroPoint) {
    JsonNode scale = one.path("scale");
    float value = (float) (scale.isArray() ? scale.get(0) : scale).asDouble();
    return new Grids.Grid(
        -1,
        new float[] {value},
        new int[] {zeroPoint},
        one.path("quant_min").asInt(),
        one.path("quant_max").asInt());
  }

  private static Grids grids(Grids.Grid grid) {
    HashMap<String, Grids.Grid> roots = new HashMap<>();
    roots.put("x", grid);
    HashMap<String, QuantSpec> specs = new HashMap<>();
    specs.put("x", SPEC);
    return new Grids(roots, new HashMap<>(), new HashMap<>(), specs);
  }

  @Test
  void activationsAreRoundedAsPyTorchDoes() throws Exception {
    int held = 0;
    for (JsonNode one : oracle("fake_quantize.json")) {
      int zero = one.path("zero_point").asInt();
      boolean isWithin =
          zero >= one.path("quant_min").asInt() && zero <= one.path("quant_max").asInt();
      // Newer versions refuse a zero point outside of the range.
      if (one.has("axis") || !one.path("portable").asBoolean() || !isWithin) {
        continue;
      }
      String name = one.path("name").asText();
      float[] x = floats(one.path("x"));
      try (PointerScope scope = new PointerScope()) {
        Tensor leaf = Tensors.tensor(x, x.length).set_requires_grad(true);
        Grids.Grid grid = grid(one, zero);
        Tensor y = ActivationRounding.FIXED.round("x", grid, leaf);
        assertArrayEquals(floats(one.path("y")), Tensors.floats(y), 0f, name);
        float[] gradient = floats(one.path("grad_out"));
        y.mul(Tensors.tensor(gradient, x.length)).sum().backward();
        assertArrayEquals(floats(one.path("grad_x")), Tensors.floats(leaf.grad()), 0f, name);
      }
      held++;
    }
    assertTrue(held > 20, held + " cases");
  }

  @Test
  void weightsAreRoundedAsPyTorchDoesPerChannel() throws Exception {
    int held = 0;
    for (JsonNode one : oracle("fake_quantize.json")) {
      if (!one.has("axis") || !one.path("portable").asBoolean()) {
        continue;
      }
      int[] zeros = new int[one.path("zero_point").size()];
      for (int i = 0; i < zeros.length; i++) {
        zeros[i] = one.path("zero_point").get(i).asInt();
      }
      long[] shape = new long[one.path("shape").size()];
      for (int i = 0; i < shape.length; i++) {
        shape[i] = one.path("shape").get(i).asLong();
      }
      Grids.Grid grid =
          new Grids.Grid(
              one.path("axis").asInt(),
              floats(one.path("scale")),
              zeros,
              one.path("quant_min").asInt(),
              one.path("quant_max").asInt());
      float[] x = floats(one.path("x"));
      boolean[] inside = new boolean[x.length];
      assertArrayEquals(
          floats(one.path("y")), grid.round(x, shape, inside), 0f, one.path("name").asText());
      float[] gradient = floats(one.path("grad_out"));
      for (int i = 0; i < x.length; i++) {
        gradient[i] = inside[i] ? gradient[i] : 0f;
      }
      assertArrayEquals(floats(one.path("grad_x")), gradient, 0f, one.path("name").asText());
      held++;
    }
    assertTrue(held > 3, held + " cases");
  }

  @Test
  void gradientsOfLearnedScalesAreThoseOfPyTorch() throws Exception {
    TrainingOptions learned = options(TrainingOptions.Scales.LEARNED, 0);
    int held = 0;
    for (JsonNode one : oracle("learnable_fake_quantize.json")) {
      double zero = one.path("zero_point").get(0).asDouble();
      boolean isOurs =
          !one.has("axis")
              && zero == Math.rint(zero)
              && zero >= one.path("quant_min").asInt()
              && zero <= one.path("quant_max").asInt()
              // There PyTorch's backward pass uses another zero point than its forward pass.
              && !one.path("forward_backward_zero_point_differ").asBoolean();
      if (!isOurs) {
        continue;
      }
      String name = one.path("name").asText();
      Grids begin = grids(grid(one, (int) zero));
      TrainedScales scales = TrainedScales.of(NO_PARAMETERS, begin, learned);
      TrainingState state = TrainingState.of(scales.initial().toArray(float[][]::new));
      float[] x = floats(one.path("x"));
      float[] gradient = floats(one.path("grad_out"));
      try (PointerScope scope = new PointerScope()) {
        TrainedScales.Step step = scales.begin(state, 0, 10);
        Tensor leaf = Tensors.tensor(x, x.length).set_requires_grad(true);
        Grids.Grid grid = step.grids().activations().get("x");
        Tensor y = step.rounding().round("x", grid, leaf);
        assertArrayEquals(floats(one.path("y")), Tensors.floats(y), 0f, name);
        y.mul(Tensors.tensor(gradient, x.length)).sum().backward();
        assertArrayEquals(floats(one.path("grad_x")), Tensors.floats(leaf.grad()), 0f, name);
        float[][] found = new float[1][];
        step.addTo(found);
        // Of a factor of the scale, with LSQ's factor for the number of values.
        double factor = grid.scales()[0] / Math.sqrt((double) x.length * grid.quantMax());
        double own = one.path("grad_factor").asDouble();
        double terms = 0;
        double ties = 0;
        for (int i = 0; i < x.length; i++) {
          // PyTorch adds the zero point before it rounds in the backward pass, after it in the
          // forward pass: where a value lies in the middle, its two passes use other integers.
          float place = x[i] * (1f / grid.scales()[0]);
          double fromMiddle = Math.abs(Math.abs(place - Math.rint(place)) - 0.5);
          ties += fromMiddle < 1e-5 * 256 ? Math.abs(gradient[i]) : 0;
          terms += Math.abs(gradient[i]) * Math.max(256, Math.abs(x[i] / grid.scales()[0]));
        }
        assertEquals(
            one.path("grad_scale").get(0).asDouble() / own * factor,
            found[0][0],
            (2e-5 * terms + ties) * factor,
            name);
      }
      held++;
    }
    assertTrue(held > 20, held + " cases");
  }

  static TrainingOptions zeroPoints() {
    TrainingOptions plain = options(TrainingOptions.Scales.LEARNED, 0);
    return new TrainingOptions(
        plain.loss(),
        plain.labelShare(),
        plain.optimizer(),
        plain.epochs(),
        plain.workers(),
        plain.batch(),
        plain.roundSteps(),
        plain.rate(),
        plain.weightDecay(),
        plain.clipNorm(),
        plain.seed(),
        plain.scales(),
        plain.freezeAfter(),
        plain.normalization(),
        plain.freezeNormalizationAfter(),
        TrainingOptions.ZeroPoints.LEARNED);
  }

  @Test
  void gradientsOfLearnedZeroPointsAreThoseOfPyTorchOrOfTheSameZeroPointInBothPasses()
      throws Exception {
    int held = 0;
    int differ = 0;
    for (JsonNode one : oracle("learnable_fake_quantize.json")) {
      double zero = one.path("zero_point").get(0).asDouble();
      int least = one.path("quant_min").asInt();
      int greatest = one.path("quant_max").asInt();
      if (one.has("axis") || zero != Math.rint(zero) || zero < least || zero > greatest) {
        continue;
      }
      String name = one.path("name").asText();
      TrainedScales scales =
          TrainedScales.of(NO_PARAMETERS, grids(grid(one, (int) zero)), zeroPoints());
      TrainingState state = TrainingState.of(scales.initial().toArray(float[][]::new));
      float[] x = floats(one.path("x"));
      float[] gradient = floats(one.path("grad_out"));
      try (PointerScope scope = new PointerScope()) {
        TrainedScales.Step step = scales.begin(state, 0, 10);
        Tensor leaf = Tensors.tensor(x, x.length).set_requires_grad(true);
        Grids.Grid grid = step.grids().activations().get("x");
        Tensor y = step.rounding().round("x", grid, leaf);
        assertArrayEquals(floats(one.path("y")), Tensors.floats(y), 0f, name);
        y.mul(Tensors.tensor(gradient, x.length)).sum().backward();
        float[][] found = new float[1][];
        step.addTo(found);
        assertEquals(2, found[0].length, name);
        // Of a way in lengths of the range, with LSQ's factor for the number of values.
        double factor = (greatest - least) / Math.sqrt((double) x.length * greatest);
        double terms = 0;
        for (float part : gradient) {
          terms += Math.abs(part) * grid.scales()[0];
        }
        // There PyTorch's backward pass uses another zero point than its forward pass.
        boolean isDefect = one.path("forward_backward_zero_point_differ").asBoolean();
        double expected =
            isDefect
                ? ofZeroPoint(grid, x, gradient)
                : one.path("grad_zero_point").get(0).asDouble()
                    / one.path("grad_factor").asDouble();
        assertEquals(expected * factor, found[0][1], (2e-6 * terms + 1e-12) * factor, name);
        differ += isDefect ? 1 : 0;
        held++;
      }
    }
    assertTrue(held > 20 && differ > 5, held + " cases, " + differ + " of the defect");
  }

  /** The formula of LearnableFakeQuantize, with the integers of the forward pass in ties. */
  private static double ofZeroPoint(Grids.Grid grid, float[] x, float[] gradient) {
    double sum = 0;
    for (int i = 0; i < x.length; i++) {
      double q = Math.rint(x[i] * (1f / grid.scales()[0])) + grid.zeroPoints()[0];
      boolean isOutside = q < grid.quantMin() || q > grid.quantMax();
      sum -= isOutside ? (double) gradient[i] * grid.scales()[0] : 0;
    }
    return sum;
  }

  @Test
  void learnedZeroPointsAreRoundedAndStayWithinTheIntegers() {
    Grids begin = grids(new Grids.Grid(-1, new float[] {0.5f}, new int[] {100}, 0, 255));
    TrainedScales scales = TrainedScales.of(NO_PARAMETERS, begin, zeroPoints());
    assertArrayEquals(new float[] {1f, 0f}, scales.initial().get(0));
    int[] expected = {100, 103, 97, 0, 255, 100};
    float[] ways = {0f, 0.01f, -0.0118f, -3f, 7f, -0.0f};
    for (int i = 0; i < ways.length; i++) {
      float[][] state = {{2f, ways[i]}};
      Grids.Grid now = scales.at(TrainingState.of(state)).activations().get("x");
      assertEquals(expected[i], now.zeroPoints()[0], ways[i] + "");
      assertEquals(1f, now.scales()[0]);
    }
  }

  @Test
  void symmetricZeroPointsStay() {
    HashMap<String, Grids.Grid> roots = new HashMap<>();
    roots.put("x", new Grids.Grid(-1, new float[] {0.5f}, new int[] {0}, -127, 127));
    HashMap<String, QuantSpec> specs = new HashMap<>();
    specs.put("x", QParamsRule.ONNXRUNTIME.spec(DType.INT8, true));
    Grids begin = new Grids(roots, new HashMap<>(), new HashMap<>(), specs);
    TrainedScales scales = TrainedScales.of(NO_PARAMETERS, begin, zeroPoints());
    assertArrayEquals(new float[] {1f}, scales.initial().get(0));
  }

  private static Places weight() {
    return new Places(
        new ArrayList<>(List.of("w")),
        new HashMap<>(),
        new HashSet<>(),
        new HashSet<>(),
        new HashSet<>(),
        new HashSet<>(),
        new ArrayList<>());
  }

  /** The grid of a recorded case, if its zero points are such as weights have here. */
  private static Optional<Grids.Grid> ofWeight(JsonNode one) {
    int least = one.path("quant_min").asInt();
    int greatest = one.path("quant_max").asInt();
    int[] zeros = new int[one.path("zero_point").size()];
    for (int i = 0; i < zeros.length; i++) {
      double zero = one.path("zero_point").get(i).asDouble();
      boolean isOurs = zero == Math.rint(zero) && zero >= least && zero <= greatest;
      if (!isOurs || one.path("forward_backward_zero_point_differ").asBoolean()) {
        return Optional.empty();
      }
      zeros[i] = (int) zero;
    }
    int axis = one.has("axis") ? one.path("axis").asInt() : -1;
    return Optional.of(new Grids.Grid(axis, floats(one.path("scale")), zeros, least, greatest));
  }

  @Test
  void gradientsOfLearnedScalesOfWeightsAreThoseOfPyTorch() throws Exception {
    int held = 0;
    int channels = 0;
    for (JsonNode one : oracle("learnable_fake_quantize.json")) {
      Optional<Grids.Grid> found = ofWeight(one);
      if (found.isEmpty()) {
        continue;
      }
      String name = one.path("name").asText();
      Grids.Grid grid = found.get();
      float[] x = floats(one.path("x"));
      float[] gradient = floats(one.path("grad_out"));
      long[] shape = {x.length};
      if (one.has("axis")) {
        shape = new long[one.path("shape").size()];
        for (int i = 0; i < shape.length; i++) {
          shape[i] = one.path("shape").get(i).asLong();
        }
        channels++;
      }
      HashMap<String, Grids.Grid> constants = new HashMap<>();
      constants.put("w", grid);
      Grids grids = new Grids(new HashMap<>(), constants, new HashMap<>(), new HashMap<>());
      TrainedScales scales =
          TrainedScales.of(weight(), grids, options(TrainingOptions.Scales.LEARNED, 0));
      List<float[]> state = new ArrayList<>(List.of(x));
      state.addAll(scales.initial());
      boolean[] inside = new boolean[x.length];
      TrainedScales.Step step =
          scales.begin(TrainingState.of(state.toArray(float[][]::new)), 0, 10);
      float[] y = step.grids().constants().get("w").round(x, shape, inside);
      assertArrayEquals(floats(one.path("y")), y, 0f, name);
      step.backward("w", x, shape, gradient);
      float[][] gradients = new float[2][];
      step.addTo(gradients);
      float[] wanted = floats(one.path("grad_scale"));
      int each = x.length / wanted.length;
      for (int c = 0; c < wanted.length; c++) {
        // Of a factor of the scale, with LSQ's factor for the number of values.
        double factor = grid.scales()[c] / Math.sqrt((double) each * grid.quantMax());
        double terms = 0;
        for (int i = 0; i < x.length; i++) {
          boolean isOfChannel = i / grid.inner(x.length, shape) % wanted.length == c;
          double greatest = Math.max(256, Math.abs(x[i] / grid.scales()[c]));
          terms += isOfChannel ? Math.abs(gradient[i]) * greatest : 0;
        }
        assertEquals(
            wanted[c] / one.path("grad_factor").asDouble() * factor,
            gradients[1][c],
            2e-5 * terms * factor,
            name);
      }
      for (int i = 0; i < x.length; i++) {
        assertEquals(
            floats(one.path("grad_x"))[i], inside[i] ? gradient[i] : 0f, 0f, name + ", " + i);
      }
      held++;
    }
    assertTrue(held > 30 && channels > 3, held + " cases, " + channels + " of channels");
  }

  private static JsonNode modules() throws Exception {
    try (InputStream in =
        TrainedScalesTest.class.getResourceAsStream("/oracle/fake_quantize.json")) {
      return new ObjectMapper().readTree(in).path("modules");
    }
  }

  /** PyTorch's range begins with the first batch, ours with the calibrated range. */
  @Test
  void observedRangesAreThoseOfPyTorchsModules() throws Exception {
    TrainingOptions observed = options(TrainingOptions.Scales.OBSERVED, 100);
    int held = 0;
    for (JsonNode module : modules()) {
      boolean isOurs =
          module.path("observer").asText().equals("MovingAverageMinMaxObserver")
              && module.path("qscheme").asText().equals("per_tensor_affine")
              && module.path("averaging_constant").asDouble() == 0.01
              && module.path("dtype").asText().equals("quint8")
              // The fused module of PyTorch has a least scale of its own.
              && !module.path("name").asText().contains("scale floor");
      if (!isOurs) {
        continue;
      }
      String name = module.path("name").asText();
      int least = module.path("quant_min").asInt();
      int greatest = module.path("quant_max").asInt();
      QuantSpec spec =
          new QuantSpec(
              QParamsRule.PYTORCH,
              DType.UINT8,
              false,
              least,
              greatest,
              true,
              (float) module.path("eps").get(0).asDouble());
      HashMap<String, Grids.Grid> roots = new HashMap<>();
      roots.put("x", new Grids.Grid(-1, new float[] {1f}, new int[] {0}, least, greatest));
      HashMap<String, QuantSpec> specs = new HashMap<>();
      specs.put("x", spec);
      Grids begin = new Grids(roots, new HashMap<>(), new HashMap<>(), specs);
      TrainedScales scales = TrainedScales.of(NO_PARAMETERS, begin, observed);
      JsonNode first = module.path("steps").get(0);
      float[] range = {
        (float) first.path("min_val").asDouble(), (float) first.path("max_val").asDouble()
      };
      TrainingState state = TrainingState.of(new float[][] {range});
      for (int i = 1; i < module.path("steps").size(); i++) {
        JsonNode one = module.path("steps").get(i);
        if (one.path("action_before").isTextual()) {
          break;
        }
        try (PointerScope scope = new PointerScope()) {
          float[] x = floats(one.path("x").path("data"));
          Tensor leaf = Tensors.tensor(x, x.length).set_requires_grad(true);
          TrainedScales.Step step = scales.begin(state, i, 10);
          Tensor y = step.rounding().round("x", step.grids().activations().get("x"), leaf);
          float[] now = state.values()[0];
          assertEquals((float) one.path("min_val").asDouble(), now[0], 2e-7f, name);
          assertEquals((float) one.path("max_val").asDouble(), now[1], 2e-7f, name);
          Grids.Grid grid = scales.at(state).activations().get("x");
          float scale = (float) one.path("scale").get(0).asDouble();
          assertEquals(scale, grid.scales()[0], 1e-6f * scale, name);
          assertEquals(one.path("zero_point").get(0).asInt(), grid.zeroPoints()[0], name);
          assertArrayEquals(floats(one.path("y")), Tensors.floats(y), 1e-4f * scale, name);
          float[] gradient = floats(one.path("grad_out"));
          y.mul(Tensors.tensor(gradient, x.length)).sum().backward();
          assertArrayEquals(floats(one.path("grad_x")), Tensors.floats(leaf.grad()), 0f, name);
        }
        held++;
      }
    }
    assertTrue(held > 5, held + " steps");
  }

  @Test
  void observedRangesFollowMovingAveragesUntilTheyAreFrozen() {
    TrainingOptions observed = options(TrainingOptions.Scales.OBSERVED, 1);
    Grids begin = grids(new Grids.Grid(-1, new float[] {0.01f}, new int[] {0}, 0, 255));
    TrainedScales scales = TrainedScales.of(NO_PARAMETERS, begin, observed);
    TrainingState state = TrainingState.of(scales.initial().toArray(float[][]::new));
    assertArrayEquals(new float[] {0f, 2.55f}, state.values()[0], 1e-6f);
    try (PointerScope scope = new PointerScope()) {
      Tensor x = Tensors.tensor(new float[] {-1f, 0.5f, 10f}, 3);
      TrainedScales.Step step = scales.begin(state, 0, 10);
      float[] y =
          Tensors.floats(step.rounding().round("x", step.grids().activations().get("x"), x));
      assertArrayEquals(
          new float[] {0f + 0.01f * -1f, 2.55f + 0.01f * (10f - 2.55f)}, state.values()[0], 1e-6f);
      QParams q = SPEC.qparams(state.values()[0][0], state.values()[0][1]);
      assertEquals(q.fakeQuantize(0.5f), y[1], 1e-6f);
      assertEquals(q.scale(), scales.at(state).activations().get("x").scales()[0]);
      float[] before = state.values()[0].clone();
      TrainedScales.Step frozen = scales.begin(state, 1, 10);
      frozen.rounding().round("x", frozen.grids().activations().get("x"), x);
      assertArrayEquals(before, state.values()[0]);
    }
  }

  @Test
  void scalesOfBiasesFollowThoseOfActivationsAndWeights() {
    Grids.Grid weight = new Grids.Grid(0, new float[] {0.5f, 0.25f}, new int[] {0, 0}, -7, 7);
    Grids.Grid bias = new Grids.Grid(0, new float[] {0.05f, 0.025f}, new int[] {0, 0}, -1000, 1000);
    HashMap<String, Grids.Grid> roots = new HashMap<>();
    roots.put("x", new Grids.Grid(-1, new float[] {0.1f}, new int[] {0}, 0, 255));
    HashMap<String, Grids.Grid> constants = new HashMap<>();
    constants.put("w", weight);
    constants.put("b", bias);
    HashMap<String, Grids.Bias> biases = new HashMap<>();
    biases.put("b", new Grids.Bias("x", "w"));
    HashMap<String, QuantSpec> specs = new HashMap<>();
    specs.put("x", SPEC);
    TrainedScales scales =
        TrainedScales.of(
            new Places(
                new ArrayList<>(List.of("w", "b")),
                new HashMap<>(),
                new HashSet<>(),
                new HashSet<>(),
                new HashSet<>(),
                new HashSet<>(),
                new ArrayList<>()),
            new Grids(roots, constants, biases, specs),
            options(TrainingOptions.Scales.LEARNED, 0));
    TrainingState state =
        TrainingState.of(
            new float[][] {new float[4], new float[2], new float[] {2f, 1f}, new float[] {3f}});
    Grids now = scales.at(state);
    assertArrayEquals(new float[] {1f, 0.25f}, now.constants().get("w").scales());
    assertArrayEquals(new float[] {0.3f, 0.075f}, now.constants().get("b").scales(), 1e-7f);
  }
}
