package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.inspect.ModelInspection;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.SymbolicShapes;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FatalNodes;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.WeightProducts;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/**
 * Nothing that is done to a graph grows much faster than its nodes: four times as many take about
 * four times as long, where what is quadratic takes sixteen times. Times are the thread's own, so
 * that other work on the machine does not count. ONNX Runtime is left out: its own loading is
 * quadratic.
 */
class GraphGrowthTest {
  private static final int NODES = 5_000;
  private static final int TIMES = 4;
  private static final double MOST_GROWTH = 8;

  /** Less is not judged: compiling and collecting garbage may be in it; 20,000 squared is more. */
  private static final double LEAST_SECONDS = 2;

  /** Chains of nodes of the kinds that are followed over any number of them. */
  enum Chain {
    IDENTITIES("Identity"),
    RELUS("Relu"),
    MIXED("Relu", "Add", "Identity");

    private final List<String> operators;

    Chain(String... operators) {
      this.operators = List.of(operators);
    }

    /** A product, then the chain, then a product: so the chain has something to pass on. */
    TestModel model(int nodes) {
      TestModel model =
          TestModel.opset(17)
              .input("x", 1, 2)
              .constant("c", new long[] {2}, 1, 2)
              .constant("w", new long[] {2, 2}, 1, 2, 3, 4)
              .node("MatMul", List.of("x", "w"), List.of("t0"));
      for (int i = 0; i < nodes; i++) {
        String from = "t" + i;
        String op = operators.get(i % operators.size());
        List<String> inputs =
            switch (op) {
              case "Add" -> List.of(from, "c");
              default -> List.of(from);
            };
        model.node(op, inputs, List.of("t" + (i + 1)));
      }
      return model.node("MatMul", List.of("t" + nodes, "w"), List.of("y")).output("y", 1, 2);
    }
  }

  private static double secondsNow() {
    return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() / 1e9;
  }

  /** What each step takes, by its name. */
  private static Map<String, Double> steps(Chain chain, int nodes) {
    Map<String, Double> seconds = new TreeMap<>();
    TestModel made = chain.model(nodes);
    double begun = secondsNow();
    OnnxModel model = made.read();
    seconds.put("read", secondsNow() - begun);

    begun = secondsNow();
    OnnxModel prepared = FloatPasses.prepare(model);
    FatalNodes.check(model);
    SymbolicShapes.of(prepared.graph());
    seconds.put("prepare", secondsNow() - begun);

    Map<String, TensorType> types = new HashMap<>();
    TensorType type = new TensorType(ElementType.FLOAT32, new long[] {1, 2});
    List.of("x", "y").forEach(name -> types.put(name, type));
    for (int i = 0; i <= nodes; i++) {
      types.put("t" + i, type);
    }
    TensorStats stats = TensorStats.of(1f, 2f, -1f);
    for (Mode mode : Mode.values()) {
      QConfig standard = Backend.ONNXRUNTIME_CPU.standard(mode, WeightProducts.PORTABLE);
      QConfigMapping mapping =
          new QConfigMapping(mode, Backend.ONNXRUNTIME_CPU, standard, List.of());
      begun = secondsNow();
      SortedMap<String, TensorStats> observed = new TreeMap<>();
      QuantizationPlan.of(prepared, types, mapping)
          .observed()
          .forEach(tensor -> observed.put(tensor, stats));
      CalibrationState state = new CalibrationState(prepared.digest(), 1, observed);
      QuantizedModel quantized =
          Quantization.quantize(
              prepared, types, mapping, Quantization.Form.QDQ, Optional.of(state), Map.of());
      seconds.put("quantize " + mode, secondsNow() - begun);
      begun = secondsNow();
      ModelInspection.of(quantized.model(), Map.of());
      seconds.put("inspect " + mode, secondsNow() - begun);
    }
    return seconds;
  }

  @ParameterizedTest
  @EnumSource
  void fourTimesTheNodesTakeAboutFourTimesAsLong(Chain chain) {
    Map<String, Double> few = steps(chain, NODES);
    Map<String, Double> many = steps(chain, TIMES * NODES);
    many.forEach(
        (step, seconds) ->
            assertTrue(
                seconds <= Math.max(LEAST_SECONDS, MOST_GROWTH * few.get(step)),
                step + ": " + few.get(step) + " s, then " + seconds + " s"));
  }
}
