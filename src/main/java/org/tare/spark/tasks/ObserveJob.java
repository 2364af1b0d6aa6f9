package org.tare.spark.tasks;

import java.io.Serializable;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.PairFlatMapFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.tare.TareException;
import org.tare.spark.JobLabel;
import org.tare.spark.SessionSettings;
import org.tare.spark.SparkFailures;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.ColumnNames;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.FloatValues;
import org.tare.spark.rows.RowSource;
import org.tare.spark.rows.SliceColumn;
import org.tare.spark.rows.Slices;
import org.tare.stats.ChannelObserver;
import org.tare.stats.ChannelStats;
import org.tare.stats.Extremes;
import org.tare.stats.MovingAverage;
import org.tare.stats.Recording;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;
import scala.Tuple2;

/**
 * Observes columns of a table without a model: each column is a tensor. Rows are cut into batches,
 * as a moving average and a recording need them; other states do not depend on the cut.
 */
public final class ObserveJob {
  private ObserveJob() {}

  /** Which parts the stats of a column get. */
  public enum Part {
    /** None: least and greatest value, histogram. */
    STATS,
    /** Each index of an array is a channel. */
    CHANNELS,
    MOVING_AVERAGE,
    /** A moving average for each index of an array. */
    CHANNEL_MOVING_AVERAGE,
    RECORDING
  }

  /**
   * How columns are observed.
   *
   * @param columns at least one
   * @param batch rows
   * @param constant of moving averages
   * @param recorded how many values a recording keeps
   */
  public record Columns(List<String> columns, Part part, int batch, float constant, int recorded)
      implements Serializable {
    boolean isPerChannel() {
      return part == Part.CHANNELS || part == Part.CHANNEL_MOVING_AVERAGE;
    }
  }

  /**
   * What is to be observed.
   *
   * @param by each combination of these columns' values is observed by itself
   */
  public record Request(DataSource data, Columns observed, List<String> by) {
    List<String> columns() {
      return observed.columns();
    }
  }

  /**
   * What was observed.
   *
   * @param slices by name, empty for the whole table; of each, the stats by column
   * @param rows of each slice
   */
  public record Result(
      SortedMap<String, SortedMap<String, TensorStats>> slices, SortedMap<String, Long> rows) {}

  /**
   * Observes.
   *
   * @param progress gets a line every few seconds
   * @throws TareException if there is no such column, or its type holds no numbers
   */
  public static Result run(SparkSession spark, Request request, Consumer<String> progress) {
    String description =
        "observe " + request.data().label() + ": " + request.columns().size() + " columns";
    try (SessionSettings settings = new SessionSettings(spark);
        JobLabel job = new JobLabel(spark, description)) {
      return run(settings, job, request, progress);
    }
  }

  private static Result run(
      SessionSettings settings, JobLabel job, Request request, Consumer<String> progress) {
    SparkSession spark = settings.spark();
    // No model runs here: to take the values out of rows is the work.
    settings.compile();
    Dataset<Row> selected = select(spark, request);
    long slices =
        SliceColumn.checkNumber("observe " + request.data().label(), request.by(), selected);
    LongAccumulator seen = spark.sparkContext().longAccumulator("rows");
    int columns = request.columns().size();
    List<SliceColumn> by = new ArrayList<>();
    for (int i = 0; i < request.by().size(); i++) {
      by.add(new SliceColumn(request.by().get(i), columns + i));
    }
    Observe observe =
        new Observe(request.observed(), readers(request, selected.schema()), by, seen);
    PartialStates.Merged merged;
    try (Progress display = new Progress(spark, job, "Observing", seen, progress)) {
      merged =
          PartialStates.merge(
              selected.javaRDD().mapPartitionsToPair(observe), slices * (columns + 1L));
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      throw job.failed("Cannot observe " + request.data().label(), e, 0);
    }
    if (merged.allRows() == 0) {
      throw TareException.badInput("Cannot observe %s: it holds no rows", request.data().label());
    }
    return new Result(merged.slices(), merged.rows());
  }

  /**
   * Hands the batches of each column over in the order of the partitions and rows, here on the
   * driver: for observers that do not merge.
   */
  public static void inOrder(
      SparkSession spark, Request request, BiConsumer<String, float[]> batches) {
    if (!request.by().isEmpty()) {
      throw TareException.usage("observe: an observer that needs one order cannot go by columns");
    }
    Map<String, Batch> open = new LinkedHashMap<>();
    long rows = 0;
    String description = "observe " + request.data().label() + ": rows in their order";
    try (SessionSettings settings = new SessionSettings(spark);
        JobLabel job = new JobLabel(spark, description)) {
      settings.compile();
      Dataset<Row> selected = select(spark, request);
      for (String column : request.columns()) {
        open.put(column, new Batch(reader(column, selected.schema(), request.observed())));
      }
      Iterator<Row> iterator = selected.toLocalIterator();
      while (iterator.hasNext()) {
        Row row = iterator.next();
        rows++;
        boolean isFull = rows % request.observed().batch() == 0;
        for (int i = 0; i < request.columns().size(); i++) {
          String column = request.columns().get(i);
          Batch batch = open.get(column);
          batch.add(row.get(i));
          if (isFull) {
            batches.accept(column, batch.take());
          }
        }
      }
    } catch (TareException e) {
      throw e;
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      throw SparkFailures.translate("Cannot observe " + request.data().label(), e);
    }
    if (rows == 0) {
      throw TareException.badInput("Cannot observe %s: it holds no rows", request.data().label());
    }
    open.forEach(
        (column, batch) -> {
          if (!batch.isEmpty()) {
            batches.accept(column, batch.take());
          }
        });
  }

  private static Dataset<Row> select(SparkSession spark, Request request) {
    Dataset<Row> table = request.data().load(spark);
    StructType schema = table.schema();
    List<String> names = List.of(schema.fieldNames());
    for (String column : request.columns()) {
      if (!names.contains(column)) {
        throw TareException.badInput(
            "Cannot observe column \"%s\": it is not in %s; the columns are %s",
            column, request.data().label(), String.join(", ", names));
      }
      reader(column, schema, request.observed());
    }
    for (String column : request.by()) {
      BoundTable.sliceColumn(
          "observe", request.data().label(), column, ColumnNames.of(spark, schema));
    }
    List<String> needed = new ArrayList<>(request.columns());
    needed.addAll(request.by());
    List<String> identity =
        request
            .data()
            .key()
            .or(
                () ->
                    names.contains("id") ? java.util.Optional.of("id") : java.util.Optional.empty())
            .map(List::of)
            .orElse(request.columns());
    Dataset<Row> selected;
    try {
      selected = request.data().select(table, needed, identity);
    } catch (Exception e) { // Scala throws checked exceptions unchecked
      // A sample of so many rows reads them.
      throw SparkFailures.translate("Cannot read data " + request.data().label(), e);
    }
    return request.by().isEmpty()
        ? selected
        : selected.sortWithinPartitions(
            request.by().stream()
                .map(name -> functions.col(DataSource.quoted(name)))
                .toArray(Column[]::new));
  }

  /**
   * What reads a column's values.
   *
   * @throws TareException if the column holds no numbers, or single ones where channels are asked
   *     for
   */
  private static FloatValues reader(String column, StructType schema, Columns observed) {
    DataType type = schema.apply(column).dataType();
    String failure = "Cannot observe column \"" + column + "\"";
    return FloatValues.of(type, failure)
        .filter(found -> !(found.isScalar() && observed.isPerChannel()))
        .orElseThrow(
            () ->
                TareException.badInput(
                    "%s: it is of type %s; %s",
                    failure,
                    type.simpleString(),
                    observed.isPerChannel()
                        ? "channels are the indexes of an array of numbers, or of binary float32"
                            + " values"
                        : "it takes numbers, arrays of numbers, and binary float32 values"));
  }

  private static List<FloatValues> readers(Request request, StructType schema) {
    return request.columns().stream()
        .map(column -> reader(column, schema, request.observed()))
        .toList();
  }

  /** The values of the rows of one batch. */
  private static final class Batch {
    private final FloatValues reader;
    private float[] values = new float[1024];
    private int length;

    Batch(FloatValues reader) {
      this.reader = reader;
    }

    void add(Object value) {
      if (value == null) {
        return;
      }
      float[] more = reader.values(value);
      if (length + more.length > values.length) {
        values = java.util.Arrays.copyOf(values, Math.max(2 * values.length, length + more.length));
      }
      System.arraycopy(more, 0, values, length, more.length);
      length += more.length;
    }

    boolean isEmpty() {
      return length == 0;
    }

    float[] take() {
      float[] taken = java.util.Arrays.copyOf(values, length);
      length = 0;
      return taken;
    }
  }

  /** One task: stats of each column, slice by slice. */
  private record Observe(
      Columns observed, List<FloatValues> readers, List<SliceColumn> by, LongAccumulator seen)
      implements PairFlatMapFunction<Iterator<Row>, Tuple2<String, String>, PartialState> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Tuple2<Tuple2<String, String>, PartialState>> call(Iterator<Row> rows) {
      TaskContext task = TaskContext.get();
      long place = task == null ? 0 : task.partitionId();
      return Slices.each(rows, by, (slice, own) -> observe(slice, own, place));
    }

    private Iterator<Tuple2<Tuple2<String, String>, PartialState>> observe(
        String slice, Iterator<Row> rows, long place) {
      List<ColumnObserver> observers = new ArrayList<>();
      for (int i = 0; i < readers.size(); i++) {
        observers.add(
            new ColumnObserver(observed, observed.columns().get(i), readers.get(i), place));
      }
      RowSource.Tally tally = new RowSource.Tally();
      while (rows.hasNext()) {
        Row row = rows.next();
        tally.countRow();
        seen.add(1);
        for (int i = 0; i < observers.size(); i++) {
          observers.get(i).add(row.get(i));
        }
        if (tally.rows() % observed.batch() == 0) {
          observers.forEach(ColumnObserver::endBatch);
        }
      }
      Map<String, TensorStats> tensors = new LinkedHashMap<>();
      for (ColumnObserver observer : observers) {
        observer.endBatch();
        tensors.put(observer.column, observer.stats);
      }
      return PartialStates.of(slice, tensors, tally);
    }
  }

  /** The stats of one column in one task. */
  private static final class ColumnObserver {
    /** Its scratch memory is large: one for each thread. */
    private static final ThreadLocal<StatsObserver> POOL =
        ThreadLocal.withInitial(StatsObserver::new);

    private final Columns observed;
    private final String column;
    private final FloatValues reader;
    private final long place;
    private final TensorStats stats = TensorStats.empty();
    private final Batch batch;
    private final ChannelObserver channelObserver = new ChannelObserver(POOL.get());
    private ChannelStats batchChannels;
    private long batches;

    ColumnObserver(Columns observed, String column, FloatValues reader, long place) {
      this.observed = observed;
      this.column = column;
      this.reader = reader;
      this.place = place;
      this.batch = new Batch(reader);
    }

    void add(Object value) {
      if (value == null) {
        return;
      }
      batch.add(value);
      if (observed.isPerChannel()) {
        addChannels(reader.values(value));
      }
    }

    private void addChannels(float[] row) {
      if (row.length == 0) {
        return;
      }
      ChannelStats channels =
          observed.part() == Part.CHANNELS ? stats.channels().orElse(null) : batchChannels;
      if (channels == null) {
        channels = ChannelStats.of(row.length);
        if (observed.part() == Part.CHANNELS) {
          stats.with(channels);
        } else {
          batchChannels = channels;
        }
      }
      if (channels.channels() != row.length) {
        throw TareException.badInput(
            "Cannot observe column \"%s\" by channel: one array has %d values, another %d",
            column, channels.channels(), row.length);
      }
      channelObserver.observe(channels, row, 0, row.length, 1, 1);
    }

    void endBatch() {
      if (batch.isEmpty()) {
        return;
      }
      float[] values = batch.take();
      POOL.get().observe(stats, FloatBuffer.wrap(values));
      switch (observed.part()) {
        case STATS, CHANNELS -> {}
        case MOVING_AVERAGE -> addToAverage(values);
        case CHANNEL_MOVING_AVERAGE -> addChannelsToAverage();
        case RECORDING -> {
          if (stats.recording().isEmpty()) {
            stats.with(Recording.of(observed.recorded()));
          }
          // Partitions come one after the other, each with room for its batches.
          stats.recording().get().observe((place << 32) + batches, values);
        }
      }
      batches++;
    }

    private void addToAverage(float[] values) {
      if (stats.average().isEmpty()) {
        stats.with(MovingAverage.at(place, observed.constant(), 1));
      }
      Extremes extremes = Extremes.of(values);
      if (extremes.min() <= extremes.max()) {
        stats.average().get().observe(extremes.min(), extremes.max());
      }
    }

    private void addChannelsToAverage() {
      ChannelStats channels = batchChannels;
      batchChannels = null;
      if (channels == null) {
        return;
      }
      int count = channels.channels();
      if (stats.average().isEmpty()) {
        stats.with(MovingAverage.at(place, observed.constant(), count));
      }
      float[] min = new float[count];
      float[] max = new float[count];
      for (int c = 0; c < count; c++) {
        if (channels.finiteCount(c) == 0) {
          throw TareException.badInput(
              "Cannot average column \"%s\" by channel: channel %d of a batch has no finite value",
              column, c);
        }
        min[c] = channels.min(c);
        max[c] = channels.max(c);
      }
      stats.average().get().observe(min, max);
    }
  }
}
