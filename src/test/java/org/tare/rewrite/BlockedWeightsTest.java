package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.tare.infer.TensorTypes;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.stats.Samples;

class BlockedWeightsTest {
  private static final QConfigMapping UINT4 =
      new QConfigMapping(
          Mode.WEIGHT_ONLY,
          Backend.ONNXRUNTIME_CPU,
          new QConfig(
              true,
              QConfig.standard().activation(),
              new TensorQConfig(new RangeMethod.Mse(), DType.UINT4, QScheme.PER_CHANNEL_AFFINE, 32),
              false),
          List.of());

  @ParameterizedTest
  @EnumSource(Quantization.Form.class)
  void matrixThatTwoProductsReadIsWrittenOnce(Quantization.Form form) {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 64)
            .constant("w", new long[] {64, 64}, Samples.normal(new Random(1), 4096))
            .node("MatMul", List.of("x", "w"), List.of("h"))
            .node("MatMul", List.of("h", "w"), List.of("y"))
            .output("y", -1, 64)
            .read();
    QuantizedModel quantized =
        Quantization.quantize(
            model, TensorTypes.of(model, "test"), UINT4, form, Optional.empty(), Map.of());
    long integers =
        quantized.model().graph().constants().stream()
            .filter(constant -> constant.name().startsWith("w_q"))
            .count();
    assertEquals(1, integers);
    Map<String, Values> given =
        Map.of("x", new Values(new long[] {4, 64}, Samples.normal(new Random(2), 256)));
    float[] exact = TestModel.run(model, given).get("y").floats();
    float[] found = TestModel.run(quantized.model(), given).get("y").floats();
    double signal = 0;
    double noise = 0;
    for (int i = 0; i < exact.length; i++) {
      signal += (double) exact[i] * exact[i];
      noise += ((double) exact[i] - found[i]) * ((double) exact[i] - found[i]);
    }
    // A step is about a fifteenth of 4 sigma: 21 dB a product, 18 of two.
    assertTrue(10 * Math.log10(signal / noise) > 15, 10 * Math.log10(signal / noise) + " dB");
  }
}
