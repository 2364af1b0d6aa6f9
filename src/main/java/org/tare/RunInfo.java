package org.tare;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.tare.job.FloatModel;
import org.tare.results.Provenance;
import org.tare.settings.Settings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.Sample;

/** Gathers the {@link Provenance} of a run while it runs. */
final class RunInfo {
  private final String command;
  private final Tare tare;
  private final Settings settings;
  private final Instant started = Instant.now();
  private final long begun = System.nanoTime();
  private final Map<String, Provenance.Table> tables = new LinkedHashMap<>();
  private final Map<String, Double> seconds = new LinkedHashMap<>();

  private RunInfo(String command, Tare tare, Settings settings) {
    this.command = command;
    this.tare = tare;
    this.settings = settings;
  }

  static RunInfo begin(String command, Tare tare, Settings settings) {
    return new RunInfo(command, tare, settings);
  }

  /** What quantized models say of who wrote them. */
  static Map<String, String> metadata() {
    return Map.of("tare.version", Tare.version());
  }

  RunInfo table(String name, DataSource rows) {
    tables.put(name, new Provenance.Table(rows.label(), rows.sample().map(RunInfo::text)));
    return this;
  }

  private static String text(Sample sample) {
    return sample instanceof Sample.Rows rows
        ? Integer.toString(rows.count())
        : Double.toString(((Sample.Share) sample).share());
  }

  RunInfo seconds(String step, double taken) {
    seconds.put(step, taken);
    return this;
  }

  /** The facts of a run that ends now. */
  Provenance end(Optional<FloatModel> model) {
    seconds.put("total", (System.nanoTime() - begun) / 1e9);
    Map<String, String> set = new TreeMap<>();
    for (Settings.Effective setting : settings.effective()) {
      if (!setting.origin().equals("default") && !isSecret(setting.key())) {
        set.put(setting.key(), setting.value());
      }
    }
    return new Provenance(
        command,
        Tare.version(),
        tables.isEmpty() ? Optional.empty() : Optional.of(tare.spark().version()),
        Runtime.version().toString(),
        started,
        Instant.now(),
        model.map(
            read ->
                new Provenance.Model(
                    read.name(), read.original().digest(), read.original().sizeBytes())),
        tables,
        set,
        seconds);
  }

  /** Settings of Spark and of readers may hold credentials, and so do many webhooks. */
  private static boolean isSecret(String key) {
    return key.equals("notify.url")
        || key.equals("registry.mlflow.url")
        || key.startsWith("spark.")
        || key.contains(".options.");
  }
}
