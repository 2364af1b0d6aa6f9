package org.tare.oracle;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Recorded results of other tools: in the folder that the system property {@value #FOLDER} names,
 * else in the test resources.
 */
public final class Oracle {
  static final String FOLDER = "tare.oracle";

  private Oracle() {}

  /** Whether the results are those that come with the tests. */
  public static boolean isOwn() {
    return System.getProperty(FOLDER, "").isEmpty();
  }

  public static JsonNode read(String name) {
    try (InputStream in =
        isOwn()
            ? Oracle.class.getResourceAsStream("/oracle/" + name)
            : Files.newInputStream(Path.of(System.getProperty(FOLDER), name))) {
      return new ObjectMapper().readTree(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A number, or the text that stands for one that is not finite. */
  static double number(JsonNode node) {
    return node.isTextual() ? Double.parseDouble(node.asText()) : node.asDouble();
  }

  static float single(JsonNode node) {
    return (float) number(node);
  }

  public static float[] floats(JsonNode list) {
    float[] values = new float[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = single(list.get(i));
    }
    return values;
  }

  public static int[] ints(JsonNode list) {
    int[] values = new int[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = list.get(i).asInt();
    }
    return values;
  }

  public static long[] longs(JsonNode list) {
    long[] values = new long[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = list.get(i).asLong();
    }
    return values;
  }

  /** One value or a list of them. */
  static float[] oneOrMany(JsonNode node) {
    return node.isArray() ? floats(node) : new float[] {single(node)};
  }
}
