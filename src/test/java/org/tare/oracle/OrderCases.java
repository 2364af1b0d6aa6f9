package org.tare.oracle;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.tare.torch.ObserverConfig;
import org.tare.torch.ObserverKind;
import org.tare.torch.TorchObserver;

/** The same values in other orders and cuts: what PyTorch's observers make of each. */
final class OrderCases {
  private OrderCases() {}

  static void small(JsonNode file, Tally tally) {
    List<float[]> batches = new ArrayList<>();
    file.path("batches").forEach(b -> batches.add(Oracle.floats(b.path("data"))));
    for (JsonNode order : file.path("orders")) {
      String name = order.path("name").asText();
      List<float[]> ordered = ordered(batches, name);
      for (String key :
          List.of(
              "MinMaxObserver",
              "MovingAverageMinMaxObserver c=0.01",
              "MovingAverageMinMaxObserver c=0.1")) {
        tally.hold(name + "/" + key, () -> observer(key, order.path(key), ordered));
      }
    }
  }

  static void generated(JsonNode file, Tally tally) {
    for (JsonNode order : file.path("orders")) {
      List<float[]> batches =
          Streams.generate(file.path("streams").path(order.path("stream").asText()));
      String name = order.path("order").asText();
      List<float[]> ordered = ordered(batches, name);
      if (name.startsWith("chunks_of")) {
        ordered = ordered.subList(0, 400);
      }
      List<float[]> given = ordered;
      for (String key : List.of("minmax", "mavg-0.01", "mavg-0.1")) {
        tally.hold(
            order.path("stream") + name + "/" + key, () -> observer(key, order.path(key), given));
      }
    }
  }

  private static void observer(String key, JsonNode expected, List<float[]> batches) {
    ObserverConfig config =
        key.toLowerCase(java.util.Locale.ROOT).startsWith("minmax")
            ? ObserverConfig.of(ObserverKind.MIN_MAX)
            : ObserverConfig.of(ObserverKind.MOVING_AVERAGE)
                .withAveragingConstant(Float.parseFloat(key.substring(key.lastIndexOf('0'))));
    if (key.endsWith("0.01")) {
      config = config.withAveragingConstant(0.01f);
    } else if (key.endsWith("0.1")) {
      config = config.withAveragingConstant(0.1f);
    }
    TorchObserver observer = new TorchObserver(config);
    for (float[] batch : batches) {
      observer.observe(batch, batch.length);
    }
    ObserverCases.same(expected.path("min_val"), observer.min(), "min_val");
    ObserverCases.same(expected.path("max_val"), observer.max(), "max_val");
    ObserverCases.qparams(expected, observer.qparams());
    assertEquals(1, observer.qparams().size());
  }

  private static List<float[]> ordered(List<float[]> batches, String order) {
    List<float[]> result = new ArrayList<>(batches);
    if (order.equals("reversed")) {
      java.util.Collections.reverse(result);
    } else if (order.equals("rotated")) {
      java.util.Collections.rotate(result, -1);
    } else if (order.equals("one_batch")) {
      result = List.of(concatenated(batches));
    } else if (order.startsWith("perm_")) {
      result.clear();
      for (char c : order.substring("perm_".length()).toCharArray()) {
        result.add(batches.get(c - '0'));
      }
    } else if (order.endsWith("halved")) {
      result.clear();
      for (float[] batch : batches) {
        int half = batch.length / 2;
        if (half > 0) {
          result.add(Arrays.copyOf(batch, half));
        }
        result.add(Arrays.copyOfRange(batch, half, batch.length));
      }
    } else if (order.startsWith("chunks_of_")) {
      int size = Integer.parseInt(order.substring("chunks_of_".length()));
      result = chunks(concatenated(batches), size);
    } else if (order.equals("sorted_chunks")) {
      float[] sorted = concatenated(batches);
      Arrays.sort(sorted);
      result = chunks(sorted, 50);
    }
    return result;
  }

  private static float[] concatenated(List<float[]> batches) {
    int length = batches.stream().mapToInt(b -> b.length).sum();
    float[] all = new float[length];
    int at = 0;
    for (float[] batch : batches) {
      System.arraycopy(batch, 0, all, at, batch.length);
      at += batch.length;
    }
    return all;
  }

  private static List<float[]> chunks(float[] values, int size) {
    List<float[]> chunks = new ArrayList<>();
    for (int from = 0; from < values.length; from += size) {
      chunks.add(Arrays.copyOfRange(values, from, Math.min(values.length, from + size)));
    }
    return chunks;
  }
}
