package org.tare.history;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.tare.job.FloatModel;
import org.tare.settings.Settings;
import org.tare.store.states.Entry;

/** What tells one recalibration from another: all that its result follows from. */
public final class RunKey {
  private static final List<String> DECIDING =
      List.of(
          "quantize.",
          "evaluate.",
          "drift.warn.",
          "drift.fail.",
          "recalibrate.metric",
          "recalibrate.margin",
          "store.window",
          "store.as-of",
          "store.allow-missing",
          "validation.label",
          "validation.sample");

  private RunKey() {}

  /**
   * The key, 32 hexadecimal digits.
   *
   * @param slice of the new rows
   * @param window a digest of the states of the window
   * @param validation what the validation rows are
   */
  public static String of(
      Settings settings, FloatModel model, Entry slice, String window, List<String> validation) {
    Map<String, String> text = new TreeMap<>();
    for (Settings.Effective setting : settings.effective()) {
      if (DECIDING.stream().anyMatch(setting.key()::startsWith)) {
        text.put(setting.key(), setting.value());
      }
    }
    text.put("model", model.original().digest());
    text.put("key", slice.key().model() + slice.key().config());
    text.put("slice", slice.slice().name() + " " + slice.state().digest());
    text.put("window", window);
    text.put("validation", validation.toString());
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest(text.toString().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest).substring(0, 32);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
