package org.tare.spark.rows;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.tare.TareException;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.spark.SessionSettings;

/**
 * A few of a table's rows, read once and kept by Spark, for jobs that go over them again and again:
 * of the rows that a calibration reads those whose hashes are least.
 */
public final class KeptRows implements AutoCloseable {
  /**
   * So many rows are a partition: the partitions, and the batches in them, depend on no cluster.
   */
  private static final int ROWS_PER_PARTITION = 32;

  private static final String ROW = "tare_row";
  private static final String HASH = "tare_hash";
  private static final String TIE = "tare_tie";
  private static final String PLACE = "tare_place";

  private final SessionSettings settings;
  private final Dataset<Row> rows;
  private final DataSource source;

  private KeptRows(SessionSettings settings, Dataset<Row> rows, DataSource source) {
    this.settings = settings;
    this.rows = rows;
    this.source = source;
  }

  /**
   * Chooses rows of a model's inputs. They are read when a job first needs them.
   *
   * @param label what to call the model in messages
   * @param count at most so many
   * @throws TareException if the table does not fit the model
   */
  public static KeptRows of(
      SparkSession spark,
      String label,
      OnnxModel model,
      Map<String, TensorType> types,
      DataSource data,
      Map<String, InputSpec> inputs,
      int count) {
    return of(spark, label, model, types, data, inputs, Optional.empty(), List.of(), count);
  }

  /**
   * The same with a column of labels, and others that go along.
   *
   * @param labels its name
   * @param along names of the others
   */
  public static KeptRows of(
      SparkSession spark,
      String label,
      OnnxModel model,
      Map<String, TensorType> types,
      DataSource data,
      Map<String, InputSpec> inputs,
      Optional<String> labels,
      List<String> along,
      int count) {
    SessionSettings settings = new SessionSettings(spark);
    try {
      return of(settings, label, model, types, data, inputs, labels, along, count);
    } catch (RuntimeException | Error e) {
      settings.close();
      throw e;
    }
  }

  private static KeptRows of(
      SessionSettings settings,
      String label,
      OnnxModel model,
      Map<String, TensorType> types,
      DataSource data,
      Map<String, InputSpec> inputs,
      Optional<String> labels,
      List<String> along,
      int count) {
    Map<String, TensorType> inputTypes = model.inputTypes(types);
    BoundTable table =
        TableNeeds.of("measure", label, inputTypes, inputs, 1, new BadRows(true, 1))
            .withLabel(labels)
            .along(along)
            .bind(settings, data);
    if (!data.isSmall(settings.spark())) {
      // Hashes are taken of all rows.
      table.compile(settings, data.mostRows());
    }
    Dataset<Row> selected = table.rows();
    String key = table.source().keyColumn();
    List<String> identity =
        key.isEmpty()
            ? table.source().bindings().stream()
                .filter(InputBinding::hasColumn)
                .map(InputBinding::column)
                .distinct()
                .toList()
            : List.of(key);
    Column[] hashed =
        identity.stream()
            .map(name -> functions.col(DataSource.quoted(name)))
            .toArray(Column[]::new);
    Dataset<Row> rows = inFixedPartitions(selected, hashed, count).persist();
    return new KeptRows(
        settings,
        rows,
        new DataSource(
            new DataSource.Kept(rows, data.label(), count), Optional.empty(), data.key()));
  }

  /**
   * The rows with the least hashes, dealt out to partitions whose number follows from the number of
   * rows, and in each ordered by hash. What a batch holds is then the same on any cluster.
   *
   * @param identity what the hash is of; rows of one identity are told apart by all they hold
   */
  private static Dataset<Row> inFixedPartitions(Dataset<Row> table, Column[] identity, int count) {
    Column[] all =
        Arrays.stream(table.columns())
            .map(name -> functions.col(DataSource.quoted(name)))
            .toArray(Column[]::new);
    Column[] tied =
        Arrays.stream(table.schema().fields())
            .filter(field -> !field.dataType().catalogString().contains("map<")) // without a hash
            .map(field -> functions.col(DataSource.quoted(field.name())))
            .toArray(Column[]::new);
    int partitions = Math.max(1, (count + ROWS_PER_PARTITION - 1) / ROWS_PER_PARTITION);
    Dataset<Row> least =
        table
            .select(
                functions.struct(all).as(ROW),
                functions.xxhash64(identity).as(HASH),
                functions.xxhash64(tied).as(TIE))
            .orderBy(HASH, TIE)
            .limit(count)
            .coalesce(1)
            .withColumn(PLACE, functions.monotonically_increasing_id());
    return least.repartition(partitions).sortWithinPartitions(PLACE).select(ROW + ".*");
  }

  /** The rows, while this is open. */
  public DataSource source() {
    return source;
  }

  /** How many there are. It reads them. */
  public long count() {
    return rows.count();
  }

  @Override
  public void close() {
    try {
      rows.unpersist();
    } finally {
      settings.close();
    }
  }
}
