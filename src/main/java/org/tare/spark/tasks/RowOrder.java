package org.tare.spark.tasks;

import java.util.Random;

/**
 * The order in which a worker goes through the rows of its shard: another one each time, which
 * follows from the seed alone. {@link Random}'s numbers are specified.
 */
final class RowOrder {
  private final long seed;
  private final int shard;
  private final int size;
  private long epoch = -1;
  private int[] order;

  RowOrder(long seed, int shard, int size) {
    this.seed = seed;
    this.shard = shard;
    this.size = size;
  }

  /**
   * The places of the rows of one step.
   *
   * @param step counted from 0
   */
  int[] batch(long step, int rows) {
    int[] places = new int[rows];
    for (int i = 0; i < rows; i++) {
      long all = step * rows + i;
      shuffle(all / size);
      places[i] = order[(int) (all % size)];
    }
    return places;
  }

  private void shuffle(long wanted) {
    if (wanted == epoch) {
      return;
    }
    epoch = wanted;
    Random random = new Random(seed * 1_000_003 + shard * 7919L + epoch);
    order = new int[size];
    for (int i = 0; i < size; i++) {
      int other = random.nextInt(i + 1);
      order[i] = order[other];
      order[other] = i;
    }
  }
}
