package org.tare.torch;

import java.util.Optional;
import org.tare.quant.DType;
import org.tare.quant.QScheme;

/**
 * PyTorch's default QConfigs by backend, 1.13.1 (unchanged in 2.13): how activations and weights
 * are observed after training, and how fake-quantized in training.
 *
 * @param activation how activations are observed, or fake-quantized
 * @param weight the same for weights
 */
public record TorchQConfig(Module activation, Module weight) {
  private static final float NARROW_EPS = 0x1p-12f;

  /**
   * An observer, by itself or inside a fake quantization.
   *
   * @param fakeQuantize empty for an observer by itself
   */
  public record Module(Optional<FakeQuantizeConfig.Kind> fakeQuantize, ObserverConfig observer) {
    static Module of(ObserverConfig observer) {
      return new Module(Optional.empty(), observer);
    }

    static Module of(FakeQuantizeConfig.Kind kind, ObserverConfig observer) {
      return new Module(Optional.of(kind), observer);
    }
  }

  /** {@code get_default_qconfig(backend)}: post-training. */
  public static TorchQConfig postTraining(String backend) {
    ObserverConfig histogram = ObserverConfig.of(ObserverKind.HISTOGRAM);
    return switch (backend) {
      case "fbgemm", "x86" -> of(histogram.withReducedRange(), perChannelWeight());
      case "qnnpack" -> of(histogram, perTensorWeight());
      case "onednn" -> of(histogram, perChannelWeight());
      default -> of(ObserverConfig.of(ObserverKind.MIN_MAX).withRange(0, 127), perTensorWeight());
    };
  }

  /**
   * {@code get_default_qat_qconfig(backend, version)}.
   *
   * @param version 0 with {@code FakeQuantize}, 1 with the fused module
   */
  public static TorchQConfig training(String backend, int version) {
    FakeQuantizeConfig.Kind kind =
        version == 0
            ? FakeQuantizeConfig.Kind.FAKE_QUANTIZE
            : FakeQuantizeConfig.Kind.FUSED_MOVING_AVERAGE;
    ObserverConfig activation = ObserverConfig.of(ObserverKind.MOVING_AVERAGE).withRange(0, 255);
    ObserverConfig perTensor =
        ObserverConfig.of(ObserverKind.MOVING_AVERAGE)
            .with(DType.INT8, QScheme.PER_TENSOR_SYMMETRIC)
            .withRange(-128, 127);
    ObserverConfig perChannel =
        ObserverConfig.of(ObserverKind.MOVING_AVERAGE_PER_CHANNEL)
            .with(DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC)
            .withRange(-128, 127);
    return switch (backend) {
      case "fbgemm", "x86" ->
          new TorchQConfig(
              Module.of(kind, activation.withReducedRange()), Module.of(kind, perChannel));
      case "qnnpack" -> new TorchQConfig(Module.of(kind, activation), Module.of(kind, perTensor));
      case "onednn" -> new TorchQConfig(Module.of(kind, activation), Module.of(kind, perChannel));
      default ->
          new TorchQConfig(
              Module.of(kind, version == 0 ? activation.withReducedRange() : activation),
              Module.of(kind, perTensor));
    };
  }

  /** QNNPACK's symmetric variant: eps 2^-12 and weights in -127..127. */
  public static TorchQConfig symmetricQnnpack(boolean perChannel) {
    ObserverConfig weight = perChannel ? perChannelWeight() : perTensorWeight();
    return of(
        ObserverConfig.of(ObserverKind.HISTOGRAM)
            .with(DType.INT8, QScheme.PER_TENSOR_AFFINE)
            .withEps(NARROW_EPS),
        weight.withRange(-127, 127).withEps(NARROW_EPS));
  }

  private static TorchQConfig of(ObserverConfig activation, ObserverConfig weight) {
    return new TorchQConfig(Module.of(activation), Module.of(weight));
  }

  private static ObserverConfig perTensorWeight() {
    return ObserverConfig.of(ObserverKind.MIN_MAX).with(DType.INT8, QScheme.PER_TENSOR_SYMMETRIC);
  }

  private static ObserverConfig perChannelWeight() {
    return ObserverConfig.of(ObserverKind.PER_CHANNEL)
        .with(DType.INT8, QScheme.PER_CHANNEL_SYMMETRIC);
  }
}
