package org.tare;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.tare.report.TensorPicture;
import org.tare.settings.PlotSettings;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;
import org.tare.store.Existing;

/** A picture to be of how a tensor's values are distributed, and of the ranges that hold them. */
public final class Plot {
  private static final int NAMES_SHOWN = 5;

  private final Tare tare;
  private final CalibrationState state;
  private final String tensor;
  private final Settings settings;

  Plot(Tare tare, CalibrationState state, String tensor) {
    this.tare = tare;
    this.state = state;
    this.tensor = tensor;
    this.settings = tare.defaults();
  }

  /**
   * Sets one of the settings below {@code plot}.
   *
   * @throws TareException if there is no such key, or it does not take the value
   */
  public Plot set(String key, Object value) {
    settings.set(key, value, "set by the caller");
    return this;
  }

  /**
   * The picture, as SVG.
   *
   * @throws TareException if the state does not hold the tensor, or no finite value of it
   */
  public String svg() {
    TensorStats stats = state.tensors().get(tensor);
    if (stats == null) {
      throw TareException.badInput(
          "Cannot draw tensor \"%s\": the state does not hold it; it holds %s", tensor, held());
    }
    PlotSettings plot = PlotSettings.of(settings);
    return TensorPicture.svg(tensor, stats, plot.method(), plot.specs(), plot.bins());
  }

  private String held() {
    List<String> names = List.copyOf(state.tensors().keySet());
    if (names.isEmpty()) {
      return "none";
    }
    String shown = String.join(", ", names.subList(0, Math.min(NAMES_SHOWN, names.size())));
    int more = names.size() - NAMES_SHOWN;
    return more > 0 ? shown + " and " + more + " more, which inspect lists" : shown;
  }

  /**
   * Writes the picture to a file, whose name ends in {@code .svg}.
   *
   * @param existing what happens to a file that is there
   * @throws TareException as {@link #svg} does, or if the file cannot be written
   */
  public void write(String file, Existing existing) {
    if (!file.toLowerCase(Locale.ROOT).endsWith(".svg")) {
      throw TareException.usage(
          "Cannot draw into %s: pictures are SVG; give a name that ends in .svg", file);
    }
    tare.files().write("picture", file, svg().getBytes(StandardCharsets.UTF_8), existing);
  }
}
