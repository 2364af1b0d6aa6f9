package org.tare.rewrite;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.plan.ChosenRanges;
import org.tare.plan.QuantizationPlan;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.stats.CalibrationState;

/** Quantizes a prepared float model in the mode that its configuration names. */
public final class Quantization {
  private Quantization() {}

  /** The forms in which a quantized model can be written. */
  public enum Form {
    /**
     * Pairs of QuantizeLinear and DequantizeLinear, which runtimes fuse; ONNX's operators, but for
     * those of the model itself and for recurrent layers.
     */
    QDQ,
    /**
     * Operators on integers: QLinearConv, QLinearMatMul and ONNX Runtime's own; for 4-bit weights
     * MatMulNBits.
     */
    QOPERATOR
  }

  /**
   * Quantizes a copy of the model.
   *
   * @param types of all tensors, as the runtime infers them
   * @param state what calibration observed; only the static mode needs it, where the model has
   *     layers with ranges from data
   * @param metadata goes into the model's metadata_props
   * @throws TareException if the mode needs a state and there is none, or if the state lacks a
   *     tensor, or if a weight holds NaN or infinities
   */
  public static QuantizedModel quantize(
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      Form form,
      Optional<CalibrationState> state,
      Map<String, String> metadata) {
    return quantizeWith(prepared, types, mapping, form, state.map(ChosenRanges::new), metadata);
  }

  /** The same with ranges of a state, which several quantizations of one model share. */
  public static QuantizedModel quantizeWith(
      OnnxModel prepared,
      Map<String, TensorType> types,
      QConfigMapping mapping,
      Form form,
      Optional<ChosenRanges> ranges,
      Map<String, String> metadata) {
    QuantizedModel quantized;
    if (mapping.mode() == Mode.STATIC) {
      ChosenRanges observed = ranges.orElseGet(() -> noRanges(prepared, types, mapping));
      quantized = QdqRewriter.quantize(prepared, types, mapping, observed, metadata);
      if (form == Form.QOPERATOR) {
        quantized = QOperatorRewriter.rewrite(quantized);
      }
      if (!mapping.backend().quantizesInputsOnly()) {
        quantized = DataFreeRewriter.complete(quantized, mapping, observed::weight);
      }
    } else {
      quantized = DataFreeRewriter.quantize(prepared, types, mapping, form == Form.QDQ);
    }
    quantized.model().metadata().putAll(metadata);
    return quantized;
  }

  /** Some models need none: those of nothing but recurrent layers or loops, say. */
  private static ChosenRanges noRanges(
      OnnxModel prepared, Map<String, TensorType> types, QConfigMapping mapping) {
    if (!QuantizationPlan.of(prepared, types, mapping).observed().isEmpty()) {
      throw TareException.usage(
          "Missing the calibration state that the mode static needs: set state");
    }
    return new ChosenRanges(new CalibrationState(prepared.digest(), 0, new TreeMap<>()));
  }

  /**
   * Writes down the shapes of what residual additions add, with names for what varies, so that
   * runtimes see that they are equal.
   *
   * @param types of the prepared model's tensors
   */
  public static void declareShapes(
      QuantizedModel quantized, OnnxModel prepared, Map<String, TensorType> types) {
    ResidualShapes.declare(quantized.model().graph(), prepared.graph(), types);
  }

  /** Stores large constants that stay float32 as float16, see {@link HalfWeights}. */
  public static void storeAsHalf(QuantizedModel quantized) {
    HalfWeights.apply(quantized.model().graph());
  }
}
