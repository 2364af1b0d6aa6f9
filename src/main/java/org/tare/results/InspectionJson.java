package org.tare.results;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.tare.inspect.ModelInspection;
import org.tare.inspect.ModelInspection.Figures;
import org.tare.inspect.ModelInspection.Kind;
import org.tare.inspect.ModelInspection.QuantizedTensor;
import org.tare.inspect.Saturation;
import org.tare.job.FloatInspection;
import org.tare.onnx.TensorType;
import org.tare.plan.FloatNode;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;

/** The JSON form of what a state or a quantized model holds. */
public final class InspectionJson {
  private static final ObjectMapper JSON = new ObjectMapper();

  private InspectionJson() {}

  /** A state for machines. */
  public static ObjectNode of(CalibrationState state, String version) {
    ObjectNode root = JSON.createObjectNode();
    root.put("schema", 1);
    root.put("command", "inspect");
    root.put("tare", version);
    root.put("what", "state");
    root.put("rows", state.rows());
    if (!state.slice().isEmpty()) {
      root.put("slice", state.slice());
    }
    if (!state.modelDigest().isEmpty()) {
      root.put("model_sha256", state.modelDigest());
    }
    ArrayNode lineage = root.putArray("lineage");
    for (Lineage.Source source : state.lineage().sources()) {
      source(lineage.addObject(), source);
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

  private static void source(ObjectNode node, Lineage.Source source) {
    node.put("data", source.origin().data());
    node.put("snapshot", source.origin().snapshot());
    node.put("slice", source.origin().slice());
    node.put("sample", source.origin().sample());
    source.origin().columns().forEach(node.putArray("columns")::add);
    node.put("rows", source.rows());
    node.put("state_sha256", source.digest());
    node.put("settings_sha256", source.run().settingsDigest());
    node.put("when", source.run().when().toString());
    ObjectNode versions = node.putObject("versions");
    source.run().versions().forEach(versions::put);
  }

  /** A float model for machines. */
  public static ObjectNode of(FloatInspection found, String version) {
    ObjectNode root = JSON.createObjectNode();
    root.put("schema", 1);
    root.put("command", "inspect");
    root.put("tare", version);
    root.put("what", "float model");
    root.put("opset", found.opset());
    root.put("bytes", found.bytes());
    types(root.putObject("inputs"), found.inputs());
    types(root.putObject("outputs"), found.outputs());
    ObjectNode parameters = root.putObject("parameters");
    found.parameters().forEach(parameters::put);
    ObjectNode operators = root.putObject("operators");
    found.operators().forEach(operators::put);
    ObjectNode modes = root.putObject("modes");
    for (FloatInspection.Outlook outlook : found.modes()) {
      ObjectNode mode = modes.putObject(outlook.mode().id());
      outlook.obstacle().ifPresent(why -> mode.put("obstacle", why));
      mode.put("activations", outlook.activations());
      mode.put("nodes", outlook.nodes());
      mode.put("weights", outlook.weights());
      floatNodes(mode.putArray("float_nodes"), outlook.floatNodes());
    }
    return root;
  }

  private static void types(ObjectNode node, Map<String, TensorType> types) {
    types.forEach(
        (name, type) -> {
          ObjectNode one = node.putObject(name);
          one.put("dtype", type.elementType().id());
          ArrayNode shape = one.putArray("shape");
          for (int i = 0; i < type.rank(); i++) {
            String size = type.names().get(i);
            if (type.shape()[i] < 0 && !size.isEmpty()) {
              shape.add(size);
            } else {
              shape.add(type.shape()[i]);
            }
          }
        });
  }

  private static void floatNodes(ArrayNode floats, List<FloatNode> nodes) {
    for (FloatNode one : nodes) {
      floats
          .addObject()
          .put("op", one.opType())
          .put("name", one.name())
          .put("reason", one.reason());
    }
  }

  /** A quantized model for machines. */
  public static ObjectNode of(
      ModelInspection found, List<Saturation.Layer> saturating, String version) {
    ObjectNode root = JSON.createObjectNode();
    root.put("schema", 1);
    root.put("command", "inspect");
    root.put("tare", version);
    root.put("what", "model");
    ArrayNode layers = root.putArray("saturation");
    for (Saturation.Layer layer : saturating) {
      ObjectNode node = layers.addObject();
      node.put("op_type", layer.opType());
      node.put("name", layer.name());
      node.put("weight", layer.weight());
      node.put("where", layer.where().name().toLowerCase(Locale.ROOT));
      node.put("largest_pair", layer.largestPair());
    }
    ArrayNode tensors = root.putArray("tensors");
    for (QuantizedTensor tensor : found.tensors()) {
      ObjectNode node = tensors.addObject();
      node.put("name", tensor.name());
      node.put("kind", tensor.kind().name().toLowerCase(Locale.ROOT));
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
    floatNodes(root.putArray("float_nodes"), found.floatNodes());
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
