package org.tare.drift;

import java.util.Locale;

/** Whether something is as it was. */
public enum Verdict {
  STABLE("stable"),
  /** Between the limits: worth a look. */
  MOVED_A_LITTLE("moved a little"),
  MOVED("moved");

  private final String text;

  Verdict(String text) {
    this.text = text;
  }

  /** In words. */
  public String text() {
    return text;
  }

  /** As machines read it: {@code moved-a-little}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** The graver of both. */
  public Verdict worst(Verdict other) {
    return compareTo(other) >= 0 ? this : other;
  }
}
