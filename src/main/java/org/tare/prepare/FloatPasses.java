package org.tare.prepare;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import org.tare.TareException;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.prepare.FoldBatchNormalization.Moments;

/**
 * What is done to the float model before it is calibrated. The result computes the same function,
 * up to float32 rounding and to what the options say; calibration and quantization both start from
 * it, so that the names of tensors in a state are those of the quantized model's rewriting.
 */
public final class FloatPasses {
  private FloatPasses() {}

  /**
   * Passes that are off unless asked for: see {@link CrossLayerEqualization}.
   *
   * @param equalize rescale channels of neighbouring layers to equal ranges
   * @param absorbHighBias then move what a channel always exceeds into the next layer's bias; rare
   *     values below change the result
   * @param reluInsteadOfRelu6 before, give up the upper bound of ReLU6 between such layers; values
   *     above 6 change the result
   */
  public record Options(boolean equalize, boolean absorbHighBias, boolean reluInsteadOfRelu6) {
    public Options {
      if (!equalize && (absorbHighBias || reluInsteadOfRelu6)) {
        throw TareException.usage(
            "prepare.absorb-bias and prepare.relu-for-relu6 are parts of prepare.equalize, which is"
                + " off");
      }
    }

    public static Options none() {
      return new Options(false, false, false);
    }

    /** The options that are on. The text must never change: digests are made of it. */
    private String text() {
      return "equalize"
          + (absorbHighBias ? " absorb-bias" : "")
          + (reluInsteadOfRelu6 ? " relu-for-relu6" : "");
    }
  }

  /**
   * A copy of the model with its operator set raised to {@value OnnxModel#MINIMUM_OPSET} if it is
   * older, its own functions in the place of their calls, constants as initializers, products that
   * an Einsum writes as MatMul, batch normalizations and arithmetic per channel folded, and
   * hard-swish fused.
   */
  public static OnnxModel prepare(OnnxModel model) {
    return prepare(model, Options.none(), unknown -> Map.of());
  }

  /**
   * A copy of the model with the nodes of its own functions in the place of their calls, in
   * operator set {@value OnnxModel#MINIMUM_OPSET} or a newer one; a model without functions as it
   * is.
   *
   * @param types as {@link #prepare} takes it
   */
  public static OnnxModel withoutFunctions(
      OnnxModel model, Function<OnnxModel, Map<String, TensorType>> types) {
    if (!model.hasFunctions()) {
      return model;
    }
    OnnxModel inlined = model.copy();
    ConstantNodes.apply(inlined.graph());
    OpsetUpgrade.apply(inlined, types);
    ConstantNodes.apply(inlined.graph());
    return inlined;
  }

  /**
   * The same, with the options' passes after it. A model for which any is on has a digest of its
   * own, and says in its metadata, as {@code tare.prepare}, which are.
   *
   * @param types finds the types of a model's tensors, as far as they are known; is asked only
   *     where they make the result simpler
   */
  public static OnnxModel prepare(
      OnnxModel model, Options options, Function<OnnxModel, Map<String, TensorType>> types) {
    return prepare(model, options, types, one -> {});
  }

  /**
   * The batch normalizations that preparing a model folds into layers, in the order of the graph.
   *
   * @param types as {@link #prepare} takes it
   */
  public static List<FoldedBatchNormalization> foldedBatchNormalizations(
      OnnxModel model, Function<OnnxModel, Map<String, TensorType>> types) {
    List<FoldedBatchNormalization> folded = new ArrayList<>();
    prepare(model, Options.none(), types, folded::add);
    return List.copyOf(folded);
  }

  private static OnnxModel prepare(
      OnnxModel model,
      Options options,
      Function<OnnxModel, Map<String, TensorType>> types,
      Consumer<FoldedBatchNormalization> folded) {
    OnnxModel plain = withoutFunctions(model, types);
    OnnxModel prepared = options.equalize() ? plain.copyMarked(options.text()) : plain.copy();
    // First: the runtime infers fewer shapes where constants are nodes.
    ConstantNodes.apply(prepared.graph());
    SharedConstants.apply(prepared.graph());
    OpsetUpgrade.apply(prepared, types);
    NoOpCasts.apply(prepared, types);
    PlainPools.apply(prepared.graph());
    FullPads.apply(prepared.graph(), () -> types.apply(prepared));
    EinsumToMatMul.apply(prepared.graph());
    CancelTransposes.apply(prepared.graph());
    FoldChannelAffine.apply(prepared.graph());
    FuseHardSwish.apply(prepared.graph());
    Map<String, Moments> moments = new HashMap<>();
    FoldBatchNormalization.apply(prepared.graph(), moments, folded);
    if (options.equalize()) {
      prepared.metadata().put("tare.prepare", options.text());
      CrossLayerEqualization.apply(
          prepared.graph(),
          new CrossLayerEqualization.Options(
              options.absorbHighBias(), options.reluInsteadOfRelu6(), moments));
    }
    return prepared;
  }
}
