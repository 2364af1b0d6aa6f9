package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** The streams that the records give as a formula: sums of twelve uniform numbers. */
final class Streams {
  private Streams() {}

  static List<float[]> generate(JsonNode stream) {
    long seed = stream.path("seed").asLong();
    String transform = stream.path("transform").asText();
    List<float[]> batches = new ArrayList<>();
    long i = 0;
    for (int b = 0; b < stream.path("batches").size(); b++) {
      JsonNode batch = stream.path("batches").get(b);
      float[] values = new float[batch.path("n").asInt()];
      double mul = batch.path("mul").asDouble();
      double add = batch.path("add").asDouble();
      double sum = 0;
      for (int k = 0; k < values.length; k++) {
        values[k] = (float) (transformed(normal(seed, i++), transform) * mul + add);
        sum += values[k];
      }
      double expected = stream.path("checksum_float64_sum").get(b).asDouble();
      assertEquals(expected, sum, 1e-9 * Math.max(1, Math.abs(expected)), "checksum");
      batches.add(values);
    }
    return batches;
  }

  private static double normal(long seed, long i) {
    long sum = 0;
    for (int k = 0; k < 12; k++) {
      sum += mix(seed + (12 * i + k + 1) * 0x9E3779B97F4A7C15L) >>> 40;
    }
    return sum * 0x1p-24 - 6.0;
  }

  private static long mix(long seed) {
    long z = seed;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  private static double transformed(double y, String transform) {
    return switch (transform) {
      case "identity" -> y;
      case "cube" -> y * y * y;
      case "relu" -> Math.max(0, y);
      case "abs" -> Math.abs(y);
      case "exp2cube" -> y * y * y * 0.25;
      default -> throw new IllegalArgumentException(transform);
    };
  }
}
