package org.tare.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.tare.Inspection;
import org.tare.PrintableText;
import org.tare.inspect.ModelInspection;
import org.tare.inspect.ModelInspection.Figures;
import org.tare.inspect.ModelInspection.Kind;
import org.tare.inspect.ModelInspection.QuantizedTensor;
import org.tare.inspect.Saturation;
import org.tare.plan.FloatNode;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;

/** What a state or a quantized model holds, as tables for people. */
final class InspectionTable {
  private InspectionTable() {}

  static String of(Inspection found) {
    return found
        .state()
        .map(InspectionTable::of)
        .or(() -> found.floatModel().map(FloatModelTable::of))
        .orElseGet(() -> of(found.model().get()) + of(found.saturating()));
  }

  /** A state for people. */
  private static String of(CalibrationState state) {
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
    return head + TextTable.of(table) + of(state.lineage());
  }

  /** The runs that a state comes from. */
  private static String of(Lineage lineage) {
    if (lineage.isEmpty()) {
      return "";
    }
    List<List<String>> table = new ArrayList<>();
    table.add(List.of("made from", "slice", "sample", "rows", "when", "tare"));
    for (Lineage.Source source : lineage.sources()) {
      table.add(
          List.of(
              source.origin().data(),
              source.origin().slice(),
              source.origin().sample(),
              Long.toString(source.rows()),
              source.run().when().toString(),
              source.run().versions().getOrDefault("tare", "")));
    }
    return System.lineSeparator() + TextTable.of(table);
  }

  /** The layers whose results depend on the CPU. */
  private static String of(List<Saturation.Layer> saturating) {
    if (saturating.isEmpty()) {
      return "";
    }
    List<List<String>> table = new ArrayList<>();
    table.add(List.of("other integers in", "name", "weight", "on", "two products reach"));
    for (Saturation.Layer layer : saturating) {
      table.add(
          List.of(
              layer.opType(),
              layer.name(),
              layer.weight(),
              layer.where().label(),
              Long.toString(layer.largestPair())));
    }
    return System.lineSeparator() + TextTable.of(table);
  }

  private static String of(ModelInspection found) {
    StringBuilder text = new StringBuilder();
    String forms =
        found.tensors().stream()
            .map(tensor -> tensor.form().id())
            .distinct()
            .collect(Collectors.joining(" and "));
    text.append(
        String.format(
            Locale.ROOT,
            "Model in %s form: %,d activations, %,d weights, %,d biases%n%n",
            forms,
            found.count(Kind.ACTIVATION),
            found.count(Kind.WEIGHT),
            found.count(Kind.BIAS)));
    List<List<String>> tensors = new ArrayList<>();
    tensors.add(
        List.of("tensor", "kind", "form", "type", "values", "scale", "zero_point", "scales per"));
    for (QuantizedTensor tensor : found.tensors()) {
      tensors.add(
          List.of(
              tensor.name(),
              id(tensor.kind()),
              tensor.form().id(),
              tensor.type(),
              tensor.kind() == Kind.ACTIVATION ? "" : Long.toString(tensor.values()),
              text(tensor.scale(), "%.6g"),
              text(tensor.zeroPoint(), "%.0f"),
              granularity(tensor)));
    }
    text.append(TextTable.of(tensors)).append(System.lineSeparator());
    List<List<String>> weights = new ArrayList<>();
    weights.add(List.of("constants", "values", "bytes"));
    for (ModelInspection.Weights one : found.weights()) {
      weights.add(List.of(one.type(), Long.toString(one.values()), Long.toString(one.bytes())));
    }
    weights.add(List.of("scales, zero points", "", Long.toString(found.qparamsBytes())));
    text.append(TextTable.of(weights));
    text.append(String.format(Locale.ROOT, "%.3f bytes a value%n%n", found.bytesPerWeight()));
    List<List<String>> operators = new ArrayList<>();
    operators.add(List.of("operator", "integers", "floats"));
    for (ModelInspection.OperatorCount one : found.operators()) {
      operators.add(
          List.of(one.opType(), Integer.toString(one.integers()), Integer.toString(one.floats())));
    }
    text.append(TextTable.of(operators));
    text.append(
        String.format(Locale.ROOT, "%d nodes convert between the two%n", found.conversions()));
    if (!found.floatNodes().isEmpty()) {
      List<List<String>> floats = new ArrayList<>();
      floats.add(List.of("float node", "name", "reason"));
      for (FloatNode node : found.floatNodes()) {
        floats.add(List.of(node.opType(), node.name(), node.reason()));
      }
      text.append(System.lineSeparator()).append(TextTable.of(floats));
    }
    return text.toString();
  }

  private static String id(Kind kind) {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  /** The figure; of several that differ, how many with the least and the greatest. */
  private static String text(Figures figures, String format) {
    if (figures.count() == 0) {
      return "computed";
    }
    String least = String.format(Locale.ROOT, format, figures.least());
    String greatest = String.format(Locale.ROOT, format, figures.greatest());
    return least.equals(greatest) ? least : figures.count() + ": " + least + " to " + greatest;
  }

  private static String granularity(QuantizedTensor tensor) {
    if (tensor.blockSize() > 0) {
      String along = tensor.axis() < 0 ? "" : " on axis " + tensor.axis();
      return tensor.blockSize() + " values" + along;
    }
    return tensor.axis() < 0 ? "tensor" : "axis " + tensor.axis();
  }
}
