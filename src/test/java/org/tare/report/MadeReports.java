package org.tare.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Random;
import org.tare.plan.ActivationQParams;
import org.tare.plan.FloatNode;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;
import org.tare.quant.QuantSpec;
import org.tare.range.RangeChoice;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.report.ReportData.Fact;
import org.tare.report.ReportData.Tensor;
import org.tare.stats.ChannelStats;
import org.tare.stats.TensorStats;

/** Reports of made data: every section, values of every kind, names that mean harm. */
final class MadeReports {
  /** Ends a script, opens markup, forges a line, turns the direction of writing. */
  static final String HOSTILE =
      "</script><script>document.title='taken'</script><!--&amp;\"'\u0000\n\u202etxt\u2028\ud800";

  private static final QuantSpec UINT8 = QParamsRule.ONNXRUNTIME.spec(DType.UINT8, false);
  private static final List<String> OPERATORS =
      List.of("Conv", "MatMul", "Add", "Softmax", "LayerNormalization", "Gelu", "");

  private MadeReports() {}

  static ReportData report(int tensors) {
    List<Tensor> all = new ArrayList<>();
    List<Weight> weights = new ArrayList<>();
    List<LayerError> layers = new ArrayList<>();
    List<LayerSensitivity> sensitive = new ArrayList<>();
    Random random = new Random(5);
    for (int i = 0; i < tensors; i++) {
      String op = OPERATORS.get(i % OPERATORS.size());
      String name = i == 1 ? HOSTILE : "/encoder/layer." + i / 7 + "/" + op + "_" + i + "_output_0";
      all.add(tensor(name, op, values(i, random)));
      if (i % 2 == 0) {
        weights.add(weight("layer." + i + ".weight", i % 5 == 0 ? "Gemm" : "Conv", 4 + i % 700));
      }
      double local = 45 - 10 * random.nextDouble();
      layers.add(new LayerError(name, op, 42 - 12.0 * i / tensors - random.nextDouble(), local));
      if (i % 7 == 0) {
        sensitive.add(new LayerSensitivity(name, "int4", 20 + 15 * random.nextDouble(), 0.9));
        sensitive.add(new LayerSensitivity(name, "int8", 40 + 5 * random.nextDouble(), 0.99));
      }
    }
    return new ReportData(
        "Quantization of <a&b>.onnx",
        List.of(new Fact("Model", "8 bytes, \"small\"")),
        List.of("beware of <script>"),
        all,
        weights,
        floatNodes(tensors),
        List.of(new Fact("Tare", "0.1.0"), new Fact("Started", "2026-11-27T01:00:00Z")),
        List.of(new Fact("quantize.mode", "static")),
        analysis(layers, sensitive));
  }

  private static List<FloatNode> floatNodes(int tensors) {
    List<FloatNode> nodes = new ArrayList<>();
    nodes.add(new FloatNode("Erf", HOSTILE, "why & how"));
    for (int i = 0; i < tensors; i++) {
      nodes.add(new FloatNode(i % 2 == 0 ? "Pow" : "Sqrt", "float_" + i, "no rule for it"));
    }
    return nodes;
  }

  private static Analysis analysis(List<LayerError> layers, List<LayerSensitivity> sensitive) {
    List<LossPoint> losses = new ArrayList<>();
    for (int step = 0; step < 60; step++) {
      double loss = 0.3 + 2 * Math.exp(-step / 12.0);
      double sqnr = step % 10 == 9 ? 20 + step / 6.0 : Double.NaN;
      losses.add(new LossPoint(step * 10L, loss, sqnr, sqnr / 40));
    }
    return Analysis.NONE
        .withLayers(layers)
        .with(new Sensitivity("top1", "Only this layer is quantized.", sensitive))
        .with(
            new ParetoFront(
                "bytes",
                "top1",
                OptionalDouble.of(0.985),
                List.of(
                    new ParetoPoint(4_200_000, 0.991, false, "all int8"),
                    new ParetoPoint(3_900_000, 0.990, false, "4 layers int4"),
                    new ParetoPoint(3_600_000, 0.984, false, "6 layers int4, first"),
                    new ParetoPoint(3_100_000, 0.9875, true, "14 layers int4"),
                    new ParetoPoint(2_200_000, 0.694, false, "all int4"))))
        .withLosses(losses);
  }

  static Tensor tensor(String name, String op, TensorStats stats) {
    RangeChoice choice = RangeSearch.choose(name, stats, new RangeMethod.Mse(), UINT8);
    QParams qparams = UINT8.qparams(choice.range().min(), choice.range().max());
    return new Tensor(
        name,
        op,
        stats,
        new ActivationQParams(qparams, choice, List.of(name)),
        MethodRange.all(name, stats, UINT8));
  }

  private static Weight weight(String name, String op, int channels) {
    List<QParams> qparams = new ArrayList<>();
    for (int c = 0; c < channels; c++) {
      qparams.add(QParams.of((float) (0.001 * (1 + c % 9)), 0, DType.INT8));
    }
    return new Weight(
        name,
        op,
        "int8",
        channels * 100L,
        channels * 104L,
        channels + " along axis 0",
        qparams,
        Optional.of(new WeightError(38.5, 1e-6, 0.99995, 0.002)));
  }

  /** A constant, zeros, NaN and infinities, an attention mask, channels, outliers, plain values. */
  private static TensorStats values(int kind, Random random) {
    float[] values = new float[2000];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
      if (kind % 3 == 1) {
        values[i] = Math.max(0, values[i]);
      }
    }
    switch (kind % 11) {
      case 3 -> Arrays.fill(values, -0.0f);
      case 4 -> Arrays.fill(values, 2.5f);
      case 5 -> {
        values[0] = Float.NaN;
        values[1] = Float.POSITIVE_INFINITY;
        values[2] = Float.MIN_VALUE;
      }
      case 6 -> Arrays.fill(values, 0, 600, -1e9f);
      case 7 -> values[0] = 900;
      case 8 -> values = new float[] {0.5f};
      default -> {}
    }
    return TensorStats.of(values);
  }

  /** Stats with ranges of that many channels. */
  static TensorStats withChannels(TensorStats stats, int channels) {
    return stats.with(ChannelStats.of(channels));
  }
}
