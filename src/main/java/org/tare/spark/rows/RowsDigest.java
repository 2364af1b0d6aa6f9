package org.tare.spark.rows;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.tare.spark.SparkFailures;

/**
 * What tells rows from other rows, in whatever order and partitions: their number, and sums of
 * hashes of their values. Columns of maps are left out, since they have no hash.
 */
public final class RowsDigest {
  private RowsDigest() {}

  /**
   * The digest of a table, a sample included. It reads all rows.
   *
   * @throws org.tare.TareException if they cannot be read
   */
  public static String of(SparkSession spark, DataSource data) {
    try {
      Dataset<Row> rows = data.load(spark);
      List<Column> columns = new ArrayList<>();
      for (String name : rows.columns()) {
        Column column = functions.col(DataSource.quoted(name));
        if (hasHash(rows, column)) {
          columns.add(column);
        }
      }
      Column hash = functions.xxhash64(columns.toArray(Column[]::new));
      Row found =
          rows.select(hash.as("h"))
              .agg(
                  functions.count("*"),
                  functions.sum(functions.col("h").cast("decimal(20,0)")),
                  functions.bit_xor(functions.col("h")))
              .head();
      return String.join(",", rows.columns()) + found + data.sample();
    } catch (Exception e) { // Scala throws checked exceptions unchecked
      throw SparkFailures.translate("Cannot read data " + data.label(), e);
    }
  }

  private static boolean hasHash(Dataset<Row> rows, Column column) {
    try {
      rows.select(functions.xxhash64(column));
      return true;
    } catch (Exception e) { // AnalysisException is a checked exception
      return false;
    }
  }
}
