package org.tare.spark.rows.images;

import java.util.Locale;
import java.util.Optional;

/**
 * What one row may take of the heap while it is decoded. A file of some kilobytes may say that it
 * has millions of pixels, so needs are estimated, and compared with this, before memory is taken.
 *
 * @param limit in bytes
 */
public record RowMemory(long limit) {
  private static final long MEGABYTE = 1L << 20;

  /** Half of the heap that this JVM may have: the rest is for Spark, and for other tasks. */
  public static RowMemory ofThisJvm() {
    return new RowMemory(Runtime.getRuntime().maxMemory() / 2);
  }

  /**
   * Says why a row cannot be decoded.
   *
   * @param bytes that it needs, about
   * @return a part of a sentence, or nothing if there is enough
   */
  public Optional<String> shortage(long bytes) {
    return bytes <= limit
        ? Optional.empty()
        : Optional.of(
            String.format(
                Locale.ROOT,
                "needs about %,d MB of memory, and a row may take %,d MB, half of the heap; more"
                    + " spark.executor.memory, or spark.driver.memory where that runs the tasks,"
                    + " gives more",
                (bytes + MEGABYTE - 1) / MEGABYTE,
                limit / MEGABYTE));
  }

  /**
   * Checks the memory of an image.
   *
   * @throws UnreadableImage if it needs too much
   */
  void check(int height, int width, long bytes) throws UnreadableImage {
    Optional<String> shortage = shortage(bytes);
    if (shortage.isPresent()) {
      throw new UnreadableImage(
          "an image of " + height + "x" + width + " pixels, which " + shortage.get());
    }
  }
}
