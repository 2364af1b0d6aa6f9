package org.tare.qconfig;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.TareException;
import org.tare.oracle.Oracle;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

class BackendTest {
  private static final TensorQConfig UINT8 = tensor(DType.UINT8, QScheme.PER_TENSOR_AFFINE);
  private static final TensorQConfig INT8 = tensor(DType.INT8, QScheme.PER_TENSOR_SYMMETRIC);
  private static final TensorQConfig WEIGHT = tensor(DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC);

  private static TensorQConfig tensor(DType dtype, QScheme scheme) {
    return new TensorQConfig(new RangeMethod.MinMax(), dtype, scheme);
  }

  private static TensorQConfig blocks(DType dtype, QScheme scheme, int block) {
    return new TensorQConfig(new RangeMethod.Mse(), dtype, scheme, block);
  }

  private static QConfig config(TensorQConfig activation, TensorQConfig weight) {
    return new QConfig(true, activation, weight, false);
  }

  static Stream<Arguments> refused() {
    TensorQConfig fourBits = blocks(DType.UINT4, QScheme.PER_CHANNEL_AFFINE, 32);
    return Stream.of(
        Arguments.of(
            Backend.TENSORRT,
            Mode.STATIC,
            config(UINT8, WEIGHT),
            List.of("uint8", "per_tensor_affine", "tensorrt", "int8 per_tensor_symmetric")),
        Arguments.of(
            Backend.TENSORRT,
            Mode.STATIC,
            config(tensor(DType.INT8, QScheme.PER_TENSOR_AFFINE), WEIGHT),
            List.of("int8 per_tensor_affine", "tensorrt", "int8 per_tensor_symmetric")),
        Arguments.of(
            Backend.FBGEMM, Mode.STATIC, config(INT8, WEIGHT), List.of("int8", "fbgemm", "uint8")),
        Arguments.of(
            Backend.X86, Mode.STATIC, config(INT8, WEIGHT), List.of("int8", "x86", "uint8")),
        Arguments.of(
            Backend.ONEDNN, Mode.STATIC, config(INT8, WEIGHT), List.of("int8", "onednn", "uint8")),
        Arguments.of(
            Backend.QNNPACK,
            Mode.STATIC,
            config(tensor(DType.INT8, QScheme.PER_TENSOR_AFFINE), WEIGHT),
            List.of("int8 per_tensor_affine", "qnnpack", "uint8, or int8 per_tensor_symmetric")),
        Arguments.of(
            Backend.ONNXRUNTIME_CPU,
            Mode.WEIGHT_ONLY,
            config(UINT8, tensor(DType.UINT4, QScheme.PER_CHANNEL_AFFINE)),
            List.of("uint4", "quantize.weight.block")),
        Arguments.of(
            Backend.ONNXRUNTIME_CPU,
            Mode.WEIGHT_ONLY,
            config(UINT8, blocks(DType.INT4, QScheme.PER_CHANNEL_AFFINE, 32)),
            List.of("int4 per_channel_affine", "uint4 affine or int4 symmetric")),
        Arguments.of(
            Backend.ONNXRUNTIME_CPU,
            Mode.STATIC,
            config(UINT8, fourBits),
            List.of("uint4", "static", "int8", "weight-only", "onnxruntime-cpu")),
        Arguments.of(
            Backend.ONNXRUNTIME_CPU,
            Mode.DYNAMIC,
            config(UINT8, fourBits),
            List.of("uint4", "dynamic", "int8", "weight-only")),
        Arguments.of(
            Backend.TENSORRT,
            Mode.WEIGHT_ONLY,
            config(INT8, fourBits),
            List.of("uint4", "int8", "onnxruntime-cpu")),
        Arguments.of(
            Backend.ONNXRUNTIME_CPU,
            Mode.WEIGHT_ONLY,
            config(UINT8, blocks(DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC, 32)),
            List.of("quantize.weight.block", "32", "4-bit")),
        Arguments.of(
            Backend.ONNXRUNTIME_CPU,
            Mode.STATIC,
            config(UINT8, tensor(DType.UINT8, QScheme.PER_CHANNEL_AFFINE)),
            List.of("uint8 per_channel_affine", "int8, symmetric")),
        Arguments.of(
            Backend.ONNXRUNTIME_CPU,
            Mode.STATIC,
            config(
                UINT8,
                new TensorQConfig(
                    new RangeMethod.Entropy(), DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC)),
            List.of("quantize.weight.method", "entropy", "minmax or mse")));
  }

  @ParameterizedTest(name = "{0} {1} {3}")
  @MethodSource("refused")
  void refuses(Backend backend, Mode mode, QConfig config, List<String> words) {
    TareException e = assertThrows(TareException.class, () -> backend.check(mode, config));
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), () -> word + ": " + e.getMessage());
    }
    backend.check(mode, config.asFloat());
    assertThrows(TareException.class, () -> new QConfigMapping(mode, backend, config, List.of()));
    QConfigMapping.Rule override = QConfigMapping.Rule.byName("a", config);
    QConfig standard = backend.standard(mode);
    assertThrows(
        TareException.class, () -> new QConfigMapping(mode, backend, standard, List.of(override)));
  }

  @ParameterizedTest
  @EnumSource
  void refusesActivationsPerChannelAndOfOtherTypes(Backend backend) {
    for (QScheme scheme : List.of(QScheme.PER_CHANNEL_AFFINE, QScheme.PER_CHANNEL_SYMMETRIC)) {
      QConfig config = config(tensor(DType.UINT8, scheme), WEIGHT);
      TareException e = assertThrows(TareException.class, () -> backend.check(Mode.STATIC, config));
      assertTrue(e.getMessage().contains(scheme.id()), e.getMessage());
      assertTrue(e.getMessage().contains("per tensor"), e.getMessage());
      // Only static quantization fixes activations.
      backend.check(Mode.DYNAMIC, config);
    }
    QConfig wide = config(tensor(DType.INT32, QScheme.PER_TENSOR_SYMMETRIC), WEIGHT);
    TareException e = assertThrows(TareException.class, () -> backend.check(Mode.STATIC, wide));
    assertTrue(e.getMessage().contains("int32"), e.getMessage());
    assertTrue(e.getMessage().contains("uint8 or int8"), e.getMessage());
  }

  @ParameterizedTest
  @EnumSource
  void takesItsStandard(Backend backend) {
    for (Mode mode : Mode.values()) {
      for (WeightProducts products : WeightProducts.values()) {
        QConfig standard = backend.standard(mode, products);
        backend.check(mode, standard);
        assertTrue(standard.quantized());
        boolean addsPairs = backend == Backend.FBGEMM || backend == Backend.X86;
        boolean saturates = products == WeightProducts.FULL;
        assertEquals(addsPairs && saturates && mode == Mode.STATIC, standard.reduceActivations());
        assertFalse(standard.reduceRange());
        assertEquals(products, standard.products());
      }
      // Only TensorRT runs no kernel of a CPU.
      assertEquals(
          backend == Backend.TENSORRT ? WeightProducts.FULL : WeightProducts.PORTABLE,
          backend.standard(mode).products());
    }
    assertEquals(backend, Backend.of(backend.id()));
  }

  @Test
  void unknownNames() {
    String backend = assertThrows(TareException.class, () -> Backend.of("cuda")).getMessage();
    assertTrue(
        backend.contains("onnxruntime-cpu, fbgemm, x86, onednn, qnnpack, tensorrt"), backend);
    assertTrue(backend.contains("\"cuda\""), backend);
    String mode = assertThrows(TareException.class, () -> Mode.of("qat")).getMessage();
    assertTrue(mode.contains("static, dynamic, weight-only"), mode);
  }

  /** As PyTorch's get_default_qconfig has it, whose weights take the whole range. */
  @Test
  void standardIsThatOfPyTorch() {
    int compared = 0;
    for (JsonNode c : Oracle.read("facts.json").path("default_qconfig")) {
      String name = c.path("backend").asText();
      if (List.of("fbgemm", "x86", "onednn", "qnnpack").contains(name)) {
        QConfig standard = Backend.of(name).standard(Mode.STATIC, WeightProducts.FULL);
        same(c.path("activation"), standard.activation(), standard.reduceActivations());
        same(c.path("weight"), standard.weight(), standard.reduceRange());
        compared++;
      }
    }
    assertEquals(4, compared);
  }

  private static void same(JsonNode expected, TensorQConfig found, boolean reduces) {
    assertEquals(DType.of(expected.path("dtype").asText()), found.dtype());
    assertEquals(expected.path("qscheme").asText(), found.scheme().id());
    assertEquals(expected.path("reduce_range").asBoolean(), reduces);
  }
}
