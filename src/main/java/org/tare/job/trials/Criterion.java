package org.tare.job.trials;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.SqlMetric;

/** What forms are judged by: a metric of Tare's, or one of the user's. */
public sealed interface Criterion {
  /** Its name. */
  String id();

  /** The figure of a form. */
  double of(Figures figures);

  /** Whether a greater figure is better. */
  boolean isGreaterBetter();

  /** Whether it is the given metric. */
  default boolean is(Metric metric) {
    return this instanceof Known known && known.metric() == metric;
  }

  /**
   * The user's expression, which this looks at; empty for a metric of Tare's.
   *
   * @param rows that it will be computed on
   * @throws org.tare.TareException if Spark does not understand it
   */
  default Optional<SqlMetric> sql(JobContext context, FloatModel model, DataSource rows) {
    return Optional.empty();
  }

  /** A metric of Tare's. */
  record Known(Metric metric) implements Criterion {
    @Override
    public String id() {
      return metric.id();
    }

    @Override
    public double of(Figures figures) {
      return metric.of(figures.outputs());
    }

    @Override
    public boolean isGreaterBetter() {
      return metric.isGreaterBetter();
    }
  }

  /**
   * A metric of the user's.
   *
   * @param sql an expression, as {@link org.tare.spark.tasks.SqlMetric} has it
   */
  record Own(String sql, Better better) implements Criterion {
    /** The setting that it comes from. */
    public static final String KEY = "trials.metric-sql";

    /** Which figures are better. */
    public enum Better {
      GREATER,
      LESS
    }

    @Override
    public String id() {
      return "sql";
    }

    @Override
    public double of(Figures figures) {
      return figures.own().orElseThrow();
    }

    @Override
    public boolean isGreaterBetter() {
      return better == Better.GREATER;
    }

    @Override
    public Optional<SqlMetric> sql(JobContext context, FloatModel model, DataSource rows) {
      SparkSession spark = context.spark().get();
      List<String> outputs = EvaluationJob.outputs(model.original(), model.types());
      return Optional.of(SqlMetric.check(spark, KEY, sql, rows.load(spark).schema(), outputs));
    }
  }
}
