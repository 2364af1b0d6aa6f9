package org.tare.store.states;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.tare.TareException;

/**
 * The file of an {@link Entry}: one line of JSON.
 *
 * <pre>{@code
 * {"tare_state_entry": 1, "model": "…", "config": "…", "slice": "2026-11-25", "version": 1,
 *  "data": {"source": "…", "snapshot": "…", "sample": ""}, "rows": 7000,
 *  "state": {"sha256": "…", "bytes": 1234, "digest": "…"},
 *  "covers": [{"slice": "…", "version": 1, "digest": "…"}],
 *  "written": "2026-11-26T01:00:00Z", "by": "0.1.0", "token": "…", "sha256": "…"}
 * }</pre>
 *
 * <p>{@code sha256} is that of the line without it. Exactly what was written is read.
 */
final class EntryCodec {
  private static final int VERSION = 1;
  private static final ObjectMapper JSON = new ObjectMapper();

  private EntryCodec() {}

  static ObjectNode json(Entry entry) {
    ObjectNode root = JSON.createObjectNode().put("tare_state_entry", VERSION);
    root.put("model", entry.key().model()).put("config", entry.key().config());
    root.put("slice", entry.slice().name()).put("version", entry.version());
    root.putObject("data")
        .put("source", entry.data().source())
        .put("snapshot", entry.data().snapshot())
        .put("sample", entry.data().sample());
    root.put("rows", entry.rows());
    root.putObject("state")
        .put("sha256", entry.state().sha256())
        .put("bytes", entry.state().bytes())
        .put("digest", entry.state().digest());
    if (entry.isCompacted()) {
      ArrayNode covers = root.putArray("covers");
      for (Entry.Covered covered : entry.covers()) {
        covers
            .addObject()
            .put("slice", covered.slice().name())
            .put("version", covered.version())
            .put("digest", covered.digest());
      }
    }
    return root.put("written", entry.written().toString())
        .put("by", entry.by())
        .put("token", entry.token());
  }

  static byte[] encode(Entry entry) {
    ObjectNode root = json(entry);
    root.put("sha256", sha256(bytes(root)));
    return bytes(root);
  }

  private static byte[] bytes(ObjectNode root) {
    try {
      return (JSON.writeValueAsString(root) + "\n").getBytes(StandardCharsets.UTF_8);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * The entry in the bytes of a file.
   *
   * @throws IOException if it is none, or not whole; the message says why
   */
  static Entry decode(byte[] content) throws IOException {
    JsonNode root;
    try {
      root = JSON.readTree(content);
    } catch (IOException e) {
      throw new IOException("it is not JSON", e);
    }
    JsonNode version = root.path("tare_state_entry");
    if (!version.isIntegralNumber()) {
      throw new IOException("it is no entry of a state store");
    }
    if (version.intValue() != VERSION) {
      throw new IOException(
          "its version is " + version + ", this version of Tare reads version " + VERSION);
    }
    Entry entry;
    try {
      entry = entry(root);
    } catch (TareException | DateTimeException e) {
      throw new IOException("it holds what cannot be: " + e.getMessage(), e);
    }
    if (!Arrays.equals(encode(entry), content)) {
      throw new IOException("its checksum does not fit, it is damaged or cut short");
    }
    return entry;
  }

  private static Entry entry(JsonNode root) {
    List<Entry.Covered> covers = new ArrayList<>();
    root.path("covers")
        .forEach(
            one ->
                covers.add(
                    new Entry.Covered(
                        new Slice(one.path("slice").asText()),
                        one.path("version").asInt(),
                        one.path("digest").asText())));
    JsonNode data = root.path("data");
    JsonNode state = root.path("state");
    return new Entry(
        new StateKey(root.path("model").asText(), root.path("config").asText()),
        new Slice(root.path("slice").asText()),
        root.path("version").asInt(),
        new Entry.Data(
            data.path("source").asText(),
            data.path("snapshot").asText(),
            data.path("sample").asText()),
        root.path("rows").asLong(),
        new Entry.Blob(
            state.path("sha256").asText(),
            state.path("bytes").asLong(),
            state.path("digest").asText()),
        covers,
        Instant.parse(root.path("written").asText()),
        root.path("by").asText(),
        root.path("token").asText());
  }

  static String sha256(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
