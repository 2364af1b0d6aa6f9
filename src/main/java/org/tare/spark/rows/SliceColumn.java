package org.tare.spark.rows;

import java.io.Serializable;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.tare.TareException;

/**
 * A column whose values name a slice of the table.
 *
 * @param index in the rows that tasks read
 */
public record SliceColumn(String name, int index) implements Serializable {
  /** What Hive calls the partition of null. */
  private static final String NULL = "__HIVE_DEFAULT_PARTITION__";

  /** More states than that do not fit a driver, nor are they of use. */
  private static final int MOST_SLICES = 1000;

  /** What most file systems allow for a name, with some to spare. */
  private static final int LONGEST_NAME = 200;

  /**
   * Checks, by a look at these columns alone, that there are not too many slices.
   *
   * @param action for messages, as in {@code calibrate digits}
   */
  public static void checkNumber(String action, List<String> columns, Dataset<Row> rows) {
    if (columns.isEmpty()) {
      return;
    }
    Column[] by =
        columns.stream().map(name -> functions.col(DataSource.quoted(name))).toArray(Column[]::new);
    long slices = rows.select(by).distinct().limit(MOST_SLICES + 1).count();
    if (slices > MOST_SLICES) {
      throw TareException.badInput(
          "Cannot %s by %s: there are more than %d slices; take columns of fewer values",
          action, String.join(",", columns), MOST_SLICES);
    }
  }

  /** The name of the slice that a row belongs to, as Hive names partitions: {@code country=DE}. */
  static String sliceOf(List<SliceColumn> columns, Row row) {
    String slice = nameOf(columns, row);
    if (slice.length() > LONGEST_NAME) {
      throw TareException.badInput(
          "Cannot name the slice \"%s…\": it has %d characters, more than the %d that a file's name"
              + " may have",
          slice.substring(0, 40), slice.length(), LONGEST_NAME);
    }
    return slice;
  }

  private static String nameOf(List<SliceColumn> columns, Row row) {
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
