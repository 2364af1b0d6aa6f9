package org.tare.history;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.tare.infer.ModelSession;
import org.tare.job.CalibrationRun;
import org.tare.job.ColumnObservation;
import org.tare.job.FloatModel;
import org.tare.settings.Settings;
import org.tare.spark.JobEvent;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;

/** Writes down in states on what they were made, with which settings, when, by which versions. */
public final class Lineages {
  private final Lineage.Origin whole;
  private final Lineage.Run run;

  private Lineages(Lineage.Origin whole, Lineage.Run run) {
    this.whole = whole;
    this.run = run;
  }

  /** Calibrates; the states know where they come from. */
  public static CalibrationJob.Result calibrate(
      CalibrationRun how, FloatModel model, DataSource data, Session session, Settings settings) {
    return calibrate(how, model, data, Optional::empty, session, settings);
  }

  /**
   * Calibrates for a state store; the states know where they come from.
   *
   * @param latest a state that the new one is to be added to in time, if there is one
   */
  public static CalibrationJob.Result calibrate(
      CalibrationRun how,
      FloatModel model,
      DataSource data,
      Supplier<Optional<CalibrationState>> latest,
      Session session,
      Settings settings) {
    CalibrationJob.Result observed = how.run(model, data, latest);
    new JobEvent.Calibrated(observed.state().rows(), observed.skipped(), observed.seconds()).post();
    return of(session, settings, data, columns(settings, model), digest(settings, how, model))
        .add(observed);
  }

  /** Of an observation of columns that ends now. */
  public static Lineages ofColumns(
      Session session, Settings settings, DataSource data, List<String> columns) {
    return of(
        session, settings, data, columns, digest(settings, new TreeMap<>(), List.of("observe.")));
  }

  private static Lineages of(
      Session session, Settings settings, DataSource data, List<String> columns, String digest) {
    SortedMap<String, String> versions = new TreeMap<>();
    versions.put("tare", session.version());
    versions.put("spark", session.spark().version());
    versions.put("java", Runtime.version().toString());
    versions.put("onnxruntime", ModelSession.runtimeVersion());
    return new Lineages(
        new Lineage.Origin(
            data.label(), data.snapshot(session.spark()), "", sample(settings), columns),
        new Lineage.Run(digest, Instant.now(), versions));
  }

  private CalibrationJob.Result add(CalibrationJob.Result observed) {
    return new CalibrationJob.Result(
        with(observed.state(), ""),
        withSlices(observed.slices()),
        observed.skipped(),
        observed.reason(),
        observed.partitions(),
        observed.seconds());
  }

  /** The same result, whose states know where they come from. */
  public ColumnObservation.Result add(ColumnObservation.Result observed) {
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

  /** Which rows of the data, as it was set. */
  static String sample(Settings settings) {
    return settings.find("data.sample").orElse("");
  }

  /**
   * Of what decides the numbers besides model and data: not of where results go, nor of how ranges
   * are chosen from them.
   */
  public static String digest(Settings settings, CalibrationRun how, FloatModel model) {
    Map<String, String> observed = new TreeMap<>(Map.of("observes", how.observes(model)));
    return digest(settings, observed, List.of("inputs.", "prepare.", "mask"));
  }

  private static String digest(
      Settings settings, Map<String, String> deciding, List<String> prefixes) {
    List<String> all = new ArrayList<>(prefixes);
    all.addAll(List.of("batch", "bad-rows"));
    for (Settings.Effective setting : settings.effective()) {
      if (all.stream().anyMatch(setting.key()::startsWith)) {
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
