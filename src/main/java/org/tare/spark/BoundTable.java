package org.tare.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.tare.TareException;
import org.tare.graph.TensorType;

/**
 * A table whose columns are bound to a model's inputs, cut to what is needed.
 *
 * @param head its first rows, for a look before the job
 * @param by the columns that name slices; rows of a slice stand together in their partition
 */
record BoundTable(Dataset<Row> rows, RowSource source, List<Row> head, List<SliceColumn> by) {
  private static final int HEAD_ROWS = 8;
  private static final String READER_BATCH = "spark.sql.parquet.columnarReaderBatchSize";
  private static final long READER_BATCH_BYTES = 64L << 20;

  /**
   * @param settings of the session, as they are until the rows have been read
   * @param action what is to be done, for messages
   * @param slicedBy columns to sort by, so that slices stand together
   * @param batch rows per run, unless the model fixes it
   */
  static BoundTable bind(
      SessionSettings settings,
      String action,
      String model,
      DataSource data,
      Map<String, TensorType> inputs,
      Map<String, InputSpec> specs,
      Optional<String> label,
      List<String> slicedBy,
      int batch,
      BadRows badRows) {
    SparkSession spark = settings.spark();
    boolean choosesReaderBatch = !settings.isChosen(READER_BATCH);
    if (choosesReaderBatch) {
      // Wide rows do not fit Parquet's default of 4,096; how wide they are shows below.
      settings.atMost(READER_BATCH, 32);
    }
    Dataset<Row> table = data.load(spark);
    StructType schema = table.schema();
    List<InputBinding> bindings = InputBinding.bind(action, model, inputs, specs, schema);
    Set<String> columns = new LinkedHashSet<>();
    List<InputBinding> indexed = new ArrayList<>();
    for (InputBinding binding : bindings) {
      columns.add(binding.column());
      indexed.add(binding.at(new ArrayList<>(columns).indexOf(binding.column())));
    }
    Optional<String> key = key(action, model, data, schema);
    key.ifPresent(columns::add);
    label.ifPresent(
        name -> {
          checkLabel(action, model, name, schema);
          columns.add(name);
        });
    slicedBy.forEach(
        name -> {
          checkSliceColumn(action, model, name, schema);
          columns.add(name);
        });
    List<String> needed = List.copyOf(columns);
    List<String> inputColumns = indexed.stream().map(InputBinding::column).distinct().toList();
    List<Row> head = headOf(data, table, needed);
    indexed = settleBytes(indexed, specs, head);
    if (choosesReaderBatch) {
      long rowBytes = Math.max(1, rowBytes(head));
      long readerBatch = Math.max(16, Math.min(4096, READER_BATCH_BYTES / rowBytes));
      settings.atMost(READER_BATCH, readerBatch);
    }
    Dataset<Row> rows = data.select(table, needed, key.map(List::of).orElse(inputColumns));
    if (!slicedBy.isEmpty()) {
      // Without a shuffle; a task then holds the stats of one slice at a time.
      rows =
          rows.sortWithinPartitions(
              slicedBy.stream()
                  .map(name -> functions.col(DataSource.quoted(name)))
                  .toArray(Column[]::new));
    }
    List<SliceColumn> by =
        slicedBy.stream().map(name -> new SliceColumn(name, needed.indexOf(name))).toList();
    RowSource source =
        new RowSource(
            action,
            model,
            indexed,
            batchSize(inputs, batch),
            badRows,
            key.map(needed::indexOf).orElse(-1),
            key.orElse(""),
            label.map(needed::indexOf).orElse(-1),
            spark.sparkContext().longAccumulator("rows"));
    return new BoundTable(rows, source, head, by);
  }

  private static List<Row> headOf(DataSource data, Dataset<Row> table, List<String> needed) {
    try {
      return table
          .select(
              needed.stream()
                  .map(name -> table.col(DataSource.quoted(name)))
                  .toArray(Column[]::new))
          .takeAsList(HEAD_ROWS);
    } catch (Exception e) { // Scala throws checked exceptions unchecked
      throw SparkFailures.translate("Cannot read data " + data.label(), e);
    }
  }

  private static Optional<String> key(
      String action, String model, DataSource data, StructType schema) {
    List<String> names = Arrays.asList(schema.fieldNames());
    if (data.key().isPresent() && !names.contains(data.key().get())) {
      throw TareException.badInput(
          "Cannot %s %s: the key column \"%s\" is not in %s; the columns are %s",
          action, model, data.key().get(), data.label(), String.join(", ", names));
    }
    return data.key().or(() -> names.contains("id") ? Optional.of("id") : Optional.empty());
  }

  /** Checks that a column can name slices. */
  static void checkSliceColumn(String action, String model, String column, StructType schema) {
    List<String> names = Arrays.asList(schema.fieldNames());
    if (!names.contains(column)) {
      throw TareException.badInput(
          "Cannot %s %s by \"%s\": there is no such column; the columns are %s",
          action, model, column, String.join(", ", names));
    }
    DataType type = schema.apply(column).dataType();
    boolean isPlain =
        type instanceof StringType
            || type instanceof NumericType
            || type.equals(DataTypes.BooleanType)
            || type.equals(DataTypes.DateType);
    if (!isPlain) {
      throw TareException.badInput(
          "Cannot %s %s by \"%s\": the column is of type %s; slices are named by text, numbers,"
              + " booleans or dates",
          action, model, column, type.simpleString());
    }
  }

  private static void checkLabel(String action, String model, String label, StructType schema) {
    List<String> names = Arrays.asList(schema.fieldNames());
    if (!names.contains(label)) {
      throw TareException.badInput(
          "Cannot %s %s: the label column \"%s\" is not there; the columns are %s",
          action, model, label, String.join(", ", names));
    }
    DataType type = schema.apply(label).dataType();
    boolean isWhole =
        Set.<DataType>of(
                DataTypes.ByteType, DataTypes.ShortType, DataTypes.IntegerType, DataTypes.LongType)
            .contains(type);
    if (!isWhole) {
      throw TareException.badInput(
          "Cannot %s %s: the label column \"%s\" is of type %s, not of whole numbers",
          action, model, label, type.simpleString());
    }
  }

  /** Where nobody said what the bytes are, the first row that fits as float32 alone decides. */
  private static List<InputBinding> settleBytes(
      List<InputBinding> bindings, Map<String, InputSpec> specs, List<Row> head) {
    List<InputBinding> settled = new ArrayList<>();
    for (InputBinding binding : bindings) {
      boolean isOpen =
          binding.source() == InputBinding.Source.UINT8_BYTES
              && binding.elementType() == org.tare.graph.ElementType.FLOAT
              && specs.getOrDefault(binding.input(), InputSpec.derived()).dtype().isEmpty();
      long known = 1;
      for (long size : binding.shape()) {
        known *= size;
      }
      boolean isFloats = false;
      if (isOpen && known > 0 && !head.isEmpty() && !head.get(0).isNullAt(binding.index())) {
        byte[] first = head.get(0).getAs(binding.index());
        isFloats = first.length == 4 * known;
      }
      settled.add(isFloats ? binding.asFloats() : binding);
    }
    return settled;
  }

  private static long rowBytes(List<Row> head) {
    long largest = 0;
    for (Row row : head) {
      long bytes = 0;
      for (int i = 0; i < row.length(); i++) {
        Object value = row.get(i);
        if (value instanceof byte[] raw) {
          bytes += raw.length;
        } else if (value instanceof scala.collection.Seq<?> list) {
          bytes += 8L * list.size();
        } else {
          bytes += 8;
        }
      }
      largest = Math.max(largest, bytes);
    }
    return largest;
  }

  /** The batch of the settings, unless the model fixes its own. */
  private static int batchSize(Map<String, TensorType> inputs, int batch) {
    for (TensorType type : inputs.values()) {
      if (type.rank() > 0 && type.shape()[0] > 0) {
        return Math.toIntExact(type.shape()[0]);
      }
    }
    return batch;
  }

  /** Two rows of equal shapes from the head, or one of them twice if there are no two. */
  Optional<Batches.Batch> probe() {
    List<Batches.Batch> pairs = new ArrayList<>();
    Batches batches = new Batches(source.bindings(), 2, (batch, rows) -> pairs.add(batch));
    RowDecoder decoder = new RowDecoder(source.bindings());
    for (Row row : head) {
      // A batch that ran is used again by the rows that follow.
      if (pairs.isEmpty()) {
        addIfGood(batches, decoder, row);
      }
    }
    batches.finish();
    return pairs.stream().findFirst();
  }

  private static void addIfGood(Batches batches, RowDecoder decoder, Row row) {
    try {
      batches.add(decoder.decode(row), -1);
    } catch (RowDecoder.BadRow e) {
      // The job itself reports bad rows.
    }
  }
}
