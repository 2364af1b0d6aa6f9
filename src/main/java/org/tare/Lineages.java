package org.tare;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.infer.ModelSession;
import org.tare.job.CalibrationRun;
import org.tare.job.FloatModel;
import org.tare.settings.Settings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;

/** Writes down in states on what they were made, with which settings, when, by which versions. */
final class Lineages {
  private Lineages() {}

  /** The same result, whose states know where they come from. */
  static CalibrationJob.Result add(
      CalibrationJob.Result observed,
      Tare tare,
      Settings settings,
      CalibrationRun how,
      FloatModel model,
      DataSource data) {
    SortedMap<String, String> versions = new TreeMap<>();
    versions.put("tare", Tare.version());
    versions.put("spark", tare.spark().version());
    versions.put("java", Runtime.version().toString());
    versions.put("onnxruntime", ModelSession.runtimeVersion());
    Lineage.Run run = new Lineage.Run(digest(settings, how, model), Instant.now(), versions);
    Lineage.Origin whole =
        new Lineage.Origin(
            data.label(),
            data.snapshot(tare.spark()),
            "",
            sample(settings),
            columns(settings, model));
    SortedMap<String, CalibrationState> slices = new TreeMap<>(observed.slices());
    slices.replaceAll((name, state) -> with(state, ofSlice(whole, name), run));
    return new CalibrationJob.Result(
        with(observed.state(), whole, run),
        slices,
        observed.skipped(),
        observed.reason(),
        observed.partitions(),
        observed.seconds());
  }

  private static CalibrationState with(
      CalibrationState state, Lineage.Origin origin, Lineage.Run run) {
    return state.withLineage(
        Lineage.of(new Lineage.Source(origin, state.rows(), state.digest(), run)));
  }

  private static Lineage.Origin ofSlice(Lineage.Origin whole, String slice) {
    return new Lineage.Origin(
        whole.data(), whole.snapshot(), slice, whole.sample(), whole.columns());
  }

  private static List<String> columns(Settings settings, FloatModel model) {
    List<String> columns = new ArrayList<>();
    for (String input : model.original().graph().inputNames()) {
      columns.add(settings.find("inputs." + input + ".column").orElse(input));
    }
    return columns;
  }

  /** Which rows of the data, as it was set. */
  static String sample(Settings settings) {
    return settings.find("data.sample").orElse("");
  }

  /**
   * Of what decides the numbers besides model and data: not of where results go, nor of how ranges
   * are chosen from them.
   */
  static String digest(Settings settings, CalibrationRun how, FloatModel model) {
    Map<String, String> deciding = new TreeMap<>();
    deciding.put("observes", how.observes(model));
    for (Settings.Effective setting : settings.effective()) {
      boolean decides =
          List.of("inputs.", "prepare.", "batch", "mask", "bad-rows").stream()
              .anyMatch(setting.key()::startsWith);
      if (decides) {
        deciding.put(setting.key(), setting.value());
      }
    }
    try {
      byte[] text = deciding.toString().getBytes(StandardCharsets.UTF_8);
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
