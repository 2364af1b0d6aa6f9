package org.tare.settings;

import org.tare.drift.Band;
import org.tare.drift.DriftThresholds;

/** What the limits below {@code drift} mean. */
public final class DriftSettings {
  private DriftSettings() {}

  /**
   * All of them.
   *
   * @throws org.tare.TareException if a limit is 0, or the lower of two is above the other
   */
  public static DriftThresholds of(Settings settings) {
    return new DriftThresholds(
        band(settings, "effect"),
        band(settings, "channel"),
        band(settings, "sqnr-loss"),
        band(settings, "clipped"),
        band(settings, "non-finite"));
  }

  private static Band band(Settings settings, String name) {
    double warn = settings.number("drift.warn." + name);
    double fail = settings.number("drift.fail." + name);
    if (!(warn > 0)) {
      throw settings.wrong("drift.warn." + name, Double.toString(warn), "a number above 0");
    }
    if (!(fail >= warn)) {
      throw settings.wrong(
          "drift.fail." + name,
          Double.toString(fail),
          "at least drift.warn." + name + ", which is " + warn);
    }
    return new Band(warn, fail);
  }
}
