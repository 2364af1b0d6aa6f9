package org.tare.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.tare.job.FloatInspection;
import org.tare.job.FloatInspection.Outlook;
import org.tare.onnx.TensorType;
import org.tare.plan.FloatNode;
import org.tare.qconfig.Mode;

/** What a float model is, and what each mode would make of it, as tables for people. */
final class FloatModelTable {
  private FloatModelTable() {}

  static String of(FloatInspection found) {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "Float model of operator set %d: %,d bytes, %s; nothing in it is quantized%n%n",
            found.opset(),
            found.bytes(),
            found.parameters().entrySet().stream()
                .map(one -> String.format(Locale.ROOT, "%,d %s", one.getValue(), one.getKey()))
                .collect(Collectors.joining(", "))));
    List<List<String>> tensors = new ArrayList<>();
    tensors.add(List.of("tensor", "kind", "type"));
    found.inputs().forEach((name, type) -> tensors.add(List.of(name, "input", text(type))));
    found.outputs().forEach((name, type) -> tensors.add(List.of(name, "output", text(type))));
    text.append(TextTable.of(tensors)).append(System.lineSeparator());
    List<List<String>> operators = new ArrayList<>();
    operators.add(List.of("operator", "nodes"));
    for (Map.Entry<String, Integer> one : found.operators().entrySet()) {
      operators.add(List.of(one.getKey(), one.getValue().toString()));
    }
    text.append(TextTable.of(operators)).append(System.lineSeparator());
    List<List<String>> modes = new ArrayList<>();
    modes.add(List.of("would quantize", "nodes", "activations", "weights", "left float"));
    List<List<String>> floats = new ArrayList<>();
    floats.add(List.of("mode", "float node", "name", "reason"));
    for (Outlook mode : found.modes()) {
      modes.add(row(mode));
      for (FloatNode node : mode.floatNodes()) {
        floats.add(List.of(mode.mode().id(), node.opType(), node.name(), node.reason()));
      }
    }
    text.append(TextTable.of(modes));
    if (floats.size() > 1) {
      text.append(System.lineSeparator()).append(TextTable.of(floats));
    }
    return text.toString();
  }

  /** Numbers that a mode does not tell before it is done are left out. */
  private static List<String> row(Outlook mode) {
    if (mode.obstacle().isPresent()) {
      return List.of(mode.mode().id(), "", "", "", mode.obstacle().get());
    }
    boolean isStatic = mode.mode() == Mode.STATIC;
    return List.of(
        mode.mode().id(),
        isStatic ? Integer.toString(mode.nodes()) : "",
        isStatic ? Integer.toString(mode.activations()) : "",
        isStatic ? "" : Integer.toString(mode.weights()),
        Integer.toString(mode.floatNodes().size()));
  }

  /** With the names of sizes: {@code float32 [batch,3]}. */
  private static String text(TensorType type) {
    List<String> sizes = new ArrayList<>();
    for (int i = 0; i < type.rank(); i++) {
      String name = type.names().get(i);
      sizes.add(
          type.shape()[i] >= 0 ? Long.toString(type.shape()[i]) : name.isEmpty() ? "?" : name);
    }
    return type.elementType().id() + " [" + String.join(",", sizes) + "]";
  }
}
