package org.tare.spark.tasks;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.RowSource;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/**
 * What tasks hand over: a row for each slice and tensor with its stats, and one more for each
 * slice, with an empty tensor's name, that counts rows. Spark merges them by slice and tensor;
 * results of tasks count exactly once under retries and speculation.
 */
final class PartialStates {
  static final StructType SCHEMA =
      new StructType()
          .add("slice", DataTypes.StringType, false)
          .add("tensor", DataTypes.StringType, false)
          .add("stats", DataTypes.BinaryType, false)
          .add("rows", DataTypes.LongType, false)
          .add("skipped", DataTypes.LongType, false)
          .add("reason", DataTypes.StringType, true);

  /** More groups than that are sorted by Spark instead of hashed. */
  private static final String FALLBACK_THRESHOLD =
      "spark.sql.objectHashAggregate.sortBased.fallbackThreshold";

  private static final int SPARE_GROUPS = 128;

  private PartialStates() {}

  /** The rows of one slice of one task. */
  static Iterator<Row> rows(String slice, Map<String, TensorStats> tensors, RowSource.Tally tally) {
    List<Row> rows = new ArrayList<>(tensors.size() + 1);
    tensors.forEach(
        (tensor, stats) ->
            rows.add(RowFactory.create(slice, tensor, StatsCodec.encode(stats), 0L, 0L, null)));
    String reason = tally.reason().isEmpty() ? null : tally.reason();
    rows.add(RowFactory.create(slice, "", new byte[0], tally.rows(), tally.skipped(), reason));
    return rows.iterator();
  }

  /**
   * The states of all tasks.
   *
   * @param slices stats by slice and tensor; the slice of the whole table has an empty name
   * @param rows how many were observed, by slice
   * @param skipped rows that could not be decoded
   * @param reason one of their reasons, the first in order
   */
  record Merged(
      SortedMap<String, SortedMap<String, TensorStats>> slices,
      SortedMap<String, Long> rows,
      long skipped,
      String reason) {
    long allRows() {
      return rows.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  /**
   * Runs the job and merges.
   *
   * @param settings of the session while the job runs
   * @param groups how many slices and tensors are to be expected in a task
   */
  static Merged merge(SessionSettings settings, Dataset<Row> partials, int groups) {
    settings.atLeast(FALLBACK_THRESHOLD, groups + SPARE_GROUPS);
    List<Row> merged =
        partials
            .groupBy("slice", "tensor")
            .agg(
                functions
                    .udaf(new StatsAggregator(), org.apache.spark.sql.Encoders.BINARY())
                    .apply(functions.col("stats"))
                    .as("stats"),
                functions.sum("rows").as("rows"),
                functions.sum("skipped").as("skipped"),
                functions.min("reason").as("reason"))
            .collectAsList();
    SortedMap<String, SortedMap<String, TensorStats>> slices = new TreeMap<>();
    SortedMap<String, Long> rows = new TreeMap<>();
    long skipped = 0;
    String reason = "";
    for (Row row : merged) {
      String slice = row.getString(0);
      String tensor = row.getString(1);
      if (!tensor.isEmpty()) {
        byte[] stats = row.getAs(2);
        slices
            .computeIfAbsent(slice, name -> new TreeMap<>())
            .put(tensor, StatsCodec.decode(stats));
        continue;
      }
      rows.put(slice, row.getLong(3));
      skipped += row.getLong(4);
      String one = row.isNullAt(5) ? "" : row.getString(5);
      boolean isFirst = reason.isEmpty() || (!one.isEmpty() && one.compareTo(reason) < 0);
      reason = isFirst ? one : reason;
    }
    return new Merged(slices, rows, skipped, reason);
  }
}
