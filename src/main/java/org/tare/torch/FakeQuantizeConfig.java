package org.tare.torch;

/**
 * A fake quantization with its observer, as {@code FakeQuantize.with_args(observer=…)} holds it.
 *
 * @param kind which of PyTorch's classes
 */
public record FakeQuantizeConfig(Kind kind, ObserverConfig observer) {
  /** PyTorch's fake quantizations. */
  public enum Kind {
    /** Observes, computes qparams, quantizes and dequantizes. */
    FAKE_QUANTIZE("FakeQuantize"),
    /** The same in one kernel, with a moving average and {@link org.tare.quant.DynamicQParams}. */
    FUSED_MOVING_AVERAGE("FusedMovingAvgObsFakeQuantize"),
    /** With given qparams. */
    FIXED_QPARAMS("FixedQParamsFakeQuantize"),
    /** Scale and zero point are learned. */
    LEARNABLE("_LearnableFakeQuantize");

    private final String className;

    Kind(String className) {
      this.className = className;
    }

    /** The name of PyTorch's class. */
    public String className() {
      return className;
    }
  }
}
