package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The order of rows in training follows from seed, shard and step alone. */
class RowOrderTest {
  private static int[] rows(RowOrder order, int steps, int batch) {
    return IntStream.range(0, steps)
        .flatMap(step -> Arrays.stream(order.batch(step, batch)))
        .toArray();
  }

  @Test
  void everyRowIsUsedOnceInEachEpoch() {
    int[] all = rows(new RowOrder(5, 0, 20), 10, 4);
    for (int epoch = 0; epoch < 2; epoch++) {
      Set<Integer> once =
          Arrays.stream(all, 20 * epoch, 20 * epoch + 20).boxed().collect(Collectors.toSet());
      assertEquals(20, once.size());
    }
    assertFalse(
        Arrays.equals(Arrays.copyOf(all, 20), Arrays.copyOfRange(all, 20, 40)),
        "both epochs have one order");
  }

  @Test
  void stepIsTheSameWhereverTrainingGoesOn() {
    int[] straight = rows(new RowOrder(5, 3, 7), 6, 5);
    assertArrayEquals(Arrays.copyOfRange(straight, 20, 25), new RowOrder(5, 3, 7).batch(4, 5));
  }

  @Test
  void seedAndShardMatter() {
    int[] one = new RowOrder(5, 0, 50).batch(0, 50);
    assertFalse(Arrays.equals(one, new RowOrder(6, 0, 50).batch(0, 50)));
    assertFalse(Arrays.equals(one, new RowOrder(5, 1, 50).batch(0, 50)));
  }

  @Test
  void batchMayBeLargerThanTheShard() {
    assertArrayEquals(new int[] {0, 0, 0}, new RowOrder(1, 0, 1).batch(9, 3));
  }
}
