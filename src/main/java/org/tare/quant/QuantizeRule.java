package org.tare.quant;

/**
 * How a number becomes an integer, given the qparams: tools differ in exact halves and in the last
 * bit before them.
 *
 * <p>In all of them NaN becomes the zero point, infinities saturate, -0.0 is 0.0 and ties go to
 * even. (PyTorch leaves NaN and what exceeds int64 undefined; 1.13 gives quant_min for all of it.)
 */
public enum QuantizeRule {
  /** QuantizeLinear: divides in float32, rounds, then adds the zero point. */
  ONNX {
    @Override
    double rounded(float x, float scale, int zeroPoint) {
      return Math.rint(x / scale) + zeroPoint;
    }
  },

  /**
   * PyTorch without FBGEMM, and its fake quantization everywhere: multiplies by the float32
   * reciprocal of the scale, rounds, then adds the zero point.
   */
  PYTORCH {
    @Override
    double rounded(float x, float scale, int zeroPoint) {
      return Math.rint(x * (1f / scale)) + zeroPoint;
    }
  },

  /** PyTorch with FBGEMM, 2.13: adds the zero point in float32, then rounds. */
  PYTORCH_FBGEMM {
    @Override
    double rounded(float x, float scale, int zeroPoint) {
      return Math.rint(x * (1f / scale) + zeroPoint);
    }
  };

  /** The integer before saturation, as a whole double; NaN for NaN. */
  abstract double rounded(float x, float scale, int zeroPoint);

  /** The integer of {@code x}. */
  public int quantize(float x, float scale, int zeroPoint, int quantMin, int quantMax) {
    double rounded = rounded(x, scale, zeroPoint);
    if (Double.isNaN(rounded)) {
      return zeroPoint;
    }
    return (int) Math.min(quantMax, Math.max(quantMin, rounded));
  }

  /**
   * The integer of {@code x} where the zero point is a float32, as PyTorch computes it for
   * embeddings: {@code rint(x * (1 / scale) + zeroPoint)}.
   */
  public static int quantizeWithFloatZeroPoint(
      float x, float scale, float zeroPoint, int quantMin, int quantMax) {
    double rounded = Math.rint(x * (1f / scale) + zeroPoint);
    return (int) Math.min(quantMax, Math.max(quantMin, rounded));
  }

  /** The number that {@code q} stands for with a float32 zero point. */
  public static float dequantizeWithFloatZeroPoint(int q, float scale, float zeroPoint) {
    return (q - zeroPoint) * scale;
  }
}
