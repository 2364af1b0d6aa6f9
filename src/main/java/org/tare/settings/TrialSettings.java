package org.tare.settings;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.job.trials.Cost;
import org.tare.job.trials.Criterion;
import org.tare.job.trials.Criterion.Own;
import org.tare.job.trials.LayerType;
import org.tare.job.trials.Metric;
import org.tare.job.trials.MixRun;
import org.tare.job.trials.SensitivityRun;
import org.tare.job.trials.SensitivityRun.Direction;

/** What is tried of types for layers. */
public final class TrialSettings {
  private static final YAMLMapper YAML = new YAMLMapper();

  private static final String CHECKPOINT = "trials.checkpoint";

  /** Settings that change no figure, or whose files are told apart by what is in them. */
  private static final Set<String> OF_NO_ORIGIN =
      Set.of(
          CHECKPOINT,
          "trials.metric-better",
          "output",
          "overwrite",
          "json",
          "verbose",
          "model",
          "state",
          "data.path",
          "validation.path");

  private TrialSettings() {}

  /** One layer at a time. */
  public static SensitivityRun.Options sensitivity(Settings settings) {
    return new SensitivityRun.Options(
        types(settings, "sensitivity.types", List.of("w8a8")),
        settings.require("sensitivity.direction").equals("only")
            ? Direction.ONLY
            : Direction.ALL_BUT,
        own(settings)
            .orElseGet(() -> known("sensitivity.metric", settings.require("sensitivity.metric"))));
  }

  private static Criterion known(String key, String name) {
    return new Criterion.Known(Metric.of(key, name));
  }

  /** The user's own metric, if there is one: it takes the place of Tare's. */
  public static Optional<Criterion> own(Settings settings) {
    Own.Better better =
        Own.Better.valueOf(settings.require("trials.metric-better").toUpperCase(Locale.ROOT));
    return settings.find(Own.KEY).map(sql -> new Own(sql, better));
  }

  /**
   * The cheapest types that keep a target.
   *
   * @throws TareException if there is not one target, or it does not go with the metric
   */
  public static MixRun.Options mix(Settings settings) {
    Optional<Double> least = number(settings, "mix.min-sqnr");
    Optional<Double> drop = number(settings, "mix.max-drop");
    if (least.isPresent() == drop.isPresent()) {
      throw TareException.usage(
          "Missing the target: set mix.min-sqnr, in dB, or mix.max-drop, a share of rows; one of"
              + " them");
    }
    Optional<Criterion> own = own(settings);
    if (own.isPresent() && least.isPresent()) {
      throw TareException.usage(
          "%s does not go with mix.min-sqnr: say by mix.max-drop how much of it may be lost",
          Own.KEY);
    }
    Criterion metric =
        least.isPresent()
            ? new Criterion.Known(Metric.SQNR)
            : own.orElseGet(() -> known("mix.metric", settings.find("mix.metric").orElse("top1")));
    if (drop.isPresent() && metric.is(Metric.SQNR)) {
      throw TareException.usage(
          "mix.metric cannot be sqnr with mix.max-drop: the float model has no SQNR to drop from;"
              + " set mix.min-sqnr");
    }
    return new MixRun.Options(
        types(settings, "mix.types", List.of("w4a8", "w8a8")),
        metric,
        least.or(() -> drop).orElseThrow(),
        drop.isPresent(),
        Cost.valueOf(settings.require("mix.cost").toUpperCase(Locale.ROOT)));
  }

  /**
   * The file that a search writes what it measured to: by default beside the output, if there is
   * one.
   */
  public static Optional<String> checkpoint(Settings settings) {
    return settings
        .find(CHECKPOINT)
        .or(() -> settings.find("output").map(name -> name.replaceAll("/+$", "") + ".trials"));
  }

  /** Whether the file outlasts the search: where it was asked for. */
  public static boolean keepsCheckpoint(Settings settings) {
    return settings.find(CHECKPOINT).isPresent();
  }

  /** All that figures of forms may depend on, besides model, ranges and rows. */
  public static String origin(Settings settings) {
    return settings.effective().stream()
        .filter(one -> !isNoOrigin(one.key()))
        .map(one -> one.key() + "=" + one.value())
        .collect(Collectors.joining("\n"));
  }

  private static boolean isNoOrigin(String key) {
    return key.startsWith("mix.") || key.startsWith("sensitivity.") || OF_NO_ORIGIN.contains(key);
  }

  private static Optional<Double> number(Settings settings, String key) {
    return settings.find(key).map(text -> settings.number(key));
  }

  private static List<LayerType> types(Settings settings, String key, List<String> standard) {
    List<String> names = settings.texts(key);
    return (names.isEmpty() ? standard : names).stream().map(LayerType::of).toList();
  }

  /**
   * A job file of the overrides that the settings have and of those that were found behind them.
   *
   * @param found entries of {@code quantize.overrides}
   */
  public static String jobFile(Settings settings, List<Map<String, Object>> found) {
    ObjectNode job = YAML.createObjectNode();
    ArrayNode all = job.putObject("quantize").putArray("overrides");
    settings.node("quantize.overrides").ifPresent(given -> given.forEach(all::add));
    found.forEach(entry -> all.add(YAML.valueToTree(entry)));
    try {
      return YAML.writeValueAsString(job);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
