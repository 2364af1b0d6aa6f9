package org.tare.cli;

import static org.tare.cli.CommandOption.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The commands, each with the options that it takes. All take {@code --config} and {@code --set}
 * too: where files are may need settings of Spark.
 */
enum Command {
  DEMO(
      "The whole job on a small model and data that come with Tare.",
      Positional.NONE,
      of(job(), calibration(), List.of(MODE, BACKEND, VALIDATION, LABEL, DRIFT_DEMO))),
  RUN(
      "Calibrates, quantizes, evaluates and reports: the whole job.",
      Positional.NONE,
      of(job(), calibration(), List.of(MODE, BACKEND, VALIDATION, LABEL))),
  FINETUNE(
      "Trains the model for its quantized form, and quantizes it: calibrates, trains, evaluates.",
      Positional.NONE,
      of(
          job(),
          List.of(DATA, TABLE, QUERY, FORMAT, SAMPLE, KEY, BATCH, BAD_ROWS),
          List.of(BACKEND, VALIDATION, LABEL))),
  CALIBRATE(
      "Observes the model on the data; writes the state.",
      Positional.NONE,
      of(
          job(),
          calibration(),
          List.of(STORE, SLICE, REPLACE, STREAM, NAME, CHECKPOINT, EVERY, MODE, BACKEND))),
  QUANTIZE(
      "Writes the quantized model from a state; needs no data.",
      Positional.NONE,
      of(job(), List.of(STATE, STORE, WINDOW, AS_OF, ALLOW_MISSING, SLICE, MODE, BACKEND))),
  EVALUATE(
      "Compares the float and the quantized model on a table.",
      Positional.NONE,
      of(job(), List.of(QUANTIZED, VALIDATION, LABEL, FORMAT, KEY, BATCH, BAD_ROWS, METRIC_SQL))),
  COMPARE(
      "Compares weights and tensors inside of a quantized model with the float model's.",
      Positional.NONE,
      of(job(), List.of(QUANTIZED, DATA, TABLE, QUERY, FORMAT, SAMPLE, KEY, BY, BATCH, BAD_ROWS))),
  SENSITIVITY(
      "Measures what quantizing each layer costs, one layer at a time.",
      Positional.NONE,
      of(job(), trials(), List.of(TYPES, DIRECTION, ORDER, METRIC_SQL, BETTER))),
  MIX(
      "Finds the types of layers that cost least and keep a target.",
      Positional.NONE,
      of(
          job(),
          trials(),
          List.of(MIX_TYPES, MIN_SQNR, MAX_DROP, COST, DROP_OF, METRIC_SQL, BETTER))),
  RECOMMEND(
      "Tries the ways to quantize on sample rows, the cheapest first; says which is enough.",
      Positional.NONE,
      of(
          job(),
          List.of(DATA, TABLE, QUERY, FORMAT, KEY, VALIDATION, LABEL, BATCH, BAD_ROWS),
          List.of(BACKEND, BUDGET, ROWS, MOST_LOST, JUDGED_BY, METRIC_SQL, BETTER))),
  OBSERVE(
      "Prints qparams of the columns of a table: the observers without a model.",
      Positional.TABLE,
      List.of(
          COLUMN,
          OBSERVER,
          METHOD,
          DTYPE,
          SCHEME,
          RULE,
          AVERAGING_CONSTANT,
          REDUCE_RANGE,
          TABLE,
          QUERY,
          FORMAT,
          SAMPLE,
          KEY,
          BY,
          BATCH,
          OUTPUT,
          OVERWRITE,
          DRY_RUN,
          JSON,
          VERBOSE)),
  DRIFT(
      "Compares a state with another one, or with what is in a table now.",
      Positional.NONE,
      List.of(
          REFERENCE,
          CURRENT,
          INPUTS_ONLY,
          FAIL_ON_DRIFT,
          MODEL,
          QUANTIZED,
          TABLE,
          QUERY,
          FORMAT,
          SAMPLE,
          KEY,
          BATCH,
          BAD_ROWS,
          OUTPUT,
          OVERWRITE,
          DRY_RUN,
          JSON,
          VERBOSE)),
  RECALIBRATE(
      "Compares new data with what was deployed; if they moved, makes a model and deploys it if"
          + " better.",
      Positional.NONE,
      of(
          List.of(MODEL, OUTPUT, DRY_RUN, JSON, VERBOSE),
          List.of(DATA, TABLE, QUERY, FORMAT, SAMPLE, KEY, CHANNELS, BATCH, BAD_ROWS),
          List.of(STORE, SLICE, REPLACE, WINDOW, AS_OF, ALLOW_MISSING, BACKEND, VALIDATION, LABEL),
          List.of(METRIC, MARGIN, FORCE, FAIL_ON_DRIFT))),
  ROLLBACK(
      "Brings a former version of what recalibrate has deployed back.",
      Positional.NONE,
      List.of(OUTPUT, TO, VERBOSE)),
  MERGE(
      "Adds states: of slices, of days, of anything that one model saw.",
      Positional.STATES,
      List.of(STORE, WINDOW, AS_OF, ALLOW_MISSING, OUTPUT, OVERWRITE, ALLOW_DUPLICATES, VERBOSE)),
  STATES(
      "States over time in a store: ls, show SLICE, add FILE, verify, compact, expire, gc.",
      Positional.ACTION,
      List.of(STORE, SLICE, REPLACE, WINDOW, AS_OF, BEFORE, JSON, VERBOSE)),
  INSPECT(
      "Prints what a state holds, or what is quantized in an ONNX model.",
      Positional.FILE,
      List.of(JSON, VERBOSE)),
  PLOT(
      "Draws how the values of a tensor of a state are distributed, with the range, as SVG.",
      Positional.STATE,
      List.of(TENSOR, OUTPUT, OVERWRITE, VERBOSE));

  /** What stands behind the options. */
  enum Positional {
    NONE(""),
    TABLE("the files to observe; or --table, or --query"),
    STATES("state files; or --store with --window or --slice"),
    ACTION("ls, show, add, verify, compact, expire or gc; and what it is done to"),
    FILE("a state, or an ONNX model"),
    STATE("a state");

    private final String help;

    Positional(String help) {
      this.help = help;
    }

    String help() {
      return help;
    }
  }

  private final String description;
  private final Positional positional;

  @SuppressWarnings("ImmutableEnumChecker") // List.copyOf cannot be changed.
  private final List<CommandOption> options;

  Command(String description, Positional positional, List<CommandOption> options) {
    this.description = description;
    this.positional = positional;
    this.options = options;
  }

  private static List<CommandOption> job() {
    return List.of(MODEL, OUTPUT, OVERWRITE, DRY_RUN, JSON, VERBOSE);
  }

  private static List<CommandOption> calibration() {
    return List.of(DATA, TABLE, QUERY, FORMAT, SAMPLE, KEY, BY, CHANNELS, BATCH, BAD_ROWS);
  }

  private static List<CommandOption> trials() {
    return List.of(
        STATE, DATA, TABLE, QUERY, FORMAT, SAMPLE, KEY, VALIDATION, LABEL, BATCH, BAD_ROWS);
  }

  @SafeVarargs
  @SuppressWarnings("varargs")
  private static List<CommandOption> of(List<CommandOption>... parts) {
    List<CommandOption> all = new ArrayList<>();
    Stream.of(parts).forEach(all::addAll);
    return List.copyOf(all);
  }

  String id() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  static Optional<Command> find(String id) {
    return Arrays.stream(values()).filter(command -> command.id().equals(id)).findFirst();
  }

  String description() {
    return description;
  }

  Positional positional() {
    return positional;
  }

  List<CommandOption> options() {
    return options;
  }
}
