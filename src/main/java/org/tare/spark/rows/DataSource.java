package org.tare.spark.rows;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.tare.spark.SparkFailures;
import org.tare.store.HadoopFiles;

/**
 * Which rows to read: those of files, a table, a query or a DataFrame, all of them or a sample.
 *
 * @param key the column whose hash chooses the sample and that names rows in messages
 */
public record DataSource(Origin origin, Optional<Sample> sample, Optional<String> key) {
  private static final long SHARE_STEPS = 1L << 32;

  private static final int HEAD_ROWS = 8;

  /** Asking for more takes too long. */
  private static final int MOST_FILES = 1000;

  private static final int FEW_FILES = 16;
  private static final long FEW_BYTES = 4 << 20;

  /** Where the rows come from. */
  public sealed interface Origin {
    /** What to call it in messages. */
    String label();

    /** All rows, lazily. */
    Dataset<Row> rows(SparkSession spark);

    /** Whether it is read from files, so that to count all rows computes nothing. */
    default boolean isOfFiles() {
      return false;
    }

    /** That it has no more rows than these is known beforehand. */
    default long mostRows() {
      return Long.MAX_VALUE;
    }
  }

  /**
   * Files.
   *
   * @param format as Spark names it
   * @param options for Spark's reader
   */
  public record Files(String path, String format, Map<String, String> options) implements Origin {
    @Override
    public String label() {
      return path;
    }

    @Override
    public Dataset<Row> rows(SparkSession spark) {
      HadoopFiles files = new HadoopFiles(spark.sparkContext().hadoopConfiguration());
      return spark.read().format(format).options(options).load(files.forSpark(path));
    }

    @Override
    public boolean isOfFiles() {
      return true;
    }
  }

  /** A table of Spark's catalog, or a view. */
  public record Table(String name) implements Origin {
    @Override
    public String label() {
      return name;
    }

    @Override
    public Dataset<Row> rows(SparkSession spark) {
      return spark.table(name);
    }
  }

  /** A query in Spark's SQL. */
  public record Query(String sql) implements Origin {
    @Override
    public String label() {
      return sql;
    }

    @Override
    public Dataset<Row> rows(SparkSession spark) {
      return ReadingQuery.rows(spark, sql);
    }
  }

  /** A DataFrame of the caller's. */
  public record Frame(Dataset<Row> rows, String label) implements Origin {
    @Override
    public Dataset<Row> rows(SparkSession spark) {
      return rows;
    }
  }

  /**
   * Rows that Spark keeps.
   *
   * @param mostRows at most so many
   */
  record Kept(Dataset<Row> rows, String label, long mostRows) implements Origin {
    @Override
    public Dataset<Row> rows(SparkSession spark) {
      return rows;
    }
  }

  /** A table as it was when it was pinned, with the first rows that were read of it. */
  private record Pinned(
      Dataset<Row> rows,
      String label,
      boolean isOfFiles,
      long mostRows,
      Map<List<String>, List<Row>> heads)
      implements Origin {
    @Override
    public Dataset<Row> rows(SparkSession spark) {
      return rows;
    }
  }

  /** All rows of a DataFrame. */
  public static DataSource of(Dataset<Row> rows, String label) {
    return new DataSource(new Frame(rows, label), Optional.empty(), Optional.empty());
  }

  /** What to call it in messages. */
  public String label() {
    return origin.label();
  }

  /** Whether it is read from files, so that to count all rows computes nothing. */
  boolean isOfFiles() {
    return origin.isOfFiles();
  }

  /** The whole table has at most so many rows. */
  long mostRows() {
    return origin.mostRows();
  }

  /** Whether the whole table is a few files of some megabytes. */
  boolean isSmall(SparkSession spark) {
    if (!isOfFiles()) {
      return false;
    }
    String[] names = load(spark).inputFiles();
    // Some formats do not tell their files.
    return names.length > 0
        && names.length <= FEW_FILES
        && new HadoopFiles(spark.sparkContext().hadoopConfiguration()).bytes(names) <= FEW_BYTES;
  }

  /**
   * A fingerprint of the files that the rows are read from: of their names, sizes and times. Empty
   * where Spark does not tell the files, or there are very many.
   */
  public String snapshot(SparkSession spark) {
    try {
      String[] names = load(spark).inputFiles();
      HadoopFiles files = new HadoopFiles(spark.sparkContext().hadoopConfiguration());
      return names.length == 0 || names.length > MOST_FILES ? "" : files.fingerprint(names);
    } catch (RuntimeException e) {
      // What a table is made of is good to know, and no reason to fail.
      return "";
    }
  }

  /**
   * The same table, with its files as they are now: what is added later no reading sees, so that
   * all see the same rows. Its first rows are read once.
   */
  public DataSource pinned(SparkSession spark) {
    Pinned pinned =
        new Pinned(
            load(spark), label(), origin.isOfFiles(), origin.mostRows(), new ConcurrentHashMap<>());
    return new DataSource(pinned, sample, key);
  }

  /**
   * The first rows of the whole table.
   *
   * @param columns the columns in question, by what they are called in it
   * @param cut the table with these columns alone
   */
  List<Row> head(List<String> columns, Dataset<Row> cut) {
    if (origin instanceof Pinned pinned) {
      return pinned.heads().computeIfAbsent(columns, first -> readHead(cut));
    }
    return readHead(cut);
  }

  private List<Row> readHead(Dataset<Row> cut) {
    try {
      return cut.takeAsList(HEAD_ROWS);
    } catch (Exception e) { // Scala throws checked exceptions unchecked
      throw SparkFailures.translate("Cannot read data " + label(), e);
    }
  }

  /** The whole table, lazily. */
  public Dataset<Row> load(SparkSession spark) {
    try {
      return origin.rows(spark);
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
  public Dataset<Row> select(Dataset<Row> table, List<String> needed, List<String> identity) {
    Column[] hashed =
        identity.stream().map(name -> functions.col(quoted(name))).toArray(Column[]::new);
    Column[] columns =
        needed.stream().map(name -> functions.col(quoted(name))).toArray(Column[]::new);
    if (sample.isEmpty()) {
      return table.select(columns);
    }
    Column hash = functions.xxhash64(hashed);
    if (sample.get() instanceof Sample.Share part) {
      Column place = functions.pmod(hash, functions.lit(SHARE_STEPS));
      return table.filter(place.lt((long) (part.share() * SHARE_STEPS))).select(columns);
    }
    int count = ((Sample.Rows) sample.get()).count();
    // The threshold is the n-th least hash; rows whose hashes tie there all belong.
    long[] least =
        table.select(hash.as("h")).orderBy("h").takeAsList(count).stream()
            .mapToLong(row -> row.getLong(0))
            .toArray();
    if (least.length == 0) {
      return table.select(columns);
    }
    long threshold = Arrays.stream(least).max().orElseThrow();
    return table.filter(hash.leq(threshold)).select(columns);
  }

  public static String quoted(String column) {
    return "`" + column.replace("`", "``") + "`";
  }
}
