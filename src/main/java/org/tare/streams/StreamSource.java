package org.tare.streams;

import java.util.Optional;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.DataStreamReader;
import org.tare.TareException;
import org.tare.settings.StreamSettings;
import org.tare.spark.SparkFailures;
import org.tare.spark.rows.ReadingQuery;
import org.tare.store.HadoopFiles;

/** The rows of a stream as the settings describe it: files, a table, or a source such as Kafka. */
final class StreamSource {
  /** What a query calls the stream. */
  private static final String VIEW = "stream";

  private StreamSource() {}

  static Dataset<Row> open(SparkSession spark, StreamSettings how) {
    try {
      Dataset<Row> rows = read(spark, how);
      if (how.query().isEmpty()) {
        return rows;
      }
      rows.createOrReplaceTempView(VIEW);
      return ReadingQuery.rows(spark, how.query().get());
    } catch (TareException e) {
      throw e;
    } catch (Exception e) { // AnalysisException is a checked exception that Scala throws unchecked
      throw SparkFailures.translate("Cannot read " + label(how), e);
    }
  }

  /**
   * The rows that are there now, as a table: of files and tables, which can be read as such.
   *
   * @return empty for other sources, and if there are none
   */
  static Optional<Dataset<Row>> now(SparkSession spark, StreamSettings how) {
    if (how.table().isEmpty() && how.path().isEmpty()) {
      return Optional.empty();
    }
    try {
      DataFrameReader reader = spark.read().format(how.format()).options(how.options());
      how.schema().filter(said -> how.table().isEmpty()).ifPresent(reader::schema);
      Dataset<Row> rows =
          how.table().isPresent()
              ? spark.read().options(how.options()).table(how.table().get())
              : reader.load(path(spark, how));
      if (how.query().isPresent()) {
        rows.createOrReplaceTempView(VIEW);
        rows = ReadingQuery.rows(spark, how.query().get());
      }
      return rows.isEmpty() ? Optional.empty() : Optional.of(rows);
    } catch (TareException e) {
      throw e;
    } catch (Exception e) { // AnalysisException is a checked exception that Scala throws unchecked
      throw SparkFailures.translate("Cannot read " + label(how), e);
    }
  }

  private static String label(StreamSettings how) {
    String place = how.path().or(how::table).map(name -> " of " + name).orElse("");
    return "the stream " + how.name() + place;
  }

  private static String path(SparkSession spark, StreamSettings how) {
    return new HadoopFiles(spark.sparkContext().hadoopConfiguration())
        .forSpark(how.path().orElseThrow());
  }

  private static Dataset<Row> read(SparkSession spark, StreamSettings how) {
    if (how.table().isPresent()) {
      return spark.readStream().options(how.options()).table(how.table().get());
    }
    DataStreamReader reader = spark.readStream().format(how.format()).options(how.options());
    if (how.path().isEmpty()) {
      how.schema().ifPresent(reader::schema);
      return reader.load();
    }
    String path = path(spark, how);
    if (how.schema().isPresent()) {
      return reader.schema(how.schema().get()).load(path);
    }
    // Spark's streams of files have no schema of their own: it is that of the files there now.
    return reader
        .schema(spark.read().format(how.format()).options(how.options()).load(path).schema())
        .load(path);
  }
}
