package org.tare.results;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.tare.job.ColumnQParams;
import org.tare.job.ColumnQParams.Pair;
import org.tare.job.ObserveOptions;

/** The JSON form of columns' qparams. */
public final class ObservationJson {
  private ObservationJson() {}

  /** Adds how columns were observed, and their qparams. */
  public static void add(ObjectNode result, ObserveOptions options, List<ColumnQParams> qparams) {
    result.put("observer", options.observer().id());
    result.put("dtype", options.spec().dtype().id());
    result.put("scheme", options.scheme().id());
    result.put("rule", options.spec().rule().id());
    result.put("quant_min", options.spec().quantMin());
    result.put("quant_max", options.spec().quantMax());
    ArrayNode list = result.putArray("qparams");
    qparams.forEach(one -> add(list.addObject(), one, options.scheme().isPerChannel()));
  }

  private static void add(ObjectNode node, ColumnQParams one, boolean isPerChannel) {
    if (!one.slice().isEmpty()) {
      node.put("slice", one.slice());
    }
    node.put("column", one.column());
    node.put("observer", one.observer().id());
    one.batch().ifPresent(batch -> node.put("batch", batch));
    one.counts().ifPresent(counts -> add(node, counts));
    one.choice().ifPresent(choice -> node.put("method", choice.method()));
    if (one.pairs().isEmpty()) {
      List.of("scale", "zero_point", "min", "max").forEach(node::putNull);
    } else if (isPerChannel) {
      ArrayNode scales = node.putArray("scale");
      ArrayNode zeroPoints = node.putArray("zero_point");
      ArrayNode minima = node.putArray("min");
      ArrayNode maxima = node.putArray("max");
      for (Pair pair : one.pairs()) {
        scales.addPOJO(pair.scale());
        zeroPoints.addPOJO(pair.zeroPoint());
        minima.add(pair.min());
        maxima.add(pair.max());
      }
    } else {
      Pair pair = one.pairs().get(0);
      node.putPOJO("scale", pair.scale());
      node.putPOJO("zero_point", pair.zeroPoint());
      node.put("min", pair.min());
      node.put("max", pair.max());
    }
    one.choice()
        .ifPresent(
            choice -> {
              node.put("expected_mse", choice.expectedError());
              node.put("minmax_mse", choice.minMaxError());
              if (choice.masked() > 0) {
                node.put("masked", choice.masked());
              }
            });
  }

  private static void add(ObjectNode node, ColumnQParams.Counts counts) {
    node.put("values", counts.values());
    node.put("nans", counts.nans());
    node.put("infinities", counts.infinities());
    counts
        .recorded()
        .ifPresent(
            kept -> {
              node.put("recorded", kept);
              ArrayNode first = node.putArray("first");
              counts.first().forEach(first::add);
            });
  }
}
