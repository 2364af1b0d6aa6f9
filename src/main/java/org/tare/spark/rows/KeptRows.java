package org.tare.spark.rows;

import java.util.LinkedHashMap;
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

/**
 * A few of a table's rows, read once and kept by Spark, for jobs that go over them again and again:
 * of the rows that a calibration reads those whose hashes are least.
 */
public final class KeptRows implements AutoCloseable {
  private final Dataset<Row> rows;
  private final DataSource source;

  private KeptRows(Dataset<Row> rows, DataSource source) {
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
    Map<String, TensorType> inputTypes = new LinkedHashMap<>();
    model.graph().inputNames().forEach(input -> inputTypes.put(input, types.get(input)));
    BoundTable table =
        BoundTable.bind(
            spark,
            "measure",
            label,
            data,
            inputTypes,
            inputs,
            Optional.empty(),
            List.of(),
            1,
            new BadRows(true, 1));
    Dataset<Row> selected = table.rows();
    String key = table.source().keyColumn();
    List<String> identity =
        key.isEmpty()
            ? table.source().bindings().stream().map(InputBinding::column).distinct().toList()
            : List.of(key);
    Column[] hashed =
        identity.stream().map(name -> selected.col(DataSource.quoted(name))).toArray(Column[]::new);
    Dataset<Row> rows =
        selected
            .orderBy(functions.xxhash64(hashed))
            .limit(count)
            .repartition(spark.sparkContext().defaultParallelism())
            .persist();
    return new KeptRows(
        rows,
        new DataSource(
            new DataSource.Frame(rows, data.label()), Optional.empty(), data.key()));
  }

  /** The rows, while this is open. */
  public DataSource source() {
    return source;
  }

  @Override
  public void close() {
    rows.unpersist();
  }
}
