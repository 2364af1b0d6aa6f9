package org.tare.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.tare.drift.DeployedRange;
import org.tare.drift.DriftReport;
import org.tare.drift.TensorDrift;
import org.tare.drift.Verdict;

/** Drift as a table for people: all tensors that moved, and some that did not. */
final class DriftTable {
  private static final int STABLE_ROWS = 5;

  private DriftTable() {}

  static String of(DriftReport report) {
    List<List<String>> table = new ArrayList<>();
    table.add(
        List.of(
            "tensor",
            "verdict",
            "effect",
            "PSI",
            "JS",
            "Hellinger",
            "KS",
            "W1/std",
            "clipped %",
            "SQNR dB",
            "why"));
    int stable = 0;
    for (TensorDrift tensor : report.tensors()) {
      stable += tensor.verdict() == Verdict.STABLE ? 1 : 0;
      if (stable <= STABLE_ROWS) {
        table.add(row(tensor));
      }
    }
    String text = TextTable.of(table);
    return stable > STABLE_ROWS
        ? text + "and " + (stable - STABLE_ROWS) + " more that are stable" + System.lineSeparator()
        : text;
  }

  private static List<String> row(TensorDrift tensor) {
    List<String> row = new ArrayList<>();
    row.add(tensor.name());
    row.add(tensor.verdict().text());
    row.add(text("%.2f", tensor.effect()));
    row.addAll(
        tensor
            .distances()
            .map(
                found ->
                    List.of(
                        text("%.3f", found.psi()),
                        text("%.3f", found.jensenShannon()),
                        text("%.3f", found.hellinger()),
                        text("%.3f", found.kolmogorovSmirnov()),
                        text("%.3f", found.scaledWasserstein())))
            .orElse(List.of("-", "-", "-", "-", "-")));
    row.add(tensor.deployed().map(DriftTable::clipped).orElse("-"));
    row.add(tensor.deployed().map(DriftTable::sqnr).orElse("-"));
    row.add(String.join(", ", tensor.reasons()));
    return row;
  }

  private static String clipped(DeployedRange range) {
    return text("%.3g", 100 * range.reference().clipped())
        + " > "
        + text("%.3g", 100 * range.current().clipped());
  }

  private static String sqnr(DeployedRange range) {
    return text("%.1f", range.reference().sqnr()) + " > " + text("%.1f", range.current().sqnr());
  }

  private static String text(String format, double value) {
    return Double.isFinite(value) ? String.format(Locale.ROOT, format, value) : "-";
  }
}
