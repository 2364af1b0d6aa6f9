package org.tare.spark.rows.images;

/** An image that cannot be used; the message completes the sentence "the column holds …". */
public final class UnreadableImage extends Exception {
  private static final long serialVersionUID = 1L;

  UnreadableImage(String what) {
    super(what, null, false, false);
  }
}
