package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.Preflight;
import org.tare.job.QuantizeOptions;
import org.tare.job.advice.Advice;
import org.tare.job.advice.AdviceRun;
import org.tare.job.advice.Way;
import org.tare.settings.RecommendSettings;
import org.tare.settings.RunSettings;
import org.tare.settings.Settings;
import org.tare.spark.rows.DataSource;

/** A recommendation to be: which way to quantize a model is the cheapest that is good enough. */
public final class Recommend extends Call<Recommend> {
  Recommend(Tare tare) {
    super(tare);
  }

  @Override
  Recommend self() {
    return this;
  }

  /** Rows to calibrate on, and without validation rows to judge on. */
  public Recommend data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** Files with such rows. */
  public Recommend data(String path) {
    return set("data.path", path);
  }

  /** Rows to judge on. */
  public Recommend validation(Dataset<Row> rows) {
    return withValidation(rows);
  }

  /** Files with rows to judge on. */
  public Recommend validation(String path) {
    return set("validation.path", path);
  }

  /** The column of class numbers in the rows to judge on. */
  public Recommend label(String column) {
    return set("validation.label", column);
  }

  /** How long to try, as {@code 10m}. */
  public Recommend budget(String time) {
    return set("recommend.budget", time);
  }

  /** How much of the metric may be lost at most. */
  public Recommend maxDrop(double share) {
    return set("recommend.max-drop", share);
  }

  /**
   * Tries the ways.
   *
   * @throws TareException if the rows do not fit the model
   */
  @Override
  public Recommendation run() {
    RunInfo info = RunInfo.begin("recommend", tare(), settings());
    Settings given = settings().copy();
    AdviceRun.Options options = RecommendSettings.of(given);
    RecommendSettings.Ways ways = RecommendSettings.ways(given);
    FloatModel model = readModel(ways.options());
    DataSource unpinned = requireTable("data", "calibrate on");
    Optional<Publication> output = Publication.check(this);
    DataSource data = pinned(unpinned);
    Optional<DataSource> validation = table("validation").map(this::pinned);
    DataSource judged = validation.orElse(data);
    Preflight.Checked checked =
        Preflight.check(
            context(), model, Optional.of(data), Optional.of(judged), label(), List.of());
    Advice advice =
        new AdviceRun(
                checked.context(), options, ways.options(), ways.refused(), RunInfo.metadata())
            .run(model, data, judged, label());
    info.table("data", data).seconds("try", advice.seconds());
    validation.ifPresent(rows -> info.table("validation", rows));
    Recommendation result =
        new Recommendation(
            info.end(Optional.of(model)),
            advice,
            advice.chosen().map(step -> RecommendSettings.jobFile(given, step, advice)),
            new ArrayList<>(checked.notes()));
    output.ifPresent(result::publish);
    return result;
  }

  private FloatModel readModel(Map<Way, QuantizeOptions> ways) {
    return tare()
        .models()
        .readFloat(
            settings().require("model"), RunSettings.prepare(settings()), usual(ways).mapping());
  }

  private static QuantizeOptions usual(Map<Way, QuantizeOptions> ways) {
    return Optional.ofNullable(ways.get(Way.STATIC))
        .orElseGet(() -> ways.values().iterator().next());
  }

  private Optional<String> label() {
    return settings().find("validation.label");
  }

  @Override
  public DryRun dryRun() {
    RecommendSettings.of(settings());
    Map<Way, QuantizeOptions> ways = RecommendSettings.ways(settings()).options();
    FloatModel model = readModel(ways);
    DataSource data = requireTable("data", "calibrate on");
    Publication.check(this);
    JobContext checked =
        Preflight.check(
                context(), model, Optional.of(data), table("validation"), label(), List.of())
            .context();
    return dryRun(checked, model, usual(ways), Optional.of(data));
  }
}
