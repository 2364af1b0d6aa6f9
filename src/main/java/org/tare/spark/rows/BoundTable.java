package org.tare.spark.rows;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StringType;
import org.tare.TareException;
import org.tare.spark.SessionSettings;
import scala.jdk.javaapi.CollectionConverters;

/**
 * A table whose columns are bound to a model's inputs, cut to what is needed.
 *
 * @param head its first rows, for a look before the job
 * @param by the columns that name slices; rows of a slice stand together in their partition
 * @param notes what was taken for granted and may be wrong, in sentences for the user
 */
public record BoundTable(
    Dataset<Row> rows, RowSource source, List<Row> head, List<SliceColumn> by, List<String> notes) {
  private static final String READER_BATCH = "spark.sql.parquet.columnarReaderBatchSize";
  private static final long READER_BATCH_BYTES = 64L << 20;

  /** Of so few values, in arrays or alone, a row takes next to nothing beside a model. */
  private static final long FEW_VALUES = 128;

  /** What it takes longer to interpret than to run compiled code, for each value of a row. */
  private static final double INTERPRETED_SECONDS = 45e-9;

  /** What it takes to compile the queries of a job. */
  private static final double COMPILE_SECONDS = 1;

  private static final long VALUE_BYTES = 8;

  /** See {@link TableNeeds#bind}. */
  static BoundTable bind(SessionSettings settings, DataSource data, TableNeeds needs) {
    String action = needs.action();
    String model = needs.model();
    SparkSession spark = settings.spark();
    boolean choosesReaderBatch = !settings.isChosen(READER_BATCH);
    if (choosesReaderBatch) {
      // Wide rows do not fit Parquet's default of 4,096; how wide they are shows below.
      settings.atMost(READER_BATCH, 32);
    }
    Dataset<Row> table = data.load(spark);
    ColumnNames names = ColumnNames.of(spark, table.schema());
    WholeRows.Ways ways =
        new WholeRows(action, model, needs.inputs(), needs.specs(), names).bind(needs.batch());
    Map<String, ColumnNames.Found> columns = new LinkedHashMap<>();
    ways.together().stream()
        .filter(InputBinding::hasColumn)
        .forEach(binding -> columns.put(binding.column(), binding.found()));
    List<String> inputColumns = List.copyOf(columns.keySet());
    Optional<ColumnNames.Found> key = key(action, model, data, names);
    key.ifPresent(found -> columns.put(found.name(), found));
    Optional<ColumnNames.Found> labels =
        needs.label().map(name -> labelColumn(action, model, name, names));
    labels.ifPresent(found -> columns.put(found.name(), found));
    List<String> sliceNames = new ArrayList<>();
    for (String name : needs.slicedBy()) {
      ColumnNames.Found found = sliceColumn(action, model, name, names);
      columns.put(found.name(), found);
      sliceNames.add(found.name());
    }
    needs.along().forEach(name -> columns.put(name, names.findColumn(name).orElseThrow()));
    List<String> needed = List.copyOf(columns.keySet());
    // Fields of structs become columns of their own here, under the names of their paths.
    Dataset<Row> flat =
        table.select(
            columns.values().stream().map(ColumnNames.Found::column).toArray(Column[]::new));
    RowSource bound =
        new RowSource(
            action,
            model,
            placed(ways.together(), needed),
            ways.rows(),
            needs.badRows(),
            key.map(found -> needed.indexOf(found.name())).orElse(-1),
            key.map(ColumnNames.Found::name).orElse(""),
            labels.map(found -> needed.indexOf(found.name())).orElse(-1),
            -1,
            spark.sparkContext().longAccumulator("rows"));
    List<Row> head = data.head(needed, flat);
    BinaryForms forms = forms(bound, ways.whole(), needed, needs.specs(), head);
    RowSource source = bound.with(forms.bindings());
    if (choosesReaderBatch) {
      long rowBytes = Math.max(1, rowBytes(head));
      long readerBatch = Math.max(16, Math.min(4096, READER_BATCH_BYTES / rowBytes));
      settings.atMost(READER_BATCH, readerBatch);
    }
    // The rows of files are counted before the work, unless some have to be found first; those of a
    // query would be computed for that.
    boolean isCounted = data.isOfFiles() && (data.sample().isEmpty() || data.isSmall(spark));
    if (!isCounted) {
      compile(settings, head, data.mostRows());
    }
    Dataset<Row> rows =
        data.select(flat, needed, key.map(found -> List.of(found.name())).orElse(inputColumns));
    if (!sliceNames.isEmpty()) {
      // Without a shuffle; a task then holds the stats of one slice at a time.
      rows = sorted(rows, sliceNames);
    }
    List<SliceColumn> by =
        sliceNames.stream().map(name -> new SliceColumn(name, needed.indexOf(name))).toList();
    return new BoundTable(rows, source, head, by, forms.notes());
  }

  /**
   * Has Spark compile the code of queries that are planned from here on, if that pays.
   *
   * @param rows at most so many are read
   * @return whether it has
   */
  public boolean compile(SessionSettings settings, long rows) {
    return compile(settings, head, rows);
  }

  private static boolean compile(SessionSettings settings, List<Row> head, long rows) {
    long values = values(head);
    boolean pays = values > FEW_VALUES && INTERPRETED_SECONDS * values * rows > COMPILE_SECONDS;
    return pays && settings.compile();
  }

  /** The bindings as the first rows show them to be. */
  private static BinaryForms forms(
      RowSource bound,
      Optional<List<InputBinding>> whole,
      List<String> needed,
      Map<String, InputSpec> specs,
      List<Row> head) {
    BinaryForms together = BinaryForms.settle(bound, specs, head);
    if (whole.isEmpty() || WholeRows.takesAny(together.bindings(), head)) {
      return together;
    }
    BinaryForms other = BinaryForms.settle(bound.with(placed(whole.get(), needed)), specs, head);
    return WholeRows.takesAny(other.bindings(), head) ? other : together;
  }

  private static List<InputBinding> placed(List<InputBinding> bindings, List<String> needed) {
    return bindings.stream().map(b -> b.at(needed.indexOf(b.column()))).toList();
  }

  private static Optional<ColumnNames.Found> key(
      String action, String model, DataSource data, ColumnNames names) {
    if (data.key().isEmpty()) {
      return names.findColumn("id");
    }
    Optional<ColumnNames.Found> found = names.find(data.key().get());
    if (found.isEmpty()) {
      throw TareException.badInput(
          "Cannot %s %s: the key column \"%s\" is not in %s; the columns are %s",
          action, model, data.key().get(), data.label(), names.list());
    }
    return found;
  }

  /**
   * The column that names slices.
   *
   * @throws TareException if there is none of the name, or its type has no short values
   */
  public static ColumnNames.Found sliceColumn(
      String action, String model, String column, ColumnNames names) {
    ColumnNames.Found found =
        names
            .findColumn(column)
            .orElseThrow(
                () ->
                    TareException.badInput(
                        "Cannot %s %s by \"%s\": there is no such column; the columns are %s",
                        action, model, column, names.list()));
    DataType type = found.type();
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
    return found;
  }

  private static ColumnNames.Found labelColumn(
      String action, String model, String label, ColumnNames names) {
    ColumnNames.Found found =
        names
            .find(label)
            .orElseThrow(
                () ->
                    TareException.badInput(
                        "Cannot %s %s: the label column \"%s\" is not there; the columns are %s",
                        action, model, label, names.list()));
    DataType type = found.type();
    boolean isWhole =
        Set.<DataType>of(
                DataTypes.ByteType, DataTypes.ShortType, DataTypes.IntegerType, DataTypes.LongType)
            .contains(type);
    if (!isWhole) {
      throw TareException.badInput(
          "Cannot %s %s: the label column \"%s\" is of type %s, not of whole numbers",
          action, model, label, type.simpleString());
    }
    return found;
  }

  /** The same table with other rows of the same columns. */
  public BoundTable with(Dataset<Row> other) {
    return new BoundTable(other, source, head, by, notes);
  }

  /**
   * The same table with its rows in other partitions.
   *
   * @param moved also has a column that says where a row stood: partition times 2^33 plus the
   *     position in it
   */
  public BoundTable placed(Dataset<Row> moved, String place) {
    int index = List.of(moved.columns()).indexOf(place);
    return new BoundTable(sorted(moved, place), source.placed(index), head, by, notes);
  }

  /** Rows in an order in which those of a slice stand together. */
  public Dataset<Row> sorted(Dataset<Row> moved) {
    return by.isEmpty() ? moved : sorted(moved, by.stream().map(SliceColumn::name).toList());
  }

  private Dataset<Row> sorted(Dataset<Row> moved, String place) {
    List<String> columns = new ArrayList<>(by.stream().map(SliceColumn::name).toList());
    columns.add(place);
    return sorted(moved, columns);
  }

  private static Dataset<Row> sorted(Dataset<Row> rows, List<String> columns) {
    return rows.sortWithinPartitions(
        columns.stream()
            .map(name -> functions.col(DataSource.quoted(name)))
            .toArray(Column[]::new));
  }

  /** What a row takes in memory, about: the largest of the head. */
  public long rowBytes() {
    return rowBytes(head);
  }

  private static long rowBytes(List<Row> head) {
    return head.stream().mapToLong(row -> bytes(row, raw -> raw.length)).max().orElse(0);
  }

  /** The greatest number of values that Spark takes out of a row, one by one. */
  private static long values(List<Row> head) {
    return head.stream().mapToLong(row -> bytes(row, raw -> VALUE_BYTES)).max().orElse(0)
        / VALUE_BYTES;
  }

  /**
   * What a value holds, of a row or of what is in it.
   *
   * @param binary what bytes count
   */
  private static long bytes(Object value, ToLongFunction<byte[]> binary) {
    if (value instanceof byte[] raw) {
      return binary.applyAsLong(raw);
    }
    long sum = 0;
    if (value instanceof scala.collection.Seq<?> list) {
      if (list.isEmpty() || list.head() instanceof Number) {
        return VALUE_BYTES * list.size();
      }
      for (Object one : CollectionConverters.asJava(list)) {
        sum += bytes(one, binary);
      }
      return sum;
    }
    if (value instanceof Row row) {
      for (int i = 0; i < row.length(); i++) {
        sum += bytes(row.get(i), binary);
      }
      return sum;
    }
    return VALUE_BYTES;
  }

  /**
   * Decodes a row of the head, before any work is done.
   *
   * @param data what to call the table in messages
   * @throws TareException if there is no row, or a row is bad and bad rows are an error
   */
  public void checkHead(String data) {
    if (head.isEmpty()) {
      source.check(data, 0, 0, "");
    }
    source.check(head.get(0));
  }

  /**
   * Tries two rows of equal shapes from the head, or one of them twice if there are no two. Rows
   * whose values the model does not take are left out.
   *
   * @param run gets the batch, of two rows
   */
  public void probe(Consumer<Batches.Batch> run) {
    probe(2, run);
  }

  /**
   * Tries rows of equal shapes from the head, some of them several times if there are too few. Rows
   * whose values the model does not take are left out.
   *
   * @param rows of the batch
   * @param run gets the batch
   */
  public void probe(int rows, Consumer<Batches.Batch> run) {
    try {
      batch(head, rows).ifPresent(run);
    } catch (TareException e) {
      if (ValueFailures.reason(e).isEmpty()) {
        throw e;
      }
      // Row by row: the job itself reports bad rows.
      batch(head.stream().filter(row -> isTaken(row, rows, run)).toList(), rows).ifPresent(run);
    }
  }

  private boolean isTaken(Row row, int rows, Consumer<Batches.Batch> run) {
    try {
      batch(List.of(row), rows).ifPresent(run);
      return true;
    } catch (TareException e) {
      if (ValueFailures.reason(e).isEmpty()) {
        throw e;
      }
      return false;
    }
  }

  private Optional<Batches.Batch> batch(List<Row> from, int rows) {
    List<Batches.Batch> batchOf = new ArrayList<>();
    Batches batches = new Batches(source.bindings(), rows, (batch, real) -> batchOf.add(batch));
    RowDecoder decoder = new RowDecoder(source.bindings());
    for (Row row : from) {
      // A batch that ran is used again by the rows that follow.
      if (batchOf.isEmpty()) {
        addIfGood(batches, decoder, row);
      }
    }
    batches.finish();
    return batchOf.stream().findFirst();
  }

  private static void addIfGood(Batches batches, RowDecoder decoder, Row row) {
    try {
      batches.add(decoder.decode(row), new RowTag(-1, null, 0));
    } catch (RowDecoder.BadRow e) {
      // The job itself reports bad rows.
    }
  }
}
