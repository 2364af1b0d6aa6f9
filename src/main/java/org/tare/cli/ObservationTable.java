package org.tare.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.tare.Observation;
import org.tare.job.ColumnQParams;
import org.tare.job.ColumnQParams.Pair;
import org.tare.job.Observer;

/** The qparams of columns, as a table for people. */
final class ObservationTable {
  private ObservationTable() {}

  static String of(Observation observation) {
    List<ColumnQParams> all = observation.qparams();
    boolean hasSlices = all.stream().anyMatch(one -> !one.slice().isEmpty());
    boolean hasBatches = all.stream().anyMatch(one -> one.batch().isPresent());
    List<List<String>> table = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of("column", "scale", "zero_point", "min", "max"));
    head.add(hasBatches ? "of" : "method");
    if (hasSlices) {
      head.add(0, "slice");
    }
    table.add(head);
    for (ColumnQParams one : all) {
      List<String> row = new ArrayList<>(List.of(one.column()));
      row.addAll(figures(one));
      row.add(note(one));
      if (hasSlices) {
        row.add(0, one.slice());
      }
      table.add(row);
    }
    return TextTable.of(table);
  }

  private static List<String> figures(ColumnQParams one) {
    if (one.pairs().isEmpty()) {
      return List.of("-", "-", "-", "-");
    }
    if (one.observer().isPerChannel()) {
      float least = Float.POSITIVE_INFINITY;
      float greatest = Float.NEGATIVE_INFINITY;
      for (Pair pair : one.pairs()) {
        least = Math.min(least, pair.min());
        greatest = Math.max(greatest, pair.max());
      }
      return List.of(one.pairs().size() + " channels", "", short6(least), short6(greatest));
    }
    Pair pair = one.pairs().get(0);
    return List.of(
        String.format(Locale.ROOT, "%.9g", pair.scale().floatValue()),
        Long.toString(pair.zeroPoint().longValue()),
        short6(pair.min()),
        short6(pair.max()));
  }

  private static String short6(float value) {
    return String.format(Locale.ROOT, "%.6g", value);
  }

  private static String note(ColumnQParams one) {
    if (one.pairs().isEmpty()) {
      return "no finite value was observed";
    }
    if (one.batch().isPresent()) {
      return "batch " + one.batch().getAsInt();
    }
    if (one.observer().isPerChannel()) {
      return one.observer() == Observer.PER_CHANNEL_MINMAX ? "minmax" : "moving-average";
    }
    return one.choice()
        .map(
            choice ->
                choice.masked() > 0
                    ? choice.method() + ", " + choice.masked() + " masked"
                    : choice.method())
        .orElse(one.observer().id());
  }
}
