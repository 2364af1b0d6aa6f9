package org.tare.store;

import java.io.IOException;

/** The place of an output holds what must not be replaced; the message says what. */
final class PlaceTaken extends IOException {
  private static final long serialVersionUID = 1L;

  PlaceTaken(String reason) {
    super(reason);
  }
}
