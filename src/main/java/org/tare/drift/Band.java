package org.tare.drift;

/**
 * Two limits with a band between: below both is stable, from {@code fail} on has moved.
 *
 * @param warn above 0
 * @param fail at least {@code warn}
 */
public record Band(double warn, double fail) {
  public Band {
    if (!(warn > 0 && fail >= warn)) {
      throw new IllegalArgumentException("limits " + warn + " and " + fail);
    }
  }

  Verdict verdict(double value) {
    if (value >= fail) {
      return Verdict.MOVED;
    }
    return value >= warn ? Verdict.MOVED_A_LITTLE : Verdict.STABLE;
  }
}
