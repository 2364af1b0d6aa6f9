package org.tare.spark.rows;

import java.io.Serializable;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
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

  /** The longest name, in bytes: most file systems allow 255, and files have endings. */
  private static final int LONGEST_NAME = 200;

  /** Stands before the digest of a name that was cut; encoded names have no such character. */
  private static final char CUT = '~';

  /** Bytes of the digest, of which each is two characters. */
  private static final int DIGEST_BYTES = 16;

  /**
   * Checks, by a look at these columns alone, that there are not too many slices.
   *
   * @param action for messages, as in {@code calibrate digits}
   */
  public static long checkNumber(String action, List<String> columns, Dataset<Row> rows) {
    if (columns.isEmpty()) {
      return 1;
    }
    Column[] by =
        columns.stream().map(name -> functions.col(DataSource.quoted(name))).toArray(Column[]::new);
    long slices = rows.select(by).distinct().limit(MOST_SLICES + 1).count();
    if (slices > MOST_SLICES) {
      throw TareException.badInput(
          "Cannot %s by %s: there are more than %d slices; take columns of fewer values",
          action, String.join(",", columns), MOST_SLICES);
    }
    return slices;
  }

  /**
   * The name of the slice that a row belongs to, as Hive names partitions: {@code country=DE}.
   * Names of columns and values are encoded as in URLs, so that what is left are letters, digits
   * and {@code . - _ % = , ~}, none of which leads out of a folder. Null is {@code
   * __HIVE_DEFAULT_PARTITION__}; a text of these letters is encoded. A name of more than 200 bytes
   * is cut and ends with {@code ~} and 32 hexadecimal digits of its SHA-256.
   */
  static String sliceOf(List<SliceColumn> columns, Row row) {
    String name =
        columns.stream()
            .map(column -> encoded(column.name()) + "=" + valueOf(row.get(column.index())))
            .collect(Collectors.joining(","));
    return name.length() <= LONGEST_NAME ? name : cut(name);
  }

  private static String valueOf(Object value) {
    if (value == null) {
      return NULL;
    }
    String text = encoded(value.toString());
    return text.equals(NULL) ? "%5F" + text.substring(1) : text;
  }

  private static String encoded(String text) {
    // URLEncoder leaves the asterisk, which is a pattern to file systems.
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20").replace("*", "%2A");
  }

  private static String cut(String name) {
    byte[] digest;
    try {
      digest =
          MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.US_ASCII));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every Java has it
    }
    int length = LONGEST_NAME - 1 - 2 * DIGEST_BYTES;
    // An escape, %XX, stays whole.
    int escape = name.lastIndexOf('%', length - 1);
    int end = escape > length - 3 ? escape : length;
    return name.substring(0, end) + CUT + HexFormat.of().formatHex(digest, 0, DIGEST_BYTES);
  }
}
