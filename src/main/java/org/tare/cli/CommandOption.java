package org.tare.cli;

import java.util.List;
import org.tare.settings.Key;
import org.tare.settings.Keys;

/** The short names that settings have on the command line. */
enum CommandOption {
  MODEL("--model", "FILE", "model"),
  QUANTIZED("--quantized", "FILE", "quantized"),
  STATE("--state", "FILE", "state"),
  OUTPUT("--output", "FOLDER", "output"),
  OVERWRITE("--overwrite", "", "overwrite"),
  DATA("--data", "PATH", "data.path"),
  TABLE("--table", "NAME", "data.table"),
  QUERY("--query", "SQL", "data.query"),
  FORMAT("--format", "NAME", "data.format", "validation.format"),
  SAMPLE("--sample", "N", "data.sample"),
  KEY("--key", "COLUMN", "data.key", "validation.key"),
  VALIDATION("--validation", "PATH", "validation.path"),
  LABEL("--label", "COLUMN", "validation.label"),
  BATCH("--batch", "N", "batch"),
  BAD_ROWS("--bad-rows", "fail|skip", "bad-rows"),
  BY("--by", "COLUMN[,COLUMN]", "calibrate.by"),
  CHANNELS("--channels", "none|summary|histogram", "calibrate.channels"),
  STORE("--store", "FOLDER", "store.path"),
  SLICE("--slice", "NAME", "store.slice"),
  REPLACE("--replace", "", "store.replace"),
  STREAM("--stream", "", "calibrate.stream"),
  NAME("--name", "NAME", "stream.name"),
  CHECKPOINT("--checkpoint", "FOLDER", "stream.checkpoint"),
  EVERY("--every", "INTERVAL", "stream.every"),
  WINDOW("--window", "DAYS", "store.window"),
  AS_OF("--as-of", "DATE", "store.as-of"),
  ALLOW_MISSING("--allow-missing", "", "store.allow-missing"),
  BEFORE("--before", "DATE", "store.before"),
  METRIC("--metric", "NAME", "recalibrate.metric"),
  MARGIN("--margin", "N", "recalibrate.margin"),
  FORCE("--force", "", "recalibrate.force"),
  TYPES("--types", "TYPE[,TYPE]", "sensitivity.types"),
  DIRECTION("--direction", "only|all-but", "sensitivity.direction"),
  ORDER("--metric", "NAME", "sensitivity.metric"),
  MIX_TYPES("--types", "TYPE[,TYPE]", "mix.types"),
  MIN_SQNR("--min-sqnr", "DB", "mix.min-sqnr"),
  MAX_DROP("--max-drop", "N", "mix.max-drop"),
  COST("--cost", "bytes|time", "mix.cost"),
  DROP_OF("--metric", "NAME", "mix.metric"),
  METRIC_SQL("--metric-sql", "EXPRESSION", "trials.metric-sql"),
  BETTER("--better", "greater|less", "trials.metric-better"),
  BUDGET("--budget", "TIME", "recommend.budget"),
  MOST_LOST("--max-drop", "N", "recommend.max-drop"),
  JUDGED_BY("--metric", "NAME", "recommend.metric"),
  ROWS("--rows", "N", "recommend.rows"),
  TO("--to", "VERSION", "rollback.to"),
  MODE("--mode", "MODE", "quantize.mode"),
  BACKEND("--backend", "NAME", "quantize.backend"),
  COLUMN("--column", "COLUMN[,COLUMN]", "observe.column"),
  OBSERVER("--observer", "NAME", "observe.observer"),
  METHOD("--method", "METHOD", "observe.method"),
  DTYPE("--dtype", "TYPE", "observe.dtype"),
  SCHEME("--scheme", "SCHEME", "observe.scheme"),
  RULE("--rule", "pytorch|onnxruntime", "observe.rule"),
  AVERAGING_CONSTANT("--averaging-constant", "C", "observe.averaging-constant"),
  REDUCE_RANGE("--reduce-range", "", "observe.reduce-range"),
  REFERENCE("--reference", "STATE", "drift.reference"),
  CURRENT("--current", "STATE|TABLE", "drift.current"),
  INPUTS_ONLY("--inputs-only", "", "drift.inputs-only"),
  FAIL_ON_DRIFT("--fail-on-drift", "", "drift.fail-on-drift"),
  DRIFT_DEMO("--drift", "", "demo.drift"),
  TENSOR("--tensor", "NAME", "plot.tensor"),
  ALLOW_DUPLICATES("--allow-duplicates", "", "merge.duplicates"),
  DRY_RUN("--dry-run", "", "dry-run"),
  JSON("--json", "", "json"),
  VERBOSE("--verbose", "", "verbose");

  private final String option;
  private final String label;

  @SuppressWarnings("ImmutableEnumChecker") // List.of cannot be changed.
  private final List<String> keys;

  CommandOption(String option, String label, String... keys) {
    this.option = option;
    this.label = label;
    this.keys = List.of(keys);
  }

  String option() {
    return option;
  }

  /** What stands for its value in help; empty for a switch. */
  String label() {
    return label;
  }

  boolean isSwitch() {
    return label.isEmpty();
  }

  /** The settings that it sets. */
  List<String> keys() {
    return keys;
  }

  Key key() {
    return Keys.find(keys.get(0)).orElseThrow();
  }

  /** The text of help: what the setting means, and its default. */
  String help() {
    String standard = key().standard();
    boolean showsDefault = !isSwitch() && !standard.isEmpty();
    return key().help().replace("`", "") + (showsDefault ? " (" + standard + ")" : "");
  }
}
