package org.tare.cli;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import org.tare.PrintableText;
import org.tare.graph.TensorType;

/** Tells what a command would do, and does nothing. */
final class DryRun {
  private DryRun() {}

  /** Every setting with its value and where that was said. */
  static void printSettings(Settings settings, PrintStream out) {
    out.println("Settings:");
    for (Settings.Effective setting : settings.effective()) {
      out.printf(
          Locale.ROOT,
          "  %-32s %-28s %s%n",
          setting.key(),
          PrintableText.of(setting.value()),
          PrintableText.of(setting.origin()));
    }
  }

  /** That, the tensors that would be observed, what stays float, and the memory it takes. */
  static void print(Settings settings, FloatModel model, PrintStream out) {
    printSettings(settings, out);
    List<String> observed = model.observed();
    out.printf(Locale.ROOT, "%nTensors to observe: %d%n", observed.size());
    long batchBytes = 0;
    for (String tensor : observed) {
      TensorType type = model.types().get(tensor);
      out.printf(Locale.ROOT, "  %-32s %s%n", PrintableText.of(tensor), type);
      long values = settings.batch();
      for (int i = 1; i < type.rank(); i++) {
        values *= Math.max(1, type.shape()[i]);
      }
      batchBytes += 4 * values;
    }
    model
        .plan()
        .ifPresent(
            plan -> {
              out.printf(Locale.ROOT, "%nNodes quantized: %d%n", plan.quantizedNodeCount());
              plan.floatNodes()
                  .forEach(
                      node ->
                          out.printf(
                              Locale.ROOT,
                              "  stays float32: %s %s: %s%n",
                              PrintableText.of(node.opType()),
                              PrintableText.of(node.name()),
                              PrintableText.of(node.reason())));
            });
    // A tensor's stats take a page of 1 kB for each power of two that occurs, about 40.
    double megabytes = (batchBytes + observed.size() * 40 * 1024.0 + (1 << 20)) / (1 << 20);
    out.printf(
        Locale.ROOT,
        "%nMemory per task, about: %.1f MB for observed tensors and their stats, besides the"
            + " model's own%nNothing was written.%n",
        megabytes);
  }
}
