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
import org.tare.job.ColumnObservation;
import org.tare.job.FloatModel;
import org.tare.settings.Settings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;

/** Writes down in states on what they were made, with which settings, when, by which versions. */
final class Lineages {
  private final Lineage.Origin whole;
  private final Lineage.Run run;

  private Lineages(Lineage.Origin whole, Lineage.Run run) {
    this.whole = whole;
    this.run = run;
  }

  /** Of a run that ends now and read these columns of the data. */
  static Lineages of(Tare tare, Settings settings, DataSource data, List<String> columns) {
    SortedMap<String, String> versions = new TreeMap<>();
    versions.put("tare", Tare.version());
    versions.put("spark", tare.spark().version());
    versions.put("java", Runtime.version().toString());
    versions.put("onnxruntime", ModelSession.runtimeVersion());
    return new Lineages(
        new Lineage.Origin(
            data.label(),
            data.snapshot(tare.spark()),
            "",
            settings.find("data.sample").orElse(""),
            columns),
        new Lineage.Run(digest(settings), Instant.now(), versions));
  }

  /** Of a calibration of this model. */
  static Lineages of(Tare tare, Settings settings, DataSource data, FloatModel model) {
    return of(tare, settings, data, columns(settings, model));
  }

  /** The same result, whose states know where they come from. */
  CalibrationJob.Result add(CalibrationJob.Result observed) {
    return new CalibrationJob.Result(
        with(observed.state(), ""),
        withSlices(observed.slices()),
        observed.skipped(),
        observed.reason(),
        observed.partitions(),
        observed.seconds());
  }

  /** The same result, whose states know where they come from. */
  ColumnObservation.Result add(ColumnObservation.Result observed) {
    return new ColumnObservation.Result(observed.qparams(), withSlices(observed.states()));
  }

  private SortedMap<String, CalibrationState> withSlices(
      SortedMap<String, CalibrationState> states) {
    SortedMap<String, CalibrationState> known = new TreeMap<>(states);
    known.replaceAll((slice, state) -> with(state, slice));
    return known;
  }

  private CalibrationState with(CalibrationState state, String slice) {
    Lineage.Origin origin =
        new Lineage.Origin(whole.data(), whole.snapshot(), slice, whole.sample(), whole.columns());
    return state.withLineage(
        Lineage.of(new Lineage.Source(origin, state.rows(), state.digest(), run)));
  }

  private static List<String> columns(Settings settings, FloatModel model) {
    List<String> columns = new ArrayList<>();
    for (String input : model.original().graph().inputNames()) {
      columns.add(settings.find("inputs." + input + ".column").orElse(input));
    }
    return columns;
  }

  /** Of what decides the numbers: not of where results go. */
  private static String digest(Settings settings) {
    Map<String, String> deciding = new TreeMap<>();
    for (Settings.Effective setting : settings.effective()) {
      boolean decides =
          List.of(
                  "inputs.",
                  "prepare.",
                  "calibrate.",
                  "observe.",
                  "quantize.",
                  "batch",
                  "mask",
                  "bad-rows")
              .stream()
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
