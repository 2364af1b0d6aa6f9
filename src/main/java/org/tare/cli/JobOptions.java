package org.tare.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The options that the commands share; what is not given stays null. */
final class JobOptions {
  @Option(names = "--model", paramLabel = "FILE", description = "the float32 ONNX model")
  String model;

  @Option(
      names = "--quantized",
      paramLabel = "FILE",
      description = "evaluate: the quantized ONNX model")
  String quantized;

  @Option(names = "--state", paramLabel = "FILE", description = "quantize: the calibration state")
  String state;

  @Option(names = "--data", paramLabel = "PATH", description = "the rows to calibrate on")
  String data;

  @Option(names = "--table", paramLabel = "NAME", description = "… or a table of Spark's catalog")
  String table;

  @Option(names = "--query", paramLabel = "SQL", description = "… or a query")
  String query;

  @Option(
      names = "--format",
      paramLabel = "NAME",
      description = "Spark's name of the format of --data and --validation (parquet)")
  String format;

  @Option(
      names = "--sample",
      paramLabel = "N",
      description = "calibrate on N rows, or on a fraction of them, chosen by a hash of the key")
  String sample;

  @Option(
      names = "--key",
      paramLabel = "COLUMN",
      description = "the column that identifies a row (id, if there is one)")
  String key;

  @Option(names = "--validation", paramLabel = "PATH", description = "the rows to evaluate on")
  String validation;

  @Option(
      names = "--label",
      paramLabel = "COLUMN",
      description = "the column of class numbers in the validation rows")
  String label;

  @Option(
      names = "--by",
      paramLabel = "COLUMN[,COLUMN]",
      description = "calibrate: a state for each value too, in the same pass")
  String by;

  @Option(
      names = "--channels",
      paramLabel = "none|summary|histogram",
      description = "calibrate: what to keep of each channel (none)")
  String channels;

  @Option(names = "--batch", paramLabel = "N", description = "rows per run of the model (32)")
  String batch;

  @Option(
      names = "--bad-rows",
      paramLabel = "fail|skip",
      description = "what to do with rows that cannot be decoded (fail)")
  String badRows;

  @Option(names = "--output", paramLabel = "FOLDER", description = "where the results go")
  String output;

  @Option(names = "--overwrite", description = "replace the output folder if it is there")
  boolean overwrite;

  @Option(names = "--config", paramLabel = "FILE", description = "a job file in YAML")
  Path config;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "set any key of the job file; may be repeated")
  List<String> sets = new ArrayList<>();

  @Option(
      names = "--dry-run",
      description = "print the settings and what would be done; write nothing")
  boolean dryRun;

  @Option(names = "--verbose", description = "show Spark's log, and stack traces")
  boolean verbose;

  /**
   * The settings, with these options above all.
   *
   * @param more options of one command alone, by key
   */
  Settings settings(Map<String, String> sparkConf, Map<String, String> more) {
    Map<String, String> given = new LinkedHashMap<>(more);
    put(given, "model", model);
    put(given, "quantized", quantized);
    put(given, "state", state);
    put(given, "data.path", data);
    put(given, "data.table", table);
    put(given, "data.query", query);
    put(given, "data.format", format);
    put(given, "validation.format", format);
    put(given, "data.sample", sample);
    put(given, "data.key", key);
    put(given, "validation.key", key);
    put(given, "validation.path", validation);
    put(given, "validation.label", label);
    put(given, "calibrate.by", by);
    put(given, "calibrate.channels", channels);
    put(given, "batch", batch);
    put(given, "bad-rows", badRows);
    put(given, "output", output);
    if (overwrite) {
      given.put("overwrite", "true");
    }
    if (dryRun) {
      given.put("dry-run", "true");
    }
    if (verbose) {
      given.put("verbose", "true");
    }
    return Settings.resolve(given, sets, Optional.ofNullable(config), sparkConf);
  }

  private static void put(Map<String, String> given, String key, String value) {
    if (value != null) {
      given.put(key, value);
    }
  }
}
