package org.tare.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * What Tare wrote into an output folder: the file {@code _TARE.json}. Version 1:
 *
 * <pre>{@code
 * {"tare_output": 1, "files": [{"name": "slices/a.tare", "length": 12, "sha256": "…"}, …]}
 * }</pre>
 *
 * It lists neither itself nor {@code _SUCCESS}. Names are relative to the folder, their parts
 * separated by slashes.
 */
record Manifest(SortedMap<String, Manifest.File> files) {
  static final String NAME = "_TARE.json";

  private static final int VERSION = 1;
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

  /** What a file holds. */
  record File(long length, String sha256) {}

  Manifest {
    files = Collections.unmodifiableSortedMap(new TreeMap<>(files));
  }

  /** Whether a file of this name stays inside of the folder and can be told from the marks. */
  static boolean isUsable(String name) {
    for (String part : name.split("/", -1)) {
      if (part.isEmpty() || part.equals(".") || part.equals("..") || part.indexOf('\0') >= 0) {
        return false;
      }
    }
    return !name.equals(NAME) && !name.equals(OutputFolder.SUCCESS);
  }

  byte[] encode() {
    ObjectNode root = JSON.createObjectNode().put("tare_output", VERSION);
    var list = root.putArray("files");
    files.forEach(
        (name, file) ->
            list.addObject()
                .put("name", name)
                .put("length", file.length())
                .put("sha256", file.sha256()));
    try {
      return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Reads a manifest.
   *
   * @throws IOException if it is not one, or of a newer version; the message says why
   */
  static Manifest decode(byte[] content) throws IOException {
    JsonNode root;
    try {
      root = JSON.readTree(content);
    } catch (IOException e) {
      throw new IOException("it is not JSON", e);
    }
    JsonNode version = root.path("tare_output");
    if (!version.isIntegralNumber()) {
      throw new IOException("it is not of Tare");
    }
    if (version.intValue() != VERSION) {
      throw new IOException(
          "its version is " + version + ", this version of Tare reads version " + VERSION);
    }
    SortedMap<String, File> files = new TreeMap<>();
    for (JsonNode one : root.path("files")) {
      String name = one.path("name").asText();
      String sha256 = one.path("sha256").asText();
      JsonNode length = one.path("length");
      if (!isUsable(name) || !length.isIntegralNumber() || !SHA256.matcher(sha256).matches()) {
        throw new IOException("it lists what cannot be a file of an output: " + one);
      }
      files.put(name, new File(length.longValue(), sha256));
    }
    if (!root.path("files").isArray()) {
      throw new IOException("it lists no files");
    }
    return new Manifest(files);
  }
}
