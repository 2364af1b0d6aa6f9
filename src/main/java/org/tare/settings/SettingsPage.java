package org.tare.settings;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** The settings' page in Markdown, made from {@link Keys}: a table for each group of keys. */
final class SettingsPage {
  private static final String INTRODUCTION =
      """
      # Settings

      Everything that a run does follows from its settings. They have the same names in a job file (`--config job.yaml`), in
      `--set key=value`, in Spark's configuration (`spark.tare.KEY`) and in the library (`set("KEY", value)`). Frequent ones
      are options of the command too: `--help` of a command lists its own.

      ## Where a value comes from
      The strongest source that says it:
      1. an option of the command, or a call of the library;
      2. `--set key=value`; of two for one key, the last;
      3. the job file;
      4. `spark.tare.KEY` in Spark's configuration;
      5. the default.

      `--dry-run` prints every setting with its source. An unknown key is an error that names the nearest known one, and so is
      a value that a key does not take, or a key without a value. An empty text (`""`) takes a default away.

      ## Job files
      A job file is YAML in UTF-8, of at most 1 MB. Dots in names are levels: `quantize: {mode: dynamic}` sets `quantize.mode`.
      In texts of any source, `${NAME}` stands for a variable of the environment, `{date}` for today's date in UTC, as in
      2026-01-31. `$${NAME}` stays as `${NAME}`.
      ```yaml
      model: ${MODELS}/classifier.onnx
      data: {table: lake.events, sample: 10000}
      output: results/{date}
      ```

      ## Names that are free
      - `inputs.NAME.*` is of the model's input with this name; [From columns to inputs](inputs.md) tells more.
      - `data.options.*` and `validation.options.*` go to Spark's reader: `data.options.header=true` for CSV.
      - `spark.*` goes into the configuration of the Spark that the command starts, `spark.hadoop.*` with it. In the library the
        session has been started already; there they change nothing.
      """;

  private SettingsPage() {}

  /** The whole page. */
  static String render() {
    return INTRODUCTION
        + Arrays.stream(Key.Group.values()).map(SettingsPage::group).collect(Collectors.joining());
  }

  private static String group(Key.Group group) {
    List<Key> keys = Keys.list().stream().filter(key -> key.group() == group).toList();
    return "\n## "
        + group.title()
        + "\n| key | values | default | meaning |\n|---|---|---|---|\n"
        + keys.stream().map(SettingsPage::row).collect(Collectors.joining());
  }

  private static String row(Key key) {
    return "| "
        + String.join(
            " | ",
            "`" + key.name() + "`",
            values(key),
            standard(key),
            key.help().replace("|", "\\|"))
        + " |\n";
  }

  private static String values(Key key) {
    return switch (key.kind()) {
      case CHOICE -> code(key.choices());
      case FLAG -> code(List.of("true", "false"));
      default -> key.expected();
    };
  }

  private static String code(List<String> texts) {
    return texts.stream().map(text -> "`" + text + "`").collect(Collectors.joining(", "));
  }

  private static String standard(Key key) {
    return key.defaultNote().isEmpty() && !key.standard().isEmpty()
        ? "`" + key.standard() + "`"
        : key.defaultNote();
  }
}
