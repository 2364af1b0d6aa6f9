package org.tare.examples;

import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.Calibration;
import org.tare.Evaluation;
import org.tare.Quantized;
import org.tare.Tare;

/**
 * The library in ten lines of Java: calibrates, quantizes and evaluates DataFrames in a session
 * that Tare did not start, and leaves it as it was.
 */
public final class LibraryExample {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-";
  private static final double LEAST_TOP1 = 0.98;

  private LibraryExample() {}

  /** Runs the example; fails if the figures are not reached or something is left behind. */
  public static void main(String[] args) {
    SparkSession spark = SparkSession.builder().master("local[2]").appName("digits").getOrCreate();
    try {
      check(spark);
    } finally {
      spark.stop();
    }
  }

  private static Evaluation quantizeDigits(SparkSession spark) {
    Dataset<Row> train = spark.read().parquet(DIGITS + "train.parquet");
    Dataset<Row> validation = spark.read().parquet(DIGITS + "validation.parquet");
    String model = DIGITS + "mobilenet.onnx";
    var pixels = Map.of("inputs.image.dtype", "uint8", "inputs.image.scale", 1 / 255.0);

    Tare tare = Tare.on(spark);
    Calibration c = tare.calibrate(model).data(train).sample(512).set(pixels).run();
    Quantized q = tare.quantize(model).state(c.state()).run();
    System.out.printf("%d rows gave a model of %d bytes%n", c.state().rows(), q.sizeBytes());
    return tare.evaluate(model, q).data(validation).label("label").set(pixels).run();
  }

  /** The example in a session; throws if it fails. */
  public static void check(SparkSession spark) {
    List<Row> settings = spark.sql("SET").collectAsList();
    long tables = spark.catalog().listTables().count();
    Evaluation evaluation = quantizeDigits(spark);
    evaluation.summary().forEach(fact -> System.out.println(fact.name() + ": " + fact.value()));
    double top1 = evaluation.outputs().values().iterator().next().quantizedTop1();
    if (top1 < LEAST_TOP1) {
      throw new IllegalStateException("top-1 is " + top1 + ", not at least " + LEAST_TOP1);
    }
    if (!spark.sql("SET").collectAsList().equals(settings)) {
      throw new IllegalStateException("the session's settings are not what they were");
    }
    if (spark.catalog().listTables().count() != tables) {
      throw new IllegalStateException("a view was left in the session");
    }
  }
}
