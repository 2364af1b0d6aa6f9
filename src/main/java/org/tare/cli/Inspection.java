package org.tare.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.tare.PrintableText;
import org.tare.TareException;
import org.tare.graph.ModelInspection;
import org.tare.graph.ModelInspection.Figures;
import org.tare.graph.ModelInspection.Kind;
import org.tare.graph.ModelInspection.QuantizedTensor;
import org.tare.graph.OnnxModel;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;

/**
 * The command {@code inspect}: prints a calibration state, or what is quantized in an ONNX model.
 * Which of them a file is, its first bytes say.
 */
final class Inspection {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Inspection() {}

  /**
   * Prints the file's content, as tables or as JSON.
   *
   * @throws TareException if there is no such file, it is neither a state nor a model, or a model
   *     without a quantized tensor
   */
  static void print(String file, boolean asJson) {
    HadoopFiles files = new HadoopFiles(new Configuration());
    byte[] head = files.head("file", file, 4);
    if (Arrays.equals(head, "TARE".getBytes(StandardCharsets.US_ASCII))) {
      CalibrationState state = CalibrationState.decode(files.read("calibration state", file), file);
      System.out.print(asJson ? json(States.json(state)) : States.table(state));
      return;
    }
    OnnxModel model;
    try {
      model = files.withLocal("model", file, OnnxModel::dataFiles, OnnxModel::read);
    } catch (TareException e) {
      if (e.kind() != TareException.Kind.BAD_INPUT) {
        throw e;
      }
      throw TareException.badInput(
              "Cannot inspect %s: it is no calibration state, which begins with the letters TARE,"
                  + " and no ONNX model that can be read (%s)",
              file, e.getMessage().replaceFirst("^Cannot read model [^ ]+: ", ""))
          .causedBy(e);
    }
    ModelInspection found = ModelInspection.of(model, FloatNodeNotes.decode(file, model));
    if (found.tensors().isEmpty()) {
      throw TareException.badInput(
          "Cannot inspect %s: it is a float model, with no quantized tensor", file);
    }
    System.out.print(asJson ? json(json(found)) : tables(found));
  }

  private static String json(JsonNode node) {
    return PrintableText.ofLines(node.toPrettyString()) + System.lineSeparator();
  }

  private static String tables(ModelInspection found) {
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
      for (ModelInspection.FloatNode node : found.floatNodes()) {
        floats.add(List.of(node.opType(), node.name(), node.reason()));
      }
      text.append(System.lineSeparator()).append(TextTable.of(floats));
    }
    return text.toString();
  }

  private static String id(Kind kind) {
    return kind.name().toLowerCase(Locale.ROOT);
  }

  /** The figure; of several, how many with the least and the greatest. */
  private static String text(Figures figures, String format) {
    if (figures.count() == 0) {
      return "computed";
    }
    String least = String.format(Locale.ROOT, format, figures.least());
    String greatest = String.format(Locale.ROOT, format, figures.greatest());
    if (figures.count() == 1) {
      return least;
    }
    return figures.count()
        + (least.equals(greatest) ? " of " + least : ": " + least + " to " + greatest);
  }

  private static String granularity(QuantizedTensor tensor) {
    if (tensor.blockSize() > 0) {
      String along = tensor.axis() < 0 ? "" : " on axis " + tensor.axis();
      return tensor.blockSize() + " values" + along;
    }
    return tensor.axis() < 0 ? "tensor" : "axis " + tensor.axis();
  }

  private static ObjectNode json(ModelInspection found) {
    ObjectNode root = JSON.createObjectNode();
    root.put("schema", 1);
    root.put("command", "inspect");
    root.put("tare", Tare.version());
    root.put("what", "model");
    ArrayNode tensors = root.putArray("tensors");
    for (QuantizedTensor tensor : found.tensors()) {
      ObjectNode node = tensors.addObject();
      node.put("name", tensor.name());
      node.put("kind", id(tensor.kind()));
      node.put("form", tensor.form().id());
      node.put("dtype", tensor.type());
      if (tensor.kind() != Kind.ACTIVATION) {
        node.put("values", tensor.values());
        node.put("bytes", tensor.bytes());
      }
      put(node, "scale", tensor.scale());
      put(node, "zero_point", tensor.zeroPoint());
      if (tensor.axis() >= 0) {
        node.put("axis", tensor.axis());
      }
      if (tensor.blockSize() > 0) {
        node.put("block_size", tensor.blockSize());
      }
    }
    ObjectNode weights = root.putObject("weights");
    for (ModelInspection.Weights one : found.weights()) {
      weights.putObject(one.type()).put("values", one.values()).put("bytes", one.bytes());
    }
    root.put("qparams_bytes", found.qparamsBytes());
    root.put("bytes_per_weight", found.bytesPerWeight());
    ObjectNode operators = root.putObject("operators");
    for (ModelInspection.OperatorCount one : found.operators()) {
      operators.putObject(one.opType()).put("integer", one.integers()).put("float", one.floats());
    }
    root.put("conversions", found.conversions());
    ArrayNode floats = root.putArray("float_nodes");
    for (ModelInspection.FloatNode one : found.floatNodes()) {
      floats
          .addObject()
          .put("op", one.opType())
          .put("name", one.name())
          .put("reason", one.reason());
    }
    return root;
  }

  /** Null where the model computes it. */
  private static void put(ObjectNode node, String key, Figures figures) {
    if (figures.count() == 0) {
      node.putNull(key);
    } else {
      ObjectNode one = node.putObject(key);
      one.put("count", figures.count());
      put(one, "min", figures.least());
      put(one, "max", figures.greatest());
    }
  }

  private static void put(ObjectNode node, String key, double value) {
    if (!Double.isFinite(value)) {
      node.putNull(key);
    } else if (value == Math.rint(value) && Math.abs(value) < 1L << 53) {
      node.put(key, (long) value);
    } else if ((float) value == value) {
      node.put(key, (float) value);
    } else {
      node.put(key, value);
    }
  }
}
