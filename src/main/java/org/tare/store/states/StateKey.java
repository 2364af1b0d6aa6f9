package org.tare.store.states;

import java.util.Comparator;
import java.util.regex.Pattern;
import org.tare.PrintableText;
import org.tare.TareException;
import org.tare.stats.CalibrationState;
import org.tare.stats.Lineage;

/**
 * What states must have in common to be added.
 *
 * @param model SHA-256 of the prepared float model
 * @param config SHA-256 of the settings that decide what is observed
 */
public record StateKey(String model, String config) implements Comparable<StateKey> {
  private static final int SHORT = 16;
  private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");

  public StateKey {
    checkDigest(model);
    checkDigest(config);
  }

  /** Digests become names of files. */
  static void checkDigest(String digest) {
    if (!DIGEST.matcher(digest).matches()) {
      throw TareException.badInput("\"%s\" is no SHA-256 in hexadecimal", PrintableText.of(digest));
    }
  }

  /**
   * Of a state.
   *
   * @throws TareException if it is of no model, or does not know its settings, or knows several
   */
  public static StateKey of(CalibrationState state) {
    if (state.modelDigest().isEmpty()) {
      throw TareException.badInput("Cannot keep a state of columns in a store: it is of no model");
    }
    var configs =
        state.lineage().sources().stream()
            .map(Lineage.Source::run)
            .map(Lineage.Run::settingsDigest)
            .distinct()
            .toList();
    if (configs.size() != 1) {
      throw TareException.badInput(
          configs.isEmpty()
              ? "Cannot keep a state without lineage in a store: with which settings it was made is"
                  + " not known; calibrate again"
              : "Cannot keep the state in a store: it is the sum of states of "
                  + configs.size()
                  + " different settings");
    }
    return new StateKey(state.modelDigest(), configs.get(0));
  }

  /** What people call it; also the name of the folder of its entries. */
  public String id() {
    return shortened(model) + "-" + shortened(config);
  }

  /** The first digits of a digest. */
  public static String shortened(String digest) {
    return digest.substring(0, Math.min(SHORT, digest.length()));
  }

  @Override
  public int compareTo(StateKey other) {
    return Comparator.comparing(StateKey::model)
        .thenComparing(StateKey::config)
        .compare(this, other);
  }
}
