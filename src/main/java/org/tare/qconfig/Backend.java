package org.tare.qconfig;

import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

/**
 * The kernels that a quantized model is made for: what they take by default and at all, and where
 * they want the pairs of QuantizeLinear and DequantizeLinear.
 *
 * <p>Types and schemes of FBGEMM, x86, oneDNN and QNNPACK are those of PyTorch's {@code
 * get_default_qconfig}; TensorRT's are those of its developer guide on explicit quantization.
 */
public enum Backend {
  /**
   * ONNX Runtime's CPU provider, which has products of integers with float results. Products of two
   * activations stay float: they gain little.
   */
  ONNXRUNTIME_CPU(DType.UINT8, QScheme.PER_TENSOR_AFFINE, QScheme.PER_CHANNEL_SYMMETRIC),
  /**
   * PyTorch's FBGEMM. PyTorch keeps a bit of its activations free, since its kernels add pairs of
   * products in 16 bits where the CPU lacks VNNI. Weights that keep to a limit are exact there with
   * 8 bits of activations, which lose less, so that a bit stays free only beside {@link
   * WeightProducts#FULL}.
   */
  FBGEMM(DType.UINT8, QScheme.PER_TENSOR_AFFINE, QScheme.PER_CHANNEL_SYMMETRIC),
  /** PyTorch's x86 engine, which is FBGEMM and oneDNN: as {@link #FBGEMM}. */
  X86(DType.UINT8, QScheme.PER_TENSOR_AFFINE, QScheme.PER_CHANNEL_SYMMETRIC),
  /** PyTorch's oneDNN engine. */
  ONEDNN(DType.UINT8, QScheme.PER_TENSOR_AFFINE, QScheme.PER_CHANNEL_SYMMETRIC),
  /** PyTorch's engine for ARM. */
  QNNPACK(DType.UINT8, QScheme.PER_TENSOR_AFFINE, QScheme.PER_TENSOR_SYMMETRIC),
  /**
   * NVIDIA TensorRT: symmetric on both sides, pairs on the inputs of convolutions and products and
   * on the shortcut of a residual addition, float biases, no pair after an operator. Its kernels
   * add in 32 bits, so that its weights take the whole range unless told otherwise.
   */
  TENSORRT(DType.INT8, QScheme.PER_TENSOR_SYMMETRIC, QScheme.PER_CHANNEL_SYMMETRIC);

  private static final Set<DType> EIGHT_BITS = Set.of(DType.UINT8, DType.INT8);

  /** ONNX Runtime rounds to these, and computes in floats between. */
  private static final Set<DType> SIXTEEN_BITS = Set.of(DType.UINT16, DType.INT16);

  private final DType activationType;
  private final QScheme activationScheme;
  private final QScheme weightScheme;

  Backend(DType activationType, QScheme activationScheme, QScheme weightScheme) {
    this.activationType = activationType;
    this.activationScheme = activationScheme;
    this.weightScheme = weightScheme;
  }

  /** The name in settings: {@code onnxruntime-cpu}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * The backend of the given name.
   *
   * @throws TareException if there is none
   */
  public static Backend of(String name) {
    for (Backend backend : values()) {
      if (backend.id().equals(name)) {
        return backend;
      }
    }
    throw TareException.usage(
        "quantize.backend cannot be \"%s\": it is %s",
        name, Arrays.stream(values()).map(Backend::id).collect(Collectors.joining(", ")));
  }

  /** The products that it takes unless told otherwise: only TensorRT is never run by a CPU. */
  public WeightProducts products() {
    return this == TENSORRT ? WeightProducts.FULL : WeightProducts.PORTABLE;
  }

  /** What it takes unless told otherwise. */
  public QConfig standard(Mode mode) {
    return standard(mode, products());
  }

  /** What it takes unless told otherwise, for the given products. */
  public QConfig standard(Mode mode, WeightProducts products) {
    boolean addsPairs = (this == FBGEMM || this == X86) && products == WeightProducts.FULL;
    return new QConfig(
        true,
        new TensorQConfig(new RangeMethod.Mse(), activationType, activationScheme),
        new TensorQConfig(new RangeMethod.MinMax(), DType.INT8, weightScheme),
        false,
        addsPairs && mode == Mode.STATIC,
        false,
        products);
  }

  /** Whether pairs stand on the inputs of an operator only, and biases stay float. */
  public boolean quantizesInputsOnly() {
    return this == TENSORRT;
  }

  /**
   * Whether the result of every product is rounded to integers, as PyTorch's modules do; else only
   * where another product reads it, and sums, softmax and normalizations get floats.
   */
  public boolean roundsProducts() {
    return this != ONNXRUNTIME_CPU && this != TENSORRT;
  }

  /** Whether products of two activations are computed in integers. */
  public boolean quantizesProducts() {
    return this == TENSORRT;
  }

  /**
   * Does nothing if the backend's kernels can carry the configuration out.
   *
   * @throws TareException that says what it takes
   */
  public void check(Mode mode, QConfig config) {
    if (!config.quantized()) {
      return;
    }
    checkWeight(mode, config.weight());
    if (mode == Mode.STATIC) {
      checkActivation(config.activation());
    }
  }

  private void checkActivation(TensorQConfig activation) {
    if (activation.scheme().isPerChannel()) {
      throw TareException.usage(
          "quantize.activation.scheme cannot be %s: activations are quantized per tensor",
          activation.scheme().id());
    }
    boolean isSixteenBits = SIXTEEN_BITS.contains(activation.dtype());
    if (!EIGHT_BITS.contains(activation.dtype()) && !(isSixteenBits && this == ONNXRUNTIME_CPU)) {
      throw TareException.usage(
          "quantize.activation.dtype cannot be %s: static quantization takes uint8 or int8%s",
          activation.dtype().id(),
          isSixteenBits ? "; 16 bits need the backend onnxruntime-cpu" : "");
    }
    boolean fits =
        switch (this) {
          case TENSORRT -> activation.dtype() == DType.INT8 && activation.scheme().isSymmetric();
          case QNNPACK -> activation.dtype() == DType.UINT8 || activation.scheme().isSymmetric();
          case FBGEMM, X86, ONEDNN -> activation.dtype() == DType.UINT8;
          case ONNXRUNTIME_CPU -> true;
        };
    if (!fits) {
      throw TareException.usage(
          "quantize.activation cannot be %s %s with the backend %s: its kernels take %s",
          activation.dtype().id(),
          activation.scheme().id(),
          id(),
          switch (this) {
            case TENSORRT -> "int8 per_tensor_symmetric, zero point 0";
            case QNNPACK -> "uint8, or int8 per_tensor_symmetric";
            default -> "uint8";
          });
    }
  }

  private void checkWeight(Mode mode, TensorQConfig weight) {
    boolean isFourBits = weight.dtype() == DType.INT4 || weight.dtype() == DType.UINT4;
    if (weight.dtype() == DType.INT4 && mode == Mode.STATIC && this == ONNXRUNTIME_CPU) {
      if (!weight.scheme().isSymmetric() || weight.block() != 0) {
        throw TareException.usage(
            "quantize.weight cannot be %s %s%s: static quantization takes int4 symmetric, without"
                + " blocks",
            weight.dtype().id(),
            weight.scheme().id(),
            weight.block() == 0 ? "" : " in blocks of " + weight.block());
      }
    } else if (isFourBits && mode == Mode.WEIGHT_ONLY && this == ONNXRUNTIME_CPU) {
      if (weight.block() == 0) {
        throw TareException.usage(
            "quantize.weight.dtype cannot be %s without blocks: set quantize.weight.block, to 32 say",
            weight.dtype().id());
      }
      if (weight.scheme().isSymmetric() == (weight.dtype() == DType.UINT4)) {
        throw TareException.usage(
            "quantize.weight cannot be %s %s: 4-bit weights are uint4 affine or int4 symmetric",
            weight.dtype().id(), weight.scheme().id());
      }
    } else if (weight.dtype() != DType.INT8 || !weight.scheme().isSymmetric()) {
      throw TareException.usage(
          "quantize.weight cannot be %s %s: %s quantization takes int8, symmetric%s",
          weight.dtype().id(),
          weight.scheme().id(),
          mode.id(),
          isFourBits
              ? "; 4 bits need the backend onnxruntime-cpu and the mode weight-only, or static with"
                  + " int4"
              : "");
    } else if (weight.block() != 0) {
      throw TareException.usage(
          "quantize.weight.block cannot be %d: blocks are for 4-bit weights", weight.block());
    }
    boolean isSearched =
        weight.method() instanceof RangeMethod.MinMax || weight.method() instanceof RangeMethod.Mse;
    if (!isSearched) {
      throw TareException.usage(
          "quantize.weight.method cannot be %s: weights take minmax or mse", weight.method().id());
    }
  }
}
