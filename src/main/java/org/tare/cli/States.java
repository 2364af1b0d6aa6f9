package org.tare.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;
import org.tare.PrintableText;
import org.tare.TareException;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;

/** The command {@code merge}, and a state as {@code inspect} shows it; neither starts Spark. */
final class States {
  private States() {}

  /** Adds states of the same model, or without one, into a file. */
  static void merge(List<String> inputs, String output, boolean overwrite) {
    HadoopFiles files = new HadoopFiles(new Configuration());
    CalibrationState merged = null;
    for (String input : inputs) {
      CalibrationState state =
          CalibrationState.decode(files.read("calibration state", input), input);
      merged = merged == null ? state : merged.merge(state);
    }
    if (merged == null) {
      throw TareException.usage("Missing the states: merge STATE STATE … --output FILE");
    }
    files.write("calibration state", output, merged.encode(), overwrite);
    System.out.printf(
        Locale.ROOT,
        "Merged %d states: %,d rows, %d tensors%nOutput  %s%n",
        inputs.size(),
        merged.rows(),
        merged.tensors().size(),
        output);
  }

  /** A state for people. */
  static String table(CalibrationState state) {
    String head =
        String.format(
            Locale.ROOT,
            "State of %,d rows%s%s%n%n",
            state.rows(),
            state.slice().isEmpty() ? "" : ", slice " + PrintableText.of(state.slice()),
            state.modelDigest().isEmpty() ? "" : ", model " + state.modelDigest());
    List<List<String>> table = new ArrayList<>();
    table.add(List.of("tensor", "values", "min", "max", "zeros", "NaN", "infinite", "parts"));
    state
        .tensors()
        .forEach(
            (name, stats) -> {
              List<String> parts = new ArrayList<>();
              stats.channels().ifPresent(c -> parts.add(c.channels() + " channels"));
              stats.average().ifPresent(a -> parts.add("average of " + a.batches() + " batches"));
              stats.recording().ifPresent(r -> parts.add("recording"));
              table.add(
                  List.of(
                      name,
                      Long.toString(stats.count()),
                      String.format(Locale.ROOT, "%.6g", stats.min()),
                      String.format(Locale.ROOT, "%.6g", stats.max()),
                      Long.toString(stats.zeros()),
                      Long.toString(stats.nans()),
                      Long.toString(stats.positiveInfinities() + stats.negativeInfinities()),
                      String.join(", ", parts)));
            });
    return head + TextTable.of(table);
  }

  /** A state for machines. */
  static ObjectNode json(CalibrationState state) {
    ObjectNode root = new ObjectMapper().createObjectNode();
    root.put("schema", 1);
    root.put("command", "inspect");
    root.put("tare", Tare.version());
    root.put("what", "state");
    root.put("rows", state.rows());
    if (!state.slice().isEmpty()) {
      root.put("slice", state.slice());
    }
    if (!state.modelDigest().isEmpty()) {
      root.put("model_sha256", state.modelDigest());
    }
    ObjectNode tensors = root.putObject("tensors");
    state
        .tensors()
        .forEach(
            (name, stats) -> {
              ObjectNode node = tensors.putObject(name);
              node.put("values", stats.count());
              // Of no finite value there is no least: JSON has no infinities.
              if (stats.finiteCount() > 0) {
                node.put("min", stats.min());
                node.put("max", stats.max());
              }
              node.put("zeros", stats.zeros());
              node.put("nans", stats.nans());
              node.put("infinities", stats.positiveInfinities() + stats.negativeInfinities());
              stats.channels().ifPresent(c -> node.put("channels", c.channels()));
              stats.average().ifPresent(a -> node.put("average_batches", a.batches()));
              stats.recording().ifPresent(r -> node.put("recording", true));
            });
    return root;
  }
}
