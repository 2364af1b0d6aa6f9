package org.tare.stats;

import org.tare.TareException;

/** Counts are numbers from 0 to 2^63 - 1, and so is each sum of them. */
final class Counts {
  private Counts() {}

  /** Whether counts, each in range, have a sum in range. */
  static boolean isSumInRange(long... counts) {
    long sum = 0;
    for (long count : counts) {
      sum += count;
      if (sum < 0) {
        return false;
      }
    }
    return true;
  }

  /**
   * Makes sure that counts can be added, before any is.
   *
   * @throws TareException if ours and the given times theirs are more than 2^63 - 1
   */
  static void requireRoom(long ours, long theirs, long times) {
    boolean hasRoom = theirs == 0 || times == 0 || (Long.MAX_VALUE - ours) / times >= theirs;
    if (!hasRoom) {
      throw TareException.badInput(
          "Cannot merge stats: %d values and %s %d more are above 2^63 - 1, which no count passes",
          ours, times == 1 ? "then" : times + " times", theirs);
    }
  }
}
