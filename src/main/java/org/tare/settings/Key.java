package org.tare.settings;

import java.util.List;

/**
 * One setting: its name as job files, {@code --set} and {@code spark.tare.*} have it, what values
 * it takes, its default, and what it means.
 *
 * @param name dotted; {@code NAME} in it stands for the name of a model input
 * @param choices what a {@link Kind#CHOICE} takes
 * @param least of a number
 * @param greatest of a number
 * @param standard the default as it would be written; empty for none
 * @param defaultNote what applies where the default depends on other settings; empty otherwise
 * @param help what it means, in a sentence or two
 */
public record Key(
    String name,
    Group group,
    Kind kind,
    List<String> choices,
    double least,
    double greatest,
    String standard,
    String defaultNote,
    String help) {

  /** What values look like. */
  public enum Kind {
    TEXT,
    /** Several, as a list or with commas between. */
    TEXTS,
    FLAG,
    WHOLE,
    NUMBER,
    /** One or several, as a list or with commas between. */
    NUMBERS,
    CHOICE,
    /** A number of rows, or a share of them with a decimal point. */
    SAMPLE,
    /** A list of maps. */
    OVERRIDES
  }

  /** What a setting is about; the order is that of the page. */
  public enum Group {
    FILES("Files"),
    DATA("Calibration data"),
    VALIDATION("Validation data"),
    GATE("Quality gate"),
    INPUTS("Inputs of the model"),
    ROWS("Rows and batches"),
    PREPARE("Preparation of the float model"),
    CALIBRATE("Calibration"),
    STORE("State store"),
    STREAM("Streams"),
    QUANTIZE("Quantization"),
    CORRECTIONS("Corrections"),
    OBSERVE("Observing columns"),
    DRIFT("Drift"),
    RECALIBRATE("Recalibration"),
    TRAIN("Training"),
    TRIALS("Types of layers"),
    ADVICE("Recommendation"),
    PLOT("Plots"),
    RUN("The run");

    private final String title;

    Group(String title) {
      this.title = title;
    }

    public String title() {
      return title;
    }
  }

  static Key text(Group group, String name, String standard, String help) {
    return new Key(name, group, Kind.TEXT, List.of(), 0, 0, standard, "", help);
  }

  static Key texts(Group group, String name, String help) {
    return new Key(name, group, Kind.TEXTS, List.of(), 0, 0, "", "", help);
  }

  static Key flag(Group group, String name, boolean standard, String help) {
    return new Key(name, group, Kind.FLAG, List.of(), 0, 0, Boolean.toString(standard), "", help);
  }

  static Key whole(
      Group group, String name, String standard, long least, long greatest, String help) {
    return new Key(name, group, Kind.WHOLE, List.of(), least, greatest, standard, "", help);
  }

  static Key number(
      Group group, String name, String standard, double least, double greatest, String help) {
    return new Key(name, group, Kind.NUMBER, List.of(), least, greatest, standard, "", help);
  }

  static Key numbers(Group group, String name, String help) {
    return new Key(name, group, Kind.NUMBERS, List.of(), 0, 0, "", "", help);
  }

  static Key choice(Group group, String name, String standard, List<String> choices, String help) {
    return new Key(name, group, Kind.CHOICE, choices, 0, 0, standard, "", help);
  }

  static Key sample(Group group, String name, String help) {
    return new Key(name, group, Kind.SAMPLE, List.of(), 0, 0, "", "all rows", help);
  }

  /** The same key, with what applies where nothing is set. */
  Key absent(String note) {
    return new Key(name, group, kind, choices, least, greatest, standard, note, help);
  }

  /** What values it takes, as the end of the sentence "it is ...". */
  public String expected() {
    return switch (kind) {
      case TEXT -> "a text";
      case TEXTS -> "a list of texts, or texts with commas between";
      case FLAG -> "true or false";
      case WHOLE ->
          greatest >= Long.MAX_VALUE
              ? "a whole number from " + (long) least + " on"
              : "a whole number from " + (long) least + " to " + (long) greatest;
      case NUMBER ->
          greatest == Double.POSITIVE_INFINITY
              ? "a number"
              : "a number from " + plain(least) + " to " + plain(greatest);
      case NUMBERS -> "a number, or a list of numbers";
      case CHOICE -> oneOf(choices);
      case SAMPLE ->
          "a whole number of rows, or a share of them from 0.0 to 1.0, with a decimal point";
      case OVERRIDES -> "a list of maps, as in [{op: Softmax, float: true}]";
    };
  }

  private static String plain(double number) {
    return number == Math.rint(number) ? Long.toString((long) number) : Double.toString(number);
  }

  static String oneOf(List<String> choices) {
    int last = choices.size() - 1;
    return last == 0
        ? choices.get(0)
        : String.join(", ", choices.subList(0, last)) + " or " + choices.get(last);
  }
}
