package org.tare.spark;

import java.io.Serializable;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.spark.sql.Row;

/**
 * A column whose values name a slice of the table.
 *
 * @param index in the rows that tasks read
 */
record SliceColumn(String name, int index) implements Serializable {
  /** What Hive calls the partition of null. */
  private static final String NULL = "__HIVE_DEFAULT_PARTITION__";

  /** The name of the slice that a row belongs to, as Hive names partitions: {@code country=DE}. */
  static String sliceOf(List<SliceColumn> columns, Row row) {
    return columns.stream()
        .map(
            column -> {
              Object value = row.get(column.index());
              String text =
                  value == null
                      ? NULL
                      : URLEncoder.encode(value.toString(), StandardCharsets.UTF_8)
                          .replace("+", "%20");
              return column.name() + "=" + text;
            })
        .collect(Collectors.joining(","));
  }
}
