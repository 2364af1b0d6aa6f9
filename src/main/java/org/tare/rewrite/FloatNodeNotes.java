package org.tare.rewrite;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.InflaterInputStream;
import org.tare.TareException;
import org.tare.onnx.OnnxModel;
import org.tare.plan.FloatNode;

/**
 * A model's own account of why nodes stayed float, in its metadata: JSON of reasons, each with a
 * list of {@code OpType(name)}, deflated (RFC 1950) and in Base64, since a transformer has
 * hundreds.
 */
public final class FloatNodeNotes {
  public static final String KEY = "tare.float_nodes";

  private static final ObjectMapper JSON = new ObjectMapper();

  /** More than any model needs; a value that unpacks to more is none of Tare's. */
  private static final int LARGEST = 1 << 26;

  private FloatNodeNotes() {}

  public static String encode(List<FloatNode> nodes) {
    ObjectNode reasons = JSON.createObjectNode();
    for (FloatNode node : nodes) {
      ArrayNode list =
          reasons.has(node.reason())
              ? (ArrayNode) reasons.get(node.reason())
              : reasons.putArray(node.reason());
      list.add(node.opType() + "(" + node.name() + ")");
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION);
    try (DeflaterOutputStream out = new DeflaterOutputStream(bytes, deflater)) {
      out.write(reasons.toString().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) { // memory has none
      throw new UncheckedIOException(e);
    } finally {
      deflater.end();
    }
    return Base64.getEncoder().encodeToString(bytes.toByteArray());
  }

  /**
   * The reasons of a model, by {@code OpType(name)}; empty if it holds none.
   *
   * @param file what to call the model in messages
   */
  public static Map<String, String> decode(String file, OnnxModel model) {
    Map<String, String> reasons = new TreeMap<>();
    String told = model.metadata().get(KEY);
    if (told == null) {
      return reasons;
    }
    try {
      JSON.readTree(unpack(told))
          .properties()
          .forEach(
              entry ->
                  entry.getValue().forEach(node -> reasons.put(node.asText(), entry.getKey())));
    } catch (IOException | IllegalArgumentException e) {
      throw TareException.badInput(
              "Cannot inspect %s: its metadata \"%s\" is not what Tare wrote", file, KEY)
          .causedBy(e);
    }
    return reasons;
  }

  private static byte[] unpack(String told) throws IOException {
    if (told.startsWith("{")) {
      // Models of earlier versions have the notes as plain JSON.
      return told.getBytes(StandardCharsets.UTF_8);
    }
    try (InflaterInputStream in =
        new InflaterInputStream(new ByteArrayInputStream(Base64.getDecoder().decode(told)))) {
      return in.readNBytes(LARGEST);
    }
  }
}
