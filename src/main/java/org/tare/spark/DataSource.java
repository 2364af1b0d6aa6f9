package org.tare.spark;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/**
 * Which rows to read: files, a table or a query, all of it or a sample.
 *
 * @param path of files; exactly one of path, table and query is given
 * @param format of the files, as Spark names it
 * @param options for the reader
 * @param sample empty, a number of rows, or a fraction below 1
 * @param key the column whose hash chooses the sample and that names rows in messages
 */
public record DataSource(
    Optional<String> path,
    Optional<String> table,
    Optional<String> query,
    String format,
    Map<String, String> options,
    Optional<Double> sample,
    Optional<String> key) {
  private static final long FRACTION_STEPS = 1L << 32;

  /** What to call it in messages. */
  public String label() {
    return path.or(() -> table).or(() -> query).orElse("(no data)");
  }

  /** The whole table, lazily. */
  Dataset<Row> load(SparkSession spark) {
    try {
      if (query.isPresent()) {
        return spark.sql(query.get());
      } else if (table.isPresent()) {
        return spark.table(table.get());
      }
      return spark.read().format(format).options(options).load(path.orElseThrow());
    } catch (Exception e) { // AnalysisException is a checked exception that Scala throws unchecked
      throw SparkFailures.translate("Cannot read data " + label(), e);
    }
  }

  /**
   * The sampled rows, by a hash of columns: the same rows whatever the partitions and their order.
   *
   * @param needed columns to keep
   * @param identity columns to hash: the key, or the inputs where there is none
   */
  Dataset<Row> select(Dataset<Row> table, List<String> needed, List<String> identity) {
    Column[] hashed = identity.stream().map(name -> table.col(quoted(name))).toArray(Column[]::new);
    Column[] columns = needed.stream().map(name -> table.col(quoted(name))).toArray(Column[]::new);
    if (sample.isEmpty()) {
      return table.select(columns);
    }
    Column hash = functions.xxhash64(hashed);
    double amount = sample.get();
    if (amount < 1) {
      Column share = functions.pmod(hash, functions.lit(FRACTION_STEPS));
      return table.filter(share.lt((long) (amount * FRACTION_STEPS))).select(columns);
    }
    // The threshold is the n-th least hash; rows whose hashes tie there all belong.
    long[] least =
        table.select(hash.as("h")).orderBy("h").takeAsList((int) amount).stream()
            .mapToLong(row -> row.getLong(0))
            .toArray();
    if (least.length == 0) {
      return table.select(columns);
    }
    long threshold = Arrays.stream(least).max().orElseThrow();
    return table.filter(hash.leq(threshold)).select(columns);
  }

  static String quoted(String column) {
    return "`" + column.replace("`", "``") + "`";
  }
}
