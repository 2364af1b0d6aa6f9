package org.tare.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;
import org.tare.TareException;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;

/** The commands on states alone, {@code merge} and {@code inspect}; they start no Spark. */
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

  /** Prints a state. */
  static void inspect(String input) {
    HadoopFiles files = new HadoopFiles(new Configuration());
    CalibrationState state = CalibrationState.decode(files.read("calibration state", input), input);
    System.out.printf(
        Locale.ROOT,
        "State of %,d rows%s%s%n%n",
        state.rows(),
        state.slice().isEmpty() ? "" : ", slice " + state.slice(),
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
    System.out.print(TextTable.of(table));
  }
}
