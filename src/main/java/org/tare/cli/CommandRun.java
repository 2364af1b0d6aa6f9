package org.tare.cli;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.tare.Call;
import org.tare.DriftCheck;
import org.tare.DryRun;
import org.tare.Inspection;
import org.tare.Merge;
import org.tare.Observation;
import org.tare.Plot;
import org.tare.PrintableText;
import org.tare.Recalibration;
import org.tare.Result;
import org.tare.Rollback;
import org.tare.TareException;
import org.tare.drift.Verdict;
import org.tare.report.ReportData.Fact;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;
import org.tare.store.Existing;
import org.tare.streams.CalibrateStream;
import org.tare.streams.StreamResult;

/**
 * Carries out one command: a call of the library, and the printing of what it gave. Progress goes
 * to standard error, the summary to standard output.
 */
final class CommandRun implements AutoCloseable {
  /** The exit status of drift, where it is asked for. */
  private static final int DRIFTED = 10;

  /** The exit status of a result that the quality gate holds back. */
  static final int NOT_MET = 20;

  private final Command command;
  private final Settings settings;
  private final List<String> positional;
  private final PrintStream out;
  private final PrintStream err;
  private final SparkConf conf;
  private final CommandSpark spark;
  private int status;

  CommandRun(Command command, CommandLines.Given given, PrintStream out, PrintStream err) {
    this.command = command;
    this.settings = given.settings();
    this.positional = given.positional();
    this.out = out;
    this.err = err;
    this.conf = new SparkConf();
    settings.below("spark.").forEach((key, value) -> conf.set("spark." + key, value));
    this.spark = new CommandSpark(command, settings, conf);
  }

  int execute() {
    spark.startBesideReading();
    org.tare.Tare tare = org.tare.Tare.on(spark::session, hadoop()).withProgress(err::println);
    switch (command) {
      case DEMO -> demo(tare);
      case RUN -> call(tare.run(model()).settings(settings));
      case FINETUNE -> call(tare.finetune(model()).settings(settings));
      case CALIBRATE -> {
        if (settings.flag("calibrate.stream")) {
          stream();
        } else {
          call(tare.calibrate(model()).settings(settings));
        }
      }
      case QUANTIZE -> call(tare.quantize(model()).settings(settings));
      case EVALUATE -> call(tare.evaluate(model(), quantized()).settings(settings));
      case COMPARE -> call(tare.compare(model(), quantized()).settings(settings));
      case SENSITIVITY -> call(tare.sensitivity(model()).settings(settings));
      case MIX -> call(tare.mix(model()).settings(settings));
      case RECOMMEND -> call(tare.recommend(model()).settings(settings));
      case OBSERVE -> call(tare.observe("").settings(settings));
      case DRIFT -> call(tare.drift(reference()).settings(settings));
      case RECALIBRATE -> call(tare.recalibrate(model()).settings(settings));
      case ROLLBACK -> rollback(tare);
      case MERGE -> merge(tare);
      case STATES -> status = new StatesRun(tare, settings, positional, out).execute();
      case INSPECT -> inspect(tare);
      case PLOT -> plot(tare);
    }
    return status;
  }

  private String reference() {
    return require("drift.reference", "--reference STATE");
  }

  private String model() {
    return require("model", "--model FILE");
  }

  private String quantized() {
    return require("quantized", "--quantized FILE");
  }

  private String require(String key, String option) {
    return settings
        .find(key)
        .orElseThrow(
            () ->
                TareException.usage("Missing %s: give %s, or the key in a job file", key, option));
  }

  private void demo(org.tare.Tare tare) {
    try (DemoFiles files = DemoFiles.extract()) {
      setUnlessGiven("model", files.model());
      setUnlessGiven("data.path", files.data());
      setUnlessGiven("validation.path", files.validation());
      setUnlessGiven("validation.label", "label");
      setUnlessGiven("inputs.image.dtype", "uint8");
      setUnlessGiven("inputs.image.scale", "0.00392156862745098");
      boolean playsDays = settings.flag("demo.drift");
      if (settings.find("output").isEmpty()) {
        settings.set("output", playsDays ? "out/demo-drift" : "out/demo", "demo");
        settings.set("overwrite", true, "demo");
      }
      if (playsDays && !settings.flag("dry-run")) {
        DriftCheck last =
            new DriftDemo(tare, spark.session(), settings, files.place("days"), out).play();
        print(last);
      } else {
        call(tare.run(model()).settings(settings));
      }
    }
  }

  private void setUnlessGiven(String key, String value) {
    if (settings.find(key).isEmpty()) {
      settings.set(key, value, "demo");
    }
  }

  private void stream() {
    CalibrateStream stream =
        CalibrateStream.on(spark.session(), model()).settings(settings).withProgress(err::println);
    if (settings.flag("dry-run")) {
      print(stream.dryRun());
      return;
    }
    StreamResult result = stream.run();
    if (settings.flag("json")) {
      out.println(PrintableText.ofLines(result.toJson()));
    } else {
      result.summary().forEach(fact -> line(fact.name(), fact.value()));
      line("Store", settings.require("store.path"));
    }
  }

  private void call(Call<?> call) {
    if (settings.flag("dry-run")) {
      print(call.dryRun());
      return;
    }
    boolean printsOnly =
        command == Command.EVALUATE
            || command == Command.COMPARE
            || command == Command.SENSITIVITY
            || command == Command.MIX
            || command == Command.RECOMMEND
            || command == Command.OBSERVE
            || command == Command.DRIFT
            || (command == Command.CALIBRATE && settings.find("store.path").isPresent());
    if (!printsOnly) {
      require("output", "--output FOLDER");
    }
    Result result = call.run();
    print(result);
    boolean hasMoved = result instanceof Recalibration one && one.moved();
    if (hasMoved && settings.flag("drift.fail-on-drift")) {
      status = DRIFTED;
    }
    if (!result.unmet().isEmpty()) {
      status = NOT_MET;
    }
  }

  private void print(Result result) {
    boolean isJson = settings.flag("json");
    if (result instanceof DriftCheck check) {
      if (check.verdict() == Verdict.MOVED && settings.flag("drift.fail-on-drift")) {
        status = DRIFTED;
      }
      if (!isJson) {
        out.println(DriftTable.of(check.report()));
      }
    }
    if (result instanceof Observation observation) {
      if (!isJson) {
        out.println(ObservationTable.of(observation));
      }
      isJson = true;
    }
    if (isJson) {
      out.println(PrintableText.ofLines(result.toJson()));
      result.warnings().forEach(this::warn);
      return;
    }
    for (Fact fact : result.summary()) {
      line(fact.name(), fact.value());
    }
    result.warnings().forEach(this::warn);
    if (result.unmet().isEmpty()) {
      settings.find("output").ifPresent(place -> line("Output", place));
    }
  }

  private void warn(String warning) {
    err.println("warning: " + PrintableText.of(warning));
  }

  private void line(String name, String value) {
    out.printf(Locale.ROOT, "%-26s %s%n", PrintableText.of(name), PrintableText.of(value));
  }

  private void print(DryRun plan) {
    out.println("Settings:");
    for (Settings.Effective setting : plan.settings()) {
      out.printf(
          Locale.ROOT,
          "  %-32s %-28s %s%n",
          setting.key(),
          PrintableText.of(setting.value()),
          PrintableText.of(setting.origin()));
    }
    if (!plan.observed().isEmpty()) {
      out.printf(Locale.ROOT, "%nTensors to observe: %d%n", plan.observed().size());
      plan.observed()
          .forEach(
              (tensor, type) ->
                  out.printf(Locale.ROOT, "  %-32s %s%n", PrintableText.of(tensor), type));
      out.printf(Locale.ROOT, "%nNodes quantized: %d%n", plan.quantizedNodes());
      plan.floatNodes()
          .forEach(
              node ->
                  out.printf(
                      Locale.ROOT,
                      "  stays float32: %s %s: %s%n",
                      PrintableText.of(node.opType()),
                      PrintableText.of(node.name()),
                      PrintableText.of(node.reason())));
    }
    plan.memory().ifPresent(need -> out.println(MemoryTable.of(need)));
    out.printf("Nothing was written.%n");
  }

  private void merge(org.tare.Tare tare) {
    if (settings.find("store.path").isPresent()) {
      new StatesRun(tare, settings, positional, out).merge();
      return;
    }
    if (positional.isEmpty()) {
      throw TareException.usage("Missing the states to merge: name their files, or a --store");
    }
    String output = require("output", "--output FILE");
    List<CalibrationState> states = new ArrayList<>();
    positional.forEach(file -> states.add(tare.readState(file)));
    Merge merge = tare.merge(states);
    if (settings.flag("merge.duplicates")) {
      merge.allowDuplicates();
    }
    CalibrationState merged =
        merge.write(output, settings.flag("overwrite") ? Existing.REPLACE : Existing.REFUSE);
    out.printf(
        Locale.ROOT,
        "Merged %d states: %,d rows, %d tensors%nOutput  %s%n",
        states.size(),
        merged.rows(),
        merged.tensors().size(),
        output);
  }

  private void rollback(org.tare.Tare tare) {
    Rollback rollback = tare.rollback(require("output", "--output FOLDER"));
    settings.find("rollback.to").ifPresent(rollback::to);
    line("Deployed", rollback.run());
  }

  private void inspect(org.tare.Tare tare) {
    Inspection found = tare.inspect(positional.get(0));
    out.print(
        settings.flag("json")
            ? PrintableText.ofLines(found.toJson()) + System.lineSeparator()
            : InspectionTable.of(found));
  }

  private void plot(org.tare.Tare tare) {
    String tensor = require("plot.tensor", "--tensor NAME");
    String output = require("output", "--output FILE");
    Plot plot = tare.plot(tare.readState(positional.get(0)), tensor);
    settings.below("plot.").forEach((key, value) -> plot.set("plot." + key, value));
    plot.write(output, settings.flag("overwrite") ? Existing.REPLACE : Existing.REFUSE);
    line("Output", output);
  }

  /** What Spark's configuration, {@code spark.hadoop.*} and Hadoop's own files say. */
  private Configuration hadoop() {
    return SparkHadoopUtil.get().newConfiguration(conf);
  }

  @Override
  public void close() {
    spark.close();
  }
}
