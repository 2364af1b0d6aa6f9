package org.tare;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.history.Lineages;
import org.tare.job.ColumnObservation;
import org.tare.job.ObserveOptions;
import org.tare.job.Observer;
import org.tare.settings.ObserveSettings;
import org.tare.spark.rows.DataSource;

/** An observation of columns to be. */
public final class Observe extends Call<Observe> {
  Observe(Tare tare) {
    super(tare);
  }

  @Override
  Observe self() {
    return this;
  }

  Observe data(Dataset<Row> rows) {
    return withData(rows);
  }

  Observe data(String path) {
    return set("data.path", path);
  }

  /** The columns: numbers, arrays of numbers, or binary float32 values. */
  public Observe columns(String... columns) {
    return set("observe.column", List.of(columns));
  }

  /** The observer; the histogram unless it is said. */
  public Observe observer(Observer observer) {
    return set("observe.observer", observer.id());
  }

  /** Columns; each combination of their values is observed by itself. */
  public Observe by(String... columns) {
    return set("calibrate.by", List.of(columns));
  }

  /** Observes. */
  @Override
  public Observation run() {
    RunInfo info = RunInfo.begin("observe", tare(), settings());
    ObserveOptions options = ObserveSettings.of(settings());
    DataSource given = requireTable("data", "observe");
    Optional<Publication> output = Publication.check(this);
    DataSource data = pinned(given);
    ColumnObservation.Result result =
        ColumnObservation.run(tare().spark(), data, options, tare().progress());
    Observation observation =
        new Observation(
            info.table("data", data).end(Optional.empty()),
            options,
            Lineages.ofColumns(tare().session(), settings(), data, options.columns()).add(result));
    output.ifPresent(observation::publish);
    return observation;
  }

  @Override
  public DryRun dryRun() {
    ObserveSettings.of(settings());
    requireTable("data", "observe");
    Publication.check(this);
    return DryRun.ofSettings(settings());
  }
}
