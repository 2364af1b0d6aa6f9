package org.tare.onnx.beside;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.Pairs;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FloatPasses;
import org.tare.prepare.OpsetUpgrade;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.QConfigMapping.Rule;
import org.tare.quant.DType;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.RandomModel;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/** One model with switches gives what each of the forms in it gives. */
class SwitchedModelTest {
  /** Operators whose results jump where their inputs differ by float32's rounding. */
  private static final Set<String> JUMPS = Set.of("ArgMax", "TopK", "Greater");

  private static final double CLOSE = 1e-5;

  private static final int MODELS = Integer.getInteger("tare.switched", 40);

  @TempDir private Path folder;

  @Test
  void eachChoiceGivesWhatItsFormGives() throws IOException {
    int compared = 0;
    int switched = 0;
    int exact = 0;
    int refused = 0;
    int started = 0;
    int wentOn = 0;
    for (long seed = 1; seed <= MODELS; seed++) {
      Random random = new Random(seed);
      RandomModel made = new RandomModel(random);
      Path file = folder.resolve("float.onnx");
      Files.write(file, made.bytes());
      OnnxModel prepared = FloatPasses.prepare(OnnxModel.read(file));
      boolean jumps =
          prepared.graph().nodes().stream().anyMatch(node -> JUMPS.contains(node.opType()));
      if (jumps) {
        continue;
      }
      OpsetUpgrade.raise(prepared, OnnxModel.BLOCKED_OPSET, TensorTypes.of(prepared, "prepared"));
      Map<String, TensorType> types = TensorTypes.of(prepared, "prepared");
      List<OnnxModel> forms = new ArrayList<>();
      for (QConfigMapping mapping : mappings(prepared)) {
        try {
          forms.add(quantized(prepared, types, made.inputs(), mapping));
        } catch (TareException e) {
          assertTrue(e.getMessage().contains("no finite value"), e.getMessage());
        }
      }
      SwitchedModel model = SwitchedModel.of(prepared, types, forms);
      Map<String, Values> floats = run(prepared, made.inputs(), Optional.empty());
      close(seed + " float", floats, run(model, made.inputs(), model.floatChoices()), floats);
      for (int i = 0; i < forms.size(); i++) {
        Map<String, Values> own;
        try {
          own = run(forms.get(i), made.inputs(), Optional.empty());
        } catch (TareException e) {
          // ONNX Runtime loses the output before a Clip without bounds where pairs stay apart.
          refused++;
          continue;
        }
        Map<String, Values> chosen = run(model, made.inputs(), model.choices(i));
        String what = seed + " form " + i;
        List<OnnxModel> alone = List.of(forms.get(i));
        SwitchedModel one = SwitchedModel.of(prepared, types, alone);
        SplitModel before = SplitModel.of(model.model(), model.input(), types);
        SplitModel split = SplitModel.of(one.model(), one.input(), types);
        Map<String, Values> carried = carried(before.start(), made.inputs(), Map.of());
        assertTrue(
            close(what, chosen, rest(before, made.inputs(), carried, model.choices(i), model), own),
            what);
        started += split.start().isPresent() ? 1 : 0;
        Optional<OnnxModel> after = split.after(before, types);
        wentOn += after.isPresent() ? 1 : 0;
        carried =
            after.isPresent()
                ? carried(after, made.inputs(), carried)
                : carried(split.start(), made.inputs(), Map.of());
        assertTrue(
            close(what, own, rest(split, made.inputs(), carried, one.choices(0), one), floats),
            what);
        exact += close(seed + " form " + i, own, chosen, floats) ? 1 : 0;
        compared++;
        switched += model.ways() > 0 ? 1 : 0;
      }
    }
    System.out.printf(
        "Switched: %d compared, %d exact, %d with switches, %d with a start, %d of them after"
            + " another, %d refused%n",
        compared, exact, switched, started, wentOn, refused);
    assertTrue(started > compared / 20 && wentOn > 0, started + " with a start, " + wentOn);
    assertTrue(refused < 0.02 * compared, refused + " of " + compared);
    assertTrue(switched > compared / 2, switched + " of " + compared);
    assertEquals(compared, exact);
  }

  /** One If for a layer with what follows it, as long as that makes no more ways. */
  @Test
  void whatAloneReadsASwitchedResultIsSwitchedWithIt() throws IOException {
    Path file = folder.resolve("layers.onnx");
    TestModel.opset(21)
        .input("x", -1, 3)
        .constant("w1", new long[] {3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9)
        .constant("w2", new long[] {3, 3}, 9, 8, 7, 6, 5, 4, 3, 2, 1)
        .node("MatMul", List.of("x", "w1"), List.of("m1"))
        .node("LeakyRelu", List.of("m1"), List.of("r1"))
        .node("MatMul", List.of("r1", "w2"), List.of("m2"))
        .node("LeakyRelu", List.of("m2"), List.of("r2"))
        .output("r2", -1, 3)
        .write(file);
    OnnxModel floats = OnnxModel.read(file);
    Map<String, TensorType> types = TensorTypes.of(floats, "layers");
    Map<String, Values> inputs =
        Map.of("x", new Values(new long[] {2, 3}, new float[] {1, -2, 3, -4, 5, -6}));
    QConfig standard = QConfig.standard();
    List<OnnxModel> forms = new ArrayList<>();
    for (List<String> layer : List.of(List.of("m1", "r1"), List.of("m2", "r2"))) {
      List<Rule> rules = layer.stream().map(name -> Rule.byName(name, standard)).toList();
      QConfigMapping mapping = new QConfigMapping(standard.asFloat(), rules);
      forms.add(quantized(floats, types, inputs, mapping));
    }
    SwitchedModel model = SwitchedModel.of(floats, types, forms);
    List<Node> nodes = model.model().graph().nodes();
    List<String> switched =
        nodes.stream().filter(node -> node.opType().equals("If")).map(Node::label).toList();
    assertEquals(2, model.choices(0).length, switched.toString());
    assertTrue(nodes.stream().noneMatch(node -> node.opType().equals("MatMul")), nodes.toString());
    for (int i = 0; i < forms.size(); i++) {
      Map<String, Values> own = run(forms.get(i), inputs, Optional.empty());
      assertTrue(close("form " + i, own, run(model, inputs, model.choices(i)), own));
    }
  }

  /** All layers, one alone, all but one, 4 bits, the other modes. */
  private static List<QConfigMapping> mappings(OnnxModel prepared) {
    QConfig standard = QConfig.standard();
    QConfig four = standard.withWeightType(DType.INT4);
    List<Node> nodes = prepared.graph().nodes();
    Node one = nodes.get(nodes.size() / 2);
    Rule asFloat = Rule.byName(one.output(0), standard.asFloat());
    Rule quantized = Rule.byName(one.output(0), standard);
    return List.of(
        new QConfigMapping(standard, List.of()),
        new QConfigMapping(standard.asFloat(), List.of(quantized)),
        new QConfigMapping(standard, List.of(asFloat)),
        new QConfigMapping(four, List.of()),
        new QConfigMapping(standard, List.of(Rule.byName(one.output(0), four))),
        new QConfigMapping(
            Mode.DYNAMIC,
            Backend.ONNXRUNTIME_CPU,
            Backend.ONNXRUNTIME_CPU.standard(Mode.DYNAMIC),
            List.of()),
        new QConfigMapping(
            Mode.WEIGHT_ONLY,
            Backend.ONNXRUNTIME_CPU,
            Backend.ONNXRUNTIME_CPU.standard(Mode.WEIGHT_ONLY),
            List.of()));
  }

  private static OnnxModel quantized(
      OnnxModel prepared,
      Map<String, TensorType> types,
      Map<String, Values> inputs,
      QConfigMapping mapping) {
    Optional<CalibrationState> state = Optional.empty();
    if (mapping.mode() == Mode.STATIC) {
      List<String> computed =
          new ArrayList<>(QuantizationPlan.of(prepared, types, mapping).observed());
      computed.removeAll(inputs.keySet());
      SortedMap<String, TensorStats> stats = new TreeMap<>();
      inputs.forEach((name, values) -> stats.put(name, TensorStats.of(values.floats())));
      if (!computed.isEmpty()) {
        TestModel.run(prepared.withOutputs(computed), inputs)
            .forEach((name, values) -> stats.put(name, TensorStats.of(values.floats())));
      }
      state = Optional.of(new CalibrationState(prepared.digest(), 1, stats));
    }
    return Quantization.quantize(prepared, types, mapping, Quantization.Form.QDQ, state, Map.of())
        .model();
  }

  /** What a start gives, and what was there before. */
  private Map<String, Values> carried(
      Optional<OnnxModel> start, Map<String, Values> inputs, Map<String, Values> before)
      throws IOException {
    Map<String, Values> all = new LinkedHashMap<>(before);
    if (start.isPresent()) {
      Map<String, Values> given = new LinkedHashMap<>(inputs);
      given.putAll(before);
      given.keySet().retainAll(start.get().graph().inputNames());
      all.putAll(run(start.get(), given, Optional.empty()));
    }
    return all;
  }

  private Map<String, Values> rest(
      SplitModel split,
      Map<String, Values> inputs,
      Map<String, Values> carried,
      long[] choices,
      SwitchedModel model)
      throws IOException {
    Map<String, Values> given = new LinkedHashMap<>(inputs);
    split.carried().forEach(tensor -> given.put(tensor, carried.get(tensor)));
    return run(split.rest(), given, Optional.of(choice(model, choices)));
  }

  private static Map.Entry<String, ModelSession.InputTensor> choice(
      SwitchedModel model, long[] choices) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(8 * choices.length).order(ByteOrder.nativeOrder());
    bytes.asLongBuffer().put(choices);
    long[] shape = {choices.length};
    return Map.entry(model.input(), new ModelSession.InputTensor(ElementType.INT64, shape, bytes));
  }

  private Map<String, Values> run(SwitchedModel model, Map<String, Values> inputs, long[] choices)
      throws IOException {
    return run(model.model(), inputs, Optional.of(choice(model, choices)));
  }

  private Map<String, Values> run(
      OnnxModel model,
      Map<String, Values> inputs,
      Optional<Map.Entry<String, ModelSession.InputTensor>> choices)
      throws IOException {
    Path file = folder.resolve("run.onnx");
    model.write(file);
    try (ModelSession session = ModelSession.open(file, "test", 1, Pairs.APART)) {
      Map<String, ModelSession.InputTensor> given = new LinkedHashMap<>();
      inputs.forEach(
          (name, values) -> {
            ByteBuffer bytes =
                ByteBuffer.allocateDirect(4 * values.floats().length)
                    .order(ByteOrder.nativeOrder());
            bytes.asFloatBuffer().put(values.floats());
            given.put(
                name, new ModelSession.InputTensor(ElementType.FLOAT32, values.shape(), bytes));
          });
      choices.ifPresent(entry -> given.put(entry.getKey(), entry.getValue()));
      Map<String, Values> outputs = new LinkedHashMap<>();
      session.run(
          given,
          session.outputs().keySet(),
          (name, tensor) -> {
            float[] floats = new float[(int) tensor.size()];
            if (session.outputs().get(name).elementType() == ElementType.FLOAT32) {
              tensor.floats().get(floats);
            }
            outputs.put(name, new Values(tensor.shape(), floats));
          });
      return outputs;
    }
  }

  /**
   * Whether they are equal but for float32's rounding; a value near the middle of a step may move.
   */
  private static boolean close(
      String what,
      Map<String, Values> expected,
      Map<String, Values> actual,
      Map<String, Values> floats) {
    assertEquals(expected.keySet(), actual.keySet(), what);
    boolean isClose = true;
    for (Map.Entry<String, Values> entry : expected.entrySet()) {
      float[] x = entry.getValue().floats();
      float[] y = actual.get(entry.getKey()).floats();
      assertArrayEquals(entry.getValue().shape(), actual.get(entry.getKey()).shape(), what);
      // Below the least normal number kernels may flush to zero, or multiply in another order.
      double length = Float.MIN_NORMAL / CLOSE;
      for (float value : floats.get(entry.getKey()).floats()) {
        length = Math.max(length, Math.abs(value));
      }
      for (int i = 0; i < x.length; i++) {
        boolean isEqual = Float.compare(x[i], y[i]) == 0 || Math.abs(x[i] - y[i]) <= CLOSE * length;
        isClose &= isEqual;
      }
    }
    return isClose;
  }
}
