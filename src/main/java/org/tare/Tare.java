package org.tare;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.tare.history.Session;
import org.tare.job.ModelReader;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;

/**
 * Calibrates and quantizes ONNX models on a Spark session of the caller's.
 *
 * <pre>{@code
 * Tare tare = Tare.on(spark);
 * Calibration c = tare.calibrate("hdfs:///models/m.onnx").data(df).by("country").run();
 * Quantized q = tare.quantize("hdfs:///models/m.onnx").state(c.state()).run();
 * Evaluation e = tare.evaluate("hdfs:///models/m.onnx", q).data(validation).label("label").run();
 * q.write("s3a://bucket/quantized");
 * }</pre>
 *
 * <p>Each call describes a run; nothing happens before its {@code run()}. What is not said is as
 * the settings' page has it, after what {@code spark.tare.*} in the session's configuration says. A
 * failure that the caller can act on is a {@link TareException}. The session's settings stay as
 * they were. Safe to use from several threads; a call belongs to one.
 */
public final class Tare {
  private final Supplier<SparkSession> spark;
  private final Supplier<Configuration> hadoop;
  private final Supplier<Map<String, String>> sparkConf;
  private final Consumer<String> progress;

  private Tare(
      Supplier<SparkSession> spark,
      Supplier<Configuration> hadoop,
      Supplier<Map<String, String>> sparkConf,
      Consumer<String> progress) {
    this.spark = spark;
    this.hadoop = hadoop;
    this.sparkConf = sparkConf;
    this.progress = progress;
  }

  /** Tare on a session. */
  public static Tare on(SparkSession spark) {
    return new Tare(
        () -> spark,
        () -> spark.sparkContext().hadoopConfiguration(),
        () -> confOf(spark),
        Tare::log);
  }

  /**
   * Tare on a session that starts when a run first needs it: quantizing, merging and inspecting
   * need none.
   *
   * @param hadoop how files are reached
   */
  public static Tare on(Supplier<SparkSession> spark, Configuration hadoop) {
    return new Tare(spark, () -> hadoop, Map::of, Tare::log);
  }

  /** The logger is made with the first line: to start logging takes longer than to print a help. */
  private static void log(String line) {
    Progress.LOG.info(line);
  }

  private static final class Progress {
    private static final Logger LOG = LoggerFactory.getLogger(Tare.class);
  }

  /** The same, with lines on the progress of long work for someone else than the log. */
  public Tare withProgress(Consumer<String> lines) {
    return new Tare(spark, hadoop, sparkConf, lines);
  }

  /** The version of this build. */
  public static String version() {
    String version = Tare.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  /**
   * Observes a float model on rows.
   *
   * @param model the path of an ONNX model, on any file system that Hadoop reaches
   */
  public Calibrate calibrate(String model) {
    return new Calibrate(this).set("model", model);
  }

  /** Writes a float model in integers. */
  public Quantize quantize(String model) {
    return new Quantize(this).set("model", model);
  }

  /** Compares a float model with a quantized one, of Tare or of another tool, on rows. */
  public Evaluate evaluate(String model, String quantized) {
    return new Evaluate(this).set("model", model).set("quantized", quantized);
  }

  /** Compares a float model with what was made of it, on rows. */
  public Evaluate evaluate(String model, Quantized quantized) {
    return new Evaluate(this).set("model", model).quantized(quantized);
  }

  /** Calibrates, quantizes and, if there are rows for it, evaluates. */
  public Run run(String model) {
    return new Run(this).set("model", model);
  }

  /**
   * Trains a float model for its quantized form, and quantizes it. Needs libtorch on the classpath.
   */
  public Finetune finetune(String model) {
    return new Finetune(this).set("model", model);
  }

  /**
   * Compares the tensors inside of a quantized model, of Tare or another tool, with the float ones.
   */
  public Compare compare(String model, String quantized) {
    return new Compare(this).set("model", model).set("quantized", quantized);
  }

  /** Measures on rows what quantizing each layer costs, one at a time. */
  public MeasureSensitivity sensitivity(String model) {
    return new MeasureSensitivity(this).set("model", model);
  }

  /** Finds the types of layers that cost least and keep a target on rows. */
  public MixTypes mix(String model) {
    return new MixTypes(this).set("model", model);
  }

  /** Tries the ways to quantize a model on sample rows, and says which is enough. */
  public Recommend recommend(String model) {
    return new Recommend(this).set("model", model);
  }

  /**
   * Compares new rows with what a deployed model was calibrated on, and makes it anew if needed.
   */
  public Recalibrate recalibrate(String model) {
    return new Recalibrate(this).set("model", model);
  }

  /** Brings a former version of a deployed output back. */
  public Rollback rollback(String output) {
    return new Rollback(this, output);
  }

  /** Observes columns of a table, without a model. */
  public Observe observe(Dataset<Row> rows) {
    return new Observe(this).data(rows);
  }

  /** Observes columns of files. */
  public Observe observe(String path) {
    return new Observe(this).data(path);
  }

  /** Compares what is observed now with a reference. */
  public CheckDrift drift(CalibrationState reference) {
    return new CheckDrift(this).reference(reference);
  }

  /** Compares what is observed now with the state in a file. */
  public CheckDrift drift(String reference) {
    return new CheckDrift(this).set("drift.reference", reference);
  }

  /** The calibration state in a file. */
  public CalibrationState readState(String file) {
    return CalibrationState.decode(files().read("calibration state", file), file);
  }

  /**
   * The states in a store.
   *
   * @throws TareException if the folder holds something else
   */
  public States states(String folder) {
    return new States(this, folder);
  }

  /** Adds states of the same model, or of columns. */
  public Merge merge(List<CalibrationState> states) {
    return new Merge(this, states);
  }

  /** Draws how the values of a tensor are distributed, and the ranges that hold them. */
  public Plot plot(CalibrationState state, String tensor) {
    return new Plot(this, state, tensor);
  }

  /** What a state holds, or what is quantized in an ONNX model. */
  public Inspection inspect(String file) {
    return Inspection.of(files(), file);
  }

  SparkSession spark() {
    return spark.get();
  }

  Supplier<SparkSession> sparkSupplier() {
    return spark;
  }

  Consumer<String> progress() {
    return progress;
  }

  /** What lineages and stores need of it. */
  Session session() {
    return new Session(files(), sparkSupplier(), version());
  }

  HadoopFiles files() {
    return new HadoopFiles(hadoop.get());
  }

  ModelReader models() {
    return new ModelReader(files());
  }

  Settings defaults() {
    return new Settings().sparkConf(sparkConf.get());
  }

  private static Map<String, String> confOf(SparkSession spark) {
    Map<String, String> conf = new TreeMap<>();
    scala.jdk.javaapi.CollectionConverters.asJava(spark.conf().getAll()).forEach(conf::put);
    return conf;
  }
}
