package org.tare.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.tare.TareException;
import org.tare.qconfig.torch.TorchObserver;
import org.tare.quant.DynamicQParams;
import org.tare.quant.QParams;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.quant.TorchQParams;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.stats.ChannelStats;
import org.tare.stats.MovingAverage;
import org.tare.stats.TensorStats;

/**
 * One line of what {@code observe} says: the qparams of a column, or of a slice or batch of it.
 *
 * @param node for machines
 * @param cells for people: scale, zero point, least, greatest, and how they came about
 */
record QParamsLine(String slice, String column, ObjectNode node, List<String> cells) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int SHOWN_VALUES = 8;

  /** The qparams that dynamic quantization would choose for a batch. */
  static QParamsLine ofBatch(String column, float[] values, QuantSpec spec, int number) {
    TensorStats.Extremes extremes = TensorStats.Extremes.of(values);
    if (!(extremes.min() <= extremes.max())) {
      throw TareException.badInput(
          "Cannot choose qparams of a batch of column \"%s\": it holds no finite value", column);
    }
    DynamicQParams q =
        DynamicQParams.choose(extremes.min(), extremes.max(), spec.quantMin(), spec.quantMax());
    ObjectNode node = node("", column, "placeholder");
    node.put("batch", number);
    node.put("scale", q.scale());
    node.put("zero_point", q.zeroPoint());
    node.put("min", extremes.min());
    node.put("max", extremes.max());
    return new QParamsLine(
        "",
        column,
        node,
        cells((float) q.scale(), q.zeroPoint(), extremes.min(), extremes.max(), "batch " + number));
  }

  /** What an observer of PyTorch's own found. */
  static QParamsLine ofTorch(String column, String observer, TorchObserver found) {
    TorchQParams q = found.qparams().get(0);
    ObjectNode node = node("", column, observer);
    node.put("scale", q.scale());
    node.put("zero_point", (long) q.zeroPoint());
    node.put("min", found.min()[0]);
    node.put("max", found.max()[0]);
    return new QParamsLine(
        "",
        column,
        node,
        cells(q.scale(), (long) q.zeroPoint(), found.min()[0], found.max()[0], observer));
  }

  /** The qparams of a column's stats; none where no value is finite. */
  static QParamsLine of(
      String slice,
      String column,
      TensorStats stats,
      String observer,
      RangeMethod method,
      QuantSpec spec,
      QScheme scheme) {
    ObjectNode node = node(slice, column, observer);
    node.put("values", stats.count());
    node.put("nans", stats.nans());
    node.put("infinities", stats.positiveInfinities() + stats.negativeInfinities());
    if (stats.recording().isPresent()) {
      int kept = stats.recording().get().batches().stream().mapToInt(b -> b.length).sum();
      node.put("recorded", kept);
      ArrayNode first = node.putArray("first");
      stats.recording().get().batches().stream()
          .flatMap(
              batch -> java.util.stream.IntStream.range(0, batch.length).mapToObj(i -> batch[i]))
          .limit(SHOWN_VALUES)
          .forEach(first::add);
    }
    if (stats.finiteCount() == 0) {
      return withoutValues(slice, column, node);
    }
    if (scheme.isPerChannel()) {
      return perChannel(slice, column, stats, node, spec, scheme);
    }
    RangeChoice choice = RangeSearch.chooseForColumn(column, stats, method, spec);
    QParams q = spec.qparams(choice.range().min(), choice.range().max());
    node.put("method", choice.method());
    node.put("scale", q.scale());
    node.put("zero_point", q.zeroPoint());
    node.put("min", choice.range().min());
    node.put("max", choice.range().max());
    node.put("expected_mse", choice.expectedError());
    node.put("minmax_mse", choice.minMaxError());
    if (choice.masked() > 0) {
      node.put("masked", choice.masked());
    }
    return new QParamsLine(
        slice,
        column,
        node,
        cells(
            q.scale(),
            q.zeroPoint(),
            choice.range().min(),
            choice.range().max(),
            choice.masked() > 0
                ? choice.method() + ", " + choice.masked() + " masked"
                : choice.method()));
  }

  /** A column of nulls, NaN and infinities, or a slice of it, costs the others nothing. */
  private static QParamsLine withoutValues(String slice, String column, ObjectNode node) {
    for (String figure : List.of("scale", "zero_point", "min", "max")) {
      node.putNull(figure);
    }
    return new QParamsLine(
        slice, column, node, List.of("-", "-", "-", "-", "no finite value was observed"));
  }

  private static QParamsLine perChannel(
      String slice,
      String column,
      TensorStats stats,
      ObjectNode node,
      QuantSpec spec,
      QScheme scheme) {
    ArrayNode scales = node.putArray("scale");
    ArrayNode zeroPoints = node.putArray("zero_point");
    ArrayNode minima = node.putArray("min");
    ArrayNode maxima = node.putArray("max");
    int count =
        stats
            .channels()
            .map(ChannelStats::channels)
            .or(() -> stats.average().map(MovingAverage::channels))
            .orElseThrow(
                () -> TareException.badInput("Cannot observe column \"%s\": it is empty", column));
    float least = Float.POSITIVE_INFINITY;
    float greatest = Float.NEGATIVE_INFINITY;
    for (int c = 0; c < count; c++) {
      Range range = channelRange(column, stats, c);
      least = Math.min(least, range.min());
      greatest = Math.max(greatest, range.max());
      minima.add(range.min());
      maxima.add(range.max());
      if (scheme == QScheme.PER_CHANNEL_AFFINE_FLOAT_QPARAMS) {
        TorchQParams q = TorchQParams.ofFloatZeroPoint(range.min(), range.max(), spec);
        scales.add(q.scale());
        zeroPoints.add((float) q.zeroPoint());
      } else {
        QParams q = spec.qparams(range.min(), range.max());
        scales.add(q.scale());
        zeroPoints.add(q.zeroPoint());
      }
    }
    return new QParamsLine(
        slice,
        column,
        node,
        List.of(
            count + " channels",
            "",
            String.format(Locale.ROOT, "%.6g", least),
            String.format(Locale.ROOT, "%.6g", greatest),
            stats.channels().isPresent() ? "minmax" : "moving-average"));
  }

  private static Range channelRange(String column, TensorStats stats, int c) {
    if (stats.channels().isEmpty()) {
      MovingAverage average = stats.average().orElseThrow();
      return new Range(Math.min(average.min(c), average.max(c)), average.max(c));
    }
    ChannelStats channels = stats.channels().get();
    if (channels.finiteCount(c) == 0) {
      throw TareException.badInput(
          "Cannot choose a range for channel %d of column \"%s\": no finite value was observed",
          c, column);
    }
    return new Range(channels.min(c), channels.max(c));
  }

  private static ObjectNode node(String slice, String column, String observer) {
    ObjectNode node = JSON.createObjectNode();
    if (!slice.isEmpty()) {
      node.put("slice", slice);
    }
    node.put("column", column);
    node.put("observer", observer);
    return node;
  }

  private static List<String> cells(
      float scale, long zeroPoint, float min, float max, String method) {
    return List.of(
        String.format(Locale.ROOT, "%.9g", scale),
        Long.toString(zeroPoint),
        String.format(Locale.ROOT, "%.6g", min),
        String.format(Locale.ROOT, "%.6g", max),
        method);
  }

  /** The whole result for machines. */
  static ObjectNode json(String observer, QuantSpec spec, QScheme scheme, List<QParamsLine> lines) {
    ObjectNode root = JSON.createObjectNode();
    root.put("schema", 1);
    root.put("command", "observe");
    root.put("tare", Tare.version());
    root.put("observer", observer);
    root.put("dtype", spec.dtype().id());
    root.put("scheme", scheme.id());
    root.put("rule", spec.rule().id());
    root.put("quant_min", spec.quantMin());
    root.put("quant_max", spec.quantMax());
    ArrayNode list = root.putArray("qparams");
    lines.forEach(line -> list.add(line.node()));
    return root;
  }

  /** The whole result for people. */
  static String table(String observer, List<QParamsLine> lines) {
    boolean hasSlices = lines.stream().anyMatch(line -> !line.slice().isEmpty());
    List<List<String>> table = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of("column", "scale", "zero_point", "min", "max"));
    head.add(observer.equals("placeholder") ? "of" : "method");
    if (hasSlices) {
      head.add(0, "slice");
    }
    table.add(head);
    for (QParamsLine line : lines) {
      List<String> row = new ArrayList<>(List.of(line.column()));
      row.addAll(line.cells());
      if (hasSlices) {
        row.add(0, line.slice());
      }
      table.add(row);
    }
    return TextTable.of(table);
  }
}
