package org.tare.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.TareException;

class QParamsRuleTest {
  /** The table of ONNX Runtime's own test of compute_scale_zp, run with 1.30. */
  @ParameterizedTest
  @CsvSource({
    "0, 0, int8, true, false, 0, 1.0",
    "1, -1, int8, true, false, 0, 1.0",
    "-1, 2, int8, true, false, 0, 0.0157480314",
    "-1, 2, uint8, true, false, 128, 0.0156862754",
    "-1, 2, uint8, false, false, 85, 0.0117647061",
    "-1, 2, int8, false, false, -43, 0.0117647061",
    "-1, 2, int8, true, true, 0, 0.03125",
    "0.5, 2, uint8, false, false, 0, 0.0078431377",
    "-3, -1, uint8, false, false, 255, 0.0117647061",
    "-3, -1, int8, false, false, 127, 0.0117647061",
    "0, 1, int8, false, false, -128, 0.0039215689",
    "-1.18e-39, 1.18e-39, uint8, true, false, 0, 1.0"
  })
  void agreesWithOnnxRuntime(
      float min,
      float max,
      String dtype,
      boolean symmetric,
      boolean reduceRange,
      int zeroPoint,
      float scale) {
    QParams q =
        QParamsRule.ONNXRUNTIME.spec(DType.of(dtype), symmetric, reduceRange).qparams(min, max);
    assertEquals(zeroPoint, q.zeroPoint());
    assertEquals(scale, q.scale());
  }

  /** Types and limits of the same table that are given by hand. */
  @ParameterizedTest
  @CsvSource({
    "-1, 2, int8, true, -127, 127, 0, 0.0157480314",
    "-1, 2, int8, false, -127, 127, -42, 0.0118110236",
    "-1, 2, int8, true, -64, 64, 0, 0.03125",
    "0, 4, uint8, false, 0, 255, 0, 0.0156862754",
    "-1, 2, uint4, false, 0, 15, 5, 0.2",
    "-8, 7, int4, false, -8, 7, 0, 1.0",
    "0, 65535, uint16, false, 0, 65535, 0, 1.0",
    "-32767, 5, int16, true, -32767, 32767, 0, 1.0"
  })
  void explicitLimits(
      float min,
      float max,
      String dtype,
      boolean symmetric,
      int quantMin,
      int quantMax,
      int zeroPoint,
      float scale) {
    QParams q =
        QParamsRule.ONNXRUNTIME
            .spec(
                DType.of(dtype),
                symmetric,
                false,
                OptionalInt.of(quantMin),
                OptionalInt.of(quantMax),
                0)
            .qparams(min, max);
    assertEquals(zeroPoint, q.zeroPoint());
    assertEquals(scale, q.scale());
    assertEquals(quantMin, q.quantMin());
    assertEquals(quantMax, q.quantMax());
  }

  @Test
  void limitsThatCannotBeAreRefused() {
    assertSays("0 does not lie between them", DType.UINT8, 1, 255);
    assertSays("it is not below quant_max 0", DType.UINT8, 0, 0);
    assertSays("uint8 holds 0 to 255", DType.UINT8, -300, 300);
  }

  private static void assertSays(String part, DType dtype, int quantMin, int quantMax) {
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                QParamsRule.PYTORCH
                    .spec(
                        dtype,
                        false,
                        false,
                        OptionalInt.of(quantMin),
                        OptionalInt.of(quantMax),
                        TorchQParams.EPS)
                    .qparams(-1, 1));
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  /** PyTorch's tutorial figures: seed tensors' min-max, affine and symmetric. */
  @Test
  void agreesWithPyTorchsPrintedFigures() {
    QParams affine = QParamsRule.PYTORCH.spec(DType.UINT8, false).qparams(-2.1246f, 1.5558f);
    assertEquals(0.0144, affine.scale(), 5e-5);
    assertEquals(147, affine.zeroPoint());
    QParams symmetric = QParamsRule.PYTORCH.spec(DType.UINT8, true).qparams(-1.1975f, 1.0f);
    assertEquals(0.0094, symmetric.scale(), 5e-5);
    assertEquals(128, symmetric.zeroPoint());
  }

  @Test
  void roundsHalfToEvenAndSaturates() {
    QParams q = QParams.of(1f, 0, DType.INT8);
    float[] given = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 200f, -200f};
    int[] expected = {0, 2, 2, 0, -2, 127, -128};
    for (int i = 0; i < given.length; i++) {
      assertEquals(expected[i], q.quantize(given[i]), "of " + given[i]);
    }
  }

  /**
   * Against the formula in float64, for all bits that a float32 can have, and near all integers.
   */
  @Test
  void integersAreThoseOfTheFormula() {
    Random random = new Random(5);
    for (int i = 0; i < 2_000_000; i++) {
      DType dtype = DType.values()[random.nextInt(DType.values().length)];
      long span = (long) dtype.max() - dtype.min() + 1;
      int zeroPoint = (int) (dtype.min() + (random.nextLong() >>> 1) % span);
      float scale = (float) Math.scalb(0.5 + random.nextDouble(), random.nextInt(80) - 40);
      QParams q = QParams.of(scale, zeroPoint, dtype);
      float x =
          random.nextBoolean()
              ? Float.intBitsToFloat(random.nextInt())
              : (random.nextInt(1 << random.nextInt(31)) / 2f) * scale;
      double rounded = Math.rint(x / scale) + zeroPoint;
      int expected =
          Float.isNaN(x) ? zeroPoint : (int) Math.min(dtype.max(), Math.max(dtype.min(), rounded));
      assertEquals(expected, q.quantize(x), () -> x + " by " + q);
    }
  }

  @Test
  void specialValuesHaveTheirAnswers() {
    QParams q = QParams.of(0.5f, 10, DType.UINT8);
    assertEquals(10, q.quantize(Float.NaN));
    assertEquals(255, q.quantize(Float.POSITIVE_INFINITY));
    assertEquals(0, q.quantize(Float.NEGATIVE_INFINITY));
    assertEquals(10, q.quantize(-0.0f));
    assertEquals(10, q.quantize(Float.MIN_VALUE));
    assertEquals(255, q.quantize(Float.MAX_VALUE));
  }

  @Test
  void rangesThatAreNotFiniteAreRefused() {
    for (QParamsRule rule : QParamsRule.values()) {
      assertThrows(
          IllegalArgumentException.class,
          () -> rule.spec(DType.UINT8, false).qparams(Float.NaN, 1));
      assertThrows(
          IllegalArgumentException.class,
          () -> rule.spec(DType.UINT8, false).qparams(0, Float.POSITIVE_INFINITY));
    }
  }

  @Test
  void widestRangeOverflowsNothing() {
    QParams q =
        QParamsRule.ONNXRUNTIME.spec(DType.UINT8, false).qparams(-Float.MAX_VALUE, Float.MAX_VALUE);
    assertEquals(2.0 * Float.MAX_VALUE / 255, q.scale(), 1e32);
  }

  /** ONNX Runtime's bias guard, with the numbers its quantizer wrote. */
  @Test
  void guardsBiasAgainstOverflow() {
    float[] weights = {1e-7f, 5e-8f};
    float[] bias = {5f, -4.5f};
    WeightQuantizer quantizer = new WeightQuantizer(QParamsRule.ONNXRUNTIME.spec(DType.INT8, true));
    ChannelQParams perTensor = WeightQuantizer.guardBias(quantizer.perTensor(weights), 0.5f, bias);
    assertEquals(4.657079e-9f, perTensor.scales()[0], 1e-15f);
    assertArrayEquals(
        new int[] {2147268834, -1932541951},
        WeightQuantizer.quantizeBias(bias, WeightQuantizer.biasScales(0.5f, perTensor)));
    assertArrayEquals(
        new int[] {21, 11}, WeightQuantizer.quantize(weights, new long[] {2, 1}, perTensor));
    ChannelQParams perChannel =
        WeightQuantizer.guardBias(quantizer.perChannel(weights, new long[] {2, 1}, 0), 0.5f, bias);
    assertArrayEquals(new float[] {4.657079e-9f, 4.191371e-9f}, perChannel.scales(), 1e-15f);
    assertArrayEquals(
        new int[] {2147268834, -2147268857},
        WeightQuantizer.quantizeBias(bias, WeightQuantizer.biasScales(0.5f, perChannel)));
  }
}
