package org.tare.streams;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.spark.api.java.function.VoidFunction2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.tare.DryRun;
import org.tare.PrintableText;
import org.tare.Tare;
import org.tare.TareException;
import org.tare.settings.Settings;
import org.tare.settings.StreamSettings;

/**
 * A calibration to be, of rows that keep coming: the state of each batch of a stream goes into a
 * state store.
 *
 * <pre>{@code
 * CalibrateStream.on(spark, "hdfs:///models/m.onnx")
 *     .rows(spark.readStream().schema(schema).parquet("hdfs:///lake/clicks"))
 *     .store("hdfs:///models/states")
 *     .name("clicks")
 *     .run();                                 // takes what is there now, then ends
 * }</pre>
 *
 * <p>A batch counts once, also if Spark gives it again after a crash. The rows must be the same
 * ones then, as those of files, Kafka and tables are.
 */
public final class CalibrateStream {
  private static final Logger LOG = LoggerFactory.getLogger(CalibrateStream.class);
  private static final String ORIGIN = "set by the caller";

  private final SparkSession spark;
  private Settings settings;
  private Optional<Dataset<Row>> given = Optional.empty();
  private Consumer<String> progress = LOG::info;

  private CalibrateStream(SparkSession spark) {
    this.spark = spark;
    Map<String, String> conf = new TreeMap<>();
    scala.jdk.javaapi.CollectionConverters.asJava(spark.conf().getAll()).forEach(conf::put);
    settings = new Settings().sparkConf(conf);
  }

  /**
   * Of a float model, on a session.
   *
   * @param model the path of an ONNX model, on any file system that Hadoop reaches
   */
  public static CalibrateStream on(SparkSession spark, String model) {
    return new CalibrateStream(spark).set("model", model);
  }

  /**
   * Sets any setting of the settings' page.
   *
   * @throws TareException if there is no such key, or it does not take the value
   */
  public CalibrateStream set(String key, Object value) {
    settings.set(key, value, ORIGIN);
    return this;
  }

  /** Sets several. */
  public CalibrateStream set(Map<String, ?> values) {
    values.forEach(this::set);
    return this;
  }

  /** Takes the settings of a job file. */
  public CalibrateStream config(Path jobFile) {
    settings.jobFile(jobFile);
    return this;
  }

  /** Takes these settings in place of all that was said before. */
  public CalibrateStream settings(Settings all) {
    settings = all.copy();
    return this;
  }

  /** Lines on the progress of the work go there, and not to the log. */
  public CalibrateStream withProgress(Consumer<String> lines) {
    progress = lines;
    return this;
  }

  /** The rows: a streaming DataFrame, as {@code spark.readStream()} gives it. */
  public CalibrateStream rows(Dataset<Row> streaming) {
    given = Optional.of(streaming);
    return this;
  }

  /** Files with the rows, in Parquet unless {@code data.format} says otherwise. */
  public CalibrateStream rows(String path) {
    return set("data.path", path);
  }

  /** The folder of the state store, which is made if it is not there. */
  public CalibrateStream store(String folder) {
    return set("store.path", folder);
  }

  /** The name of the stream, which the names of its slices begin with. */
  public CalibrateStream name(String name) {
    return set("stream.name", name);
  }

  /** The folder in which Spark writes down how far the stream was read. */
  public CalibrateStream checkpoint(String folder) {
    return set("stream.checkpoint", folder);
  }

  /** Goes on, with a batch each so often if there are rows: {@code 1 minute}. */
  public CalibrateStream every(String interval) {
    return set("stream.every", interval);
  }

  /** Columns; each combination of their values gets a state of its own. */
  public CalibrateStream by(String... columns) {
    return set("calibrate.by", List.of(columns));
  }

  /**
   * Calibrates on what is there now, then ends; with {@link #every} it goes on until the query is
   * stopped.
   *
   * @return what came of the batches of this run
   * @throws TareException if a batch failed; those before it are in the store
   */
  public StreamResult run() {
    StreamSettings how = StreamSettings.of(settings);
    StreamedSlices slices = slices(how);
    StreamingQuery query = start(how, slices);
    try {
      query.awaitTermination();
    } catch (Exception e) { // StreamingQueryException, which Scala throws unchecked
      throw StreamFailures.translate(
          "Cannot calibrate on the stream " + how.name(), how.checkpoint(), e);
    } finally {
      stop(query);
    }
    return new StreamResult(how.name(), slices.batches());
  }

  /**
   * Starts the stream and returns its query, which runs on in the background: it can be watched,
   * awaited and stopped as any of Spark's.
   */
  public StreamingQuery start() {
    StreamSettings how = StreamSettings.of(settings);
    return start(how, slices(how));
  }

  /**
   * Checks all that can be checked before the stream runs, and tells what it would do. Of files and
   * tables it looks at the rows that are there now.
   *
   * @throws TareException that says what does not fit
   */
  public DryRun dryRun() {
    StreamSettings how = StreamSettings.of(settings);
    slices(how);
    opened(how);
    Tare tare = Tare.on(spark);
    String model = settings.require("model");
    Optional<Dataset<Row>> now =
        given.isPresent() ? Optional.empty() : StreamSource.now(spark, how);
    if (now.isEmpty()) {
      tare.inspect(model);
      return DryRun.ofSettings(settings);
    }
    DryRun ofBatch = tare.calibrate(model).settings(how.ofBatch(settings)).data(now.get()).dryRun();
    return new DryRun(
        settings.effective(),
        ofBatch.observed(),
        ofBatch.quantizedNodes(),
        ofBatch.floatNodes(),
        ofBatch.memory());
  }

  private StreamedSlices slices(StreamSettings how) {
    // A folder that is no store is told before anything runs.
    Tare.on(spark).states(how.store());
    return new StreamedSlices(settings, how, progress);
  }

  /** The rows, of which it was checked that they can be a stream's. */
  private Dataset<Row> opened(StreamSettings how) {
    Dataset<Row> rows = given.orElseGet(() -> StreamSource.open(spark, how));
    if (!rows.isStreaming()) {
      throw TareException.usage(
          "Cannot calibrate on the stream %s: its rows are no stream; make them with"
              + " spark.readStream, or calibrate without one",
          PrintableText.of(how.name()));
    }
    if (List.of(rows.columns()).contains(StreamedSlices.BEGUN)) {
      throw TareException.badInput(
          "Cannot calibrate on the stream %s: its column %s has a name that Tare needs",
          PrintableText.of(how.name()), StreamedSlices.BEGUN);
    }
    return rows;
  }

  private StreamingQuery start(StreamSettings how, StreamedSlices slices) {
    Trigger trigger = how.every().map(CalibrateStream::each).orElseGet(Trigger::AvailableNow);
    Dataset<Row> rows = opened(how);
    try {
      return rows.withColumn(StreamedSlices.BEGUN, functions.expr(StreamedSlices.BEGIN))
          .writeStream()
          .queryName(how.name())
          .option("checkpointLocation", how.checkpoint())
          .trigger(trigger)
          .foreachBatch((VoidFunction2<Dataset<Row>, Long>) slices::add)
          .start();
    } catch (Exception e) { // AnalysisException and TimeoutException, which Scala throws unchecked
      throw StreamFailures.translate("Cannot start the stream " + how.name(), how.checkpoint(), e);
    }
  }

  private static Trigger each(String interval) {
    try {
      return Trigger.ProcessingTime(interval);
    } catch (Exception e) { // of several kinds, some of which Scala throws unchecked
      throw TareException.usage(
              "stream.every (--every) cannot be \"%s\": it is an interval of 0 or more, as 30 seconds"
                  + " or 1 minute",
              PrintableText.of(interval))
          .causedBy(e);
    }
  }

  private static void stop(StreamingQuery query) {
    try {
      query.stop();
    } catch (java.util.concurrent.TimeoutException e) {
      LOG.warn("The stream {} did not stop in time", query.name(), e);
    }
  }
}
