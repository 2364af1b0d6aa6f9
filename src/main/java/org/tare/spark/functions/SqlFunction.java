package org.tare.spark.functions;

import static org.tare.spark.functions.Argument.CHANNEL_SCHEME;
import static org.tare.spark.functions.Argument.CHANNEL_VALUES;
import static org.tare.spark.functions.Argument.CONTENT;
import static org.tare.spark.functions.Argument.DTYPE;
import static org.tare.spark.functions.Argument.METHOD;
import static org.tare.spark.functions.Argument.RULE;
import static org.tare.spark.functions.Argument.STATE;
import static org.tare.spark.functions.Argument.TENSOR;
import static org.tare.spark.functions.Argument.TENSOR_SCHEME;
import static org.tare.spark.functions.Argument.VALUES;

import java.util.List;
import java.util.Locale;

/** The SQL functions: their names, arguments, and what DESCRIBE FUNCTION says of them. */
enum SqlFunction {
  TARE_OBSERVE(
      Group.AGGREGATE,
      1,
      List.of(VALUES),
      "gives the state of the values, BINARY: their counts, least and greatest value and histogram."
          + " NULL is left out; NULL in an array counts as NaN.",
      "SELECT tare_describe(tare_observe(x)).max FROM VALUES (1), (2.5), (NULL) AS t(x);",
      "2.5"),
  TARE_OBSERVE_CHANNELS(
      Group.AGGREGATE,
      1,
      List.of(CHANNEL_VALUES),
      "gives the state of arrays, BINARY, which also holds statistics of each index.",
      "SELECT tare_channel_qparams(tare_observe_channels(x), 'int8')[1].max"
          + " FROM VALUES (array(1, -5)), (array(2, 254)) AS t(x);",
      "254.0"),
  TARE_MERGE(
      Group.AGGREGATE,
      1,
      List.of(STATE),
      "gives the state of all values of the states, BINARY, the same as if they had been observed"
          + " together.",
      "SELECT tare_describe(tare_merge(s)).count FROM"
          + " (SELECT id % 7 AS day, tare_observe(id) AS s FROM range(100) GROUP BY id % 7);",
      "100"),
  TARE_QPARAMS(
      Group.SCALAR,
      3,
      List.of(STATE, METHOD, DTYPE, TENSOR_SCHEME, RULE),
      "gives the qparams for a state, STRUCT of scale, zero_point, min, max, method, expected_mse,"
          + " minmax_mse, masked; NULL if no value is finite or an argument is NULL.",
      "SELECT tare_qparams(tare_observe(id), 'minmax', 'uint8').scale FROM range(256);",
      "1.0"),
  TARE_CHANNEL_QPARAMS(
      Group.SCALAR,
      2,
      List.of(STATE, DTYPE, CHANNEL_SCHEME, RULE),
      "gives the qparams of each channel by min-max, ARRAY of STRUCT of scale, zero_point, min, max,"
          + " for a state of tare_observe_channels; NULL if an argument is NULL.",
      "SELECT tare_channel_qparams(tare_observe_channels(x), 'int8').scale"
          + " FROM VALUES (array(127, -254)) AS t(x);",
      "[1.0,2.0]"),
  TARE_DESCRIBE(
      Group.SCALAR,
      1,
      List.of(STATE),
      "says what a state holds, STRUCT of count, zeros, nans, positive_infinities,"
          + " negative_infinities, min, max, channels.",
      "SELECT tare_describe(tare_observe(x)).zeros FROM VALUES (0), (3) AS t(x);",
      "1"),
  TARE_DESCRIBE_FILE(
      Group.SCALAR,
      1,
      List.of(CONTENT),
      "says what a state file holds, STRUCT of model, slice, rows, tensors: an ARRAY of STRUCT of"
          + " tensor and the fields of tare_describe.",
      "SELECT size(tare_describe_file(content).tensors) FROM binaryFile.`out/state.tare`;",
      "1"),
  TARE_STATE(
      Group.SCALAR,
      2,
      List.of(CONTENT, TENSOR),
      "takes the state of one tensor out of a state file, BINARY, as tare_observe would give it.",
      "SELECT tare_qparams(tare_state(content, 'x'), 'mse', 'uint8').zero_point"
          + " FROM binaryFile.`out/state.tare`;",
      "0");

  /** The kinds of function, by Spark's names. */
  enum Group {
    AGGREGATE("agg_funcs"),
    SCALAR("misc_funcs");

    private final String sparkName;

    Group(String sparkName) {
      this.sparkName = sparkName;
    }
  }

  private final Group group;
  private final int required;

  @SuppressWarnings("ImmutableEnumChecker") // List.of makes lists that do not change
  private final List<Argument> arguments;

  private final String result;
  private final String example;
  private final String exampleResult;

  /**
   * A function.
   *
   * @param required how many of the arguments, from the first on, must be given
   * @param result a sentence that goes on after the function's signature
   * @param exampleResult what the example gives
   */
  SqlFunction(
      Group group,
      int required,
      List<Argument> arguments,
      String result,
      String example,
      String exampleResult) {
    this.group = group;
    this.required = required;
    this.arguments = arguments;
    this.result = result;
    this.example = example;
    this.exampleResult = exampleResult;
  }

  String sqlName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** How the function is called: {@code tare_state(content, tensor)}. */
  String signature() {
    StringBuilder text = new StringBuilder(sqlName()).append('(');
    for (int i = 0; i < arguments.size(); i++) {
      text.append(i < required ? "" : " [").append(i == 0 ? "" : ", ");
      text.append(arguments.get(i).label());
    }
    return text.append("]".repeat(arguments.size() - required)).append(')').toString();
  }

  boolean isAggregate() {
    return group == Group.AGGREGATE;
  }

  /** The group of functions in Spark's own list. */
  String sparkGroup() {
    return group.sparkName;
  }

  List<Argument> arguments() {
    return arguments;
  }

  boolean takes(int count) {
    return count >= required && count <= arguments.size();
  }

  /** How many arguments the function takes, in words. */
  String counts() {
    if (required < arguments.size()) {
      return required + " to " + arguments.size() + " arguments";
    }
    return required == 1 ? "1 argument" : required + " arguments";
  }

  /** The usage as DESCRIBE FUNCTION shows it. */
  String usage() {
    return signature() + " - " + result;
  }

  /** The section of arguments, in the form that Spark asks for. */
  String argumentsSection() {
    StringBuilder text = new StringBuilder("\n    Arguments:\n");
    for (Argument argument : arguments) {
      text.append("      * ").append(argument.label()).append(" - ");
      text.append(argument.meaning()).append('\n');
    }
    return text.append("  ").toString();
  }

  /** The section of examples, in the form that Spark asks for. */
  String examplesSection() {
    return "\n    Examples:\n      > " + example + "\n       " + exampleResult + "\n  ";
  }
}
