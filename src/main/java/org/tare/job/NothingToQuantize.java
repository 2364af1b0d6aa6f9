package org.tare.job;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.plan.FloatNode;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;

/**
 * Models in which a mode finds nothing to quantize. A copy of such a model is no result: the caller
 * is told, with the reasons, and with the mode that would do something.
 */
public final class NothingToQuantize {
  /** So many different reasons are told; the rest would be noise. */
  private static final int REASONS = 3;

  private NothingToQuantize() {}

  /**
   * Looks before anything is observed, in the mode static, where it takes a moment.
   *
   * @throws TareException of the kind NOTHING_TO_QUANTIZE if the result would be a copy
   */
  public static void check(FloatModel model) {
    if (model.plan().isPresent() && !model.needsState()) {
      check(model, quantized(model, model.mapping()));
    }
  }

  /**
   * Looks at what was made.
   *
   * @throws TareException of the kind NOTHING_TO_QUANTIZE if it is a copy
   */
  static void check(FloatModel model, QuantizedModel quantized) {
    if (quantized.activations().isEmpty() && quantized.weights().isEmpty()) {
      String what =
          model.mapping().mode() == Mode.STATIC
              ? "no operator of it can be quantized with ranges from data"
              : "it has no layer with constant weights of float32";
      String why = quantized.floatNodes().isEmpty() ? "" : ": " + reasons(quantized.floatNodes());
      throw failure(model, what + why);
    }
  }

  private static TareException failure(FloatModel model, String why) {
    return TareException.nothingToQuantize(
        "Nothing to quantize in %s in the mode %s: %s%s",
        model.name(), model.mapping().mode().id(), why, advice(model).orElse(""));
  }

  private static String reasons(List<FloatNode> floatNodes) {
    Map<String, List<FloatNode>> byReason =
        floatNodes.stream()
            .collect(
                Collectors.groupingBy(FloatNode::reason, LinkedHashMap::new, Collectors.toList()));
    String told =
        byReason.entrySet().stream()
            .limit(REASONS)
            .map(reason -> nodes(reason.getValue()) + ": " + reason.getKey())
            .collect(Collectors.joining("; "));
    int more = byReason.size() - REASONS;
    return told + (more > 0 ? "; and for " + more + " other reasons" : "");
  }

  private static String nodes(List<FloatNode> nodes) {
    FloatNode first = nodes.get(0);
    int others = nodes.size() - 1;
    return first.opType()
        + "("
        + first.name()
        + ")"
        + (others > 0 ? " and " + others + (others == 1 ? " other" : " others") : "");
  }

  /** Another mode, if it does something: each is tried. */
  private static Optional<String> advice(FloatModel model) {
    for (Mode mode : List.of(Mode.DYNAMIC, Mode.WEIGHT_ONLY)) {
      int count = mode == model.mapping().mode() ? 0 : weights(model, mode);
      if (count > 0) {
        return Optional.of(
            String.format(
                Locale.ROOT,
                "; quantize.mode=%s would quantize %d %s",
                mode.id(),
                count,
                count == 1 ? "weight" : "weights"));
      }
    }
    return Optional.empty();
  }

  private static int weights(FloatModel model, Mode mode) {
    QConfigMapping given = model.mapping();
    try {
      QConfigMapping mapping =
          new QConfigMapping(mode, given.backend(), given.standard(), given.overrides());
      return quantized(model, mapping).weights().size();
    } catch (TareException e) { // The backend or a weight does not allow it: no advice.
      return 0;
    }
  }

  /** Without data. */
  private static QuantizedModel quantized(FloatModel model, QConfigMapping mapping) {
    return Quantization.quantize(
        model.prepared(),
        model.types(),
        mapping,
        Quantization.Form.QDQ,
        Optional.empty(),
        Map.of());
  }
}
