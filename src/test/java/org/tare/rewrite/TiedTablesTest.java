package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.infer.ConstantFolding;
import org.tare.infer.StoredForms;
import org.tare.infer.TensorTypes;
import org.tare.inspect.Saturation;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.rewrite.Quantization.Form;

/** A matrix that is an embedding table and a product's weight is stored once. */
class TiedTablesTest {
  private static final int ROWS = 96;
  private static final int COLUMNS = 16;

  /** How the product reads the table. */
  enum Tie {
    TRANSPOSED_MATMUL,
    TRANSPOSED_GEMM,
    GEMM_TRANS_B,
    UPRIGHT,
    ANOTHER_CONSTANT
  }

  private static float[] numbers(int seed, int size) {
    Random random = new Random(seed);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Rows of different sizes, so that the scales of rows and columns matter. */
  private static float[] table() {
    float[] values = numbers(1, ROWS * COLUMNS);
    for (int i = 0; i < values.length; i++) {
      values[i] *= 0.2f + (i / COLUMNS) % 7;
    }
    return values;
  }

  private static OnnxModel model(Tie tie, long... ids) {
    TestModel model =
        TestModel.opset(17)
            .input("x", ids)
            .node("Cast", List.of("x"), List.of("ids"), "to", (long) ElementType.INT64.code())
            .constant("E", new long[] {ROWS, COLUMNS}, table())
            .node("Gather", List.of("E", "ids"), List.of("h"))
            .constant("w", new long[] {COLUMNS, COLUMNS}, numbers(2, COLUMNS * COLUMNS))
            .node("MatMul", List.of("h", "w"), List.of("a"))
            .node("Relu", List.of("a"), List.of("r"));
    switch (tie) {
      case TRANSPOSED_MATMUL ->
          model
              .node("Transpose", List.of("E"), List.of("t"))
              .node("MatMul", List.of("r", "t"), List.of("y"));
      case TRANSPOSED_GEMM ->
          model
              .node("Transpose", List.of("E"), List.of("t"))
              .node("Gemm", List.of("r", "t"), List.of("y"));
      case GEMM_TRANS_B -> model.node("Gemm", List.of("r", "E"), List.of("y"), "transB", 1L);
      case UPRIGHT ->
          model
              .constant("v", new long[] {COLUMNS, ROWS}, numbers(3, ROWS * COLUMNS))
              .node("MatMul", List.of("r", "v"), List.of("b"))
              .node("Relu", List.of("b"), List.of("c"))
              .node("MatMul", List.of("c", "E"), List.of("y"));
      case ANOTHER_CONSTANT -> {
        Tensor turned =
            Tensor.ofFloats("E", new long[] {ROWS, COLUMNS}, table()).transposed("head");
        model.initializer(turned).node("MatMul", List.of("r", "head"), List.of("y"));
      }
    }
    return model.output("y").read();
  }

  static Stream<Arguments> cases() {
    List<Arguments> cases = new ArrayList<>();
    for (Tie tie : Tie.values()) {
      boolean isGemm = tie == Tie.TRANSPOSED_GEMM || tie == Tie.GEMM_TRANS_B;
      for (Mode mode : Mode.values()) {
        for (int rank = isGemm ? 1 : 0; rank <= (isGemm ? 1 : 2); rank++) {
          cases.add(Arguments.of(tie, mode, Form.QDQ, true, rank));
        }
        cases.add(Arguments.of(tie, mode, Form.QOPERATOR, true, 1));
        cases.add(Arguments.of(tie, mode, Form.QDQ, false, 1));
      }
    }
    return cases.stream();
  }

  private static QConfigMapping mapping(
      Mode mode, boolean perChannel, QConfigMapping.Rule... rules) {
    Backend backend = Backend.ONNXRUNTIME_CPU;
    QConfig standard = backend.standard(mode);
    TensorQConfig weight = standard.weight();
    TensorQConfig other =
        new TensorQConfig(weight.method(), weight.dtype(), weight.scheme().perTensor());
    QConfig config = new QConfig(true, standard.activation(), perChannel ? weight : other, false);
    return new QConfigMapping(mode, backend, config, List.of(rules));
  }

  private static Values ids(int rank) {
    return switch (rank) {
      case 0 -> new Values(new long[0], new float[] {5});
      case 1 -> new Values(new long[] {4}, new float[] {0, 95, -1, 17});
      default -> new Values(new long[] {2, 3}, new float[] {1, 2, 3, 94, -96, 40});
    };
  }

  private static double decibels(Values expected, Values given) {
    double signal = 0;
    double error = 0;
    for (int i = 0; i < expected.floats().length; i++) {
      signal += Math.pow(expected.floats()[i], 2);
      error += Math.pow(expected.floats()[i] - given.floats()[i], 2);
    }
    return 10 * Math.log10(signal / error);
  }

  private static List<Tensor> large(OnnxModel model) {
    return model.graph().constants().stream()
        .filter(t -> t.size() >= ROWS * COLUMNS && !t.name().startsWith("v"))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void theMatrixIsStoredOnce(Tie tie, Mode mode, Form form, boolean perChannel, int rank) {
    Values ids = ids(rank);
    OnnxModel original = model(tie, ids.shape());
    QuantizedModel quantized =
        TestModel.quantize(original, Map.of("x", ids), mapping(mode, perChannel), form);
    List<Tensor> large = large(quantized.model());
    assertEquals(1, large.size(), large.toString());
    assertEquals(ElementType.INT8, large.get(0).type());
    Values expected = TestModel.run(original, Map.of("x", ids)).get("y");
    Values given = TestModel.run(quantized.model(), Map.of("x", ids)).get("y");
    assertEquals(List.of(box(expected.shape())), List.of(box(given.shape())));
    double decibels = decibels(expected, given);
    assertTrue(decibels > (perChannel ? 28 : 20), decibels + " dB");
    assertEquals(List.of(), Saturation.of(quantized.model()));
    assertTrue(quantized.weights().containsKey("E"));
  }

  private static List<Long> box(long[] shape) {
    return java.util.Arrays.stream(shape).boxed().toList();
  }

  /** A product that stays float32 reads floats; a copy in integers would only be more. */
  @ParameterizedTest
  @EnumSource(Tie.class)
  void aLookupStaysFloatBesideAProductThatDoes(Tie tie) {
    OnnxModel original = model(tie, 4);
    for (Mode mode : Mode.values()) {
      QConfig standard = Backend.ONNXRUNTIME_CPU.standard(mode);
      QConfigMapping mapping =
          mapping(mode, true, QConfigMapping.Rule.byName("y", standard.asFloat()));
      QuantizedModel quantized = TestModel.quantize(original, Map.of("x", ids(1)), mapping);
      StoredForms.restore(quantized.model(), original, "test");
      assertTrue(
          TestModel.bytes(quantized.model()).length <= TestModel.bytes(original).length + 900,
          tie + " " + mode);
      assertEquals(
          tie == Tie.ANOTHER_CONSTANT ? 2 : 1, large(quantized.model()).size(), tie + " " + mode);
      assertTrue(
          quantized.floatNodes().stream()
              .anyMatch(
                  n -> n.reason().equals("its table is also read by a node that stays float32")),
          quantized.floatNodes().toString());
    }
  }

  /** Blocks of 4 bits are of another kind than rows of bytes: two copies, one of them half. */
  @Test
  void productsOfFourBitsKeepACopyOfTheirOwn() {
    OnnxModel original = model(Tie.TRANSPOSED_MATMUL, 4);
    QConfig standard = Backend.ONNXRUNTIME_CPU.standard(Mode.WEIGHT_ONLY);
    QConfig blocks =
        new QConfig(
            true,
            standard.activation(),
            new TensorQConfig(
                standard.weight().method(), DType.UINT4, QScheme.PER_CHANNEL_AFFINE, 16, 4),
            false);
    OnnxModel prepared = FloatPasses.prepare(ConstantFolding.apply(original, "test"));
    QuantizedModel quantized =
        Quantization.quantize(
            prepared,
            TensorTypes.of(prepared, "test"),
            new QConfigMapping(Mode.WEIGHT_ONLY, Backend.ONNXRUNTIME_CPU, blocks, List.of()),
            Form.QOPERATOR,
            Optional.empty(),
            Map.of());
    assertTrue(large(quantized.model()).stream().noneMatch(Tensor::isFloat));
    Values ids = ids(1);
    double decibels =
        decibels(
            TestModel.run(original, Map.of("x", ids)).get("y"),
            TestModel.run(quantized.model(), Map.of("x", ids)).get("y"));
    assertTrue(decibels > 15, decibels + " dB");
  }
}
