package org.tare.settings;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tare.TareException;
import org.tare.job.QuantizeOptions;
import org.tare.job.advice.Advice;
import org.tare.job.advice.AdviceRun;
import org.tare.job.advice.Way;
import org.tare.job.trials.Criterion;
import org.tare.job.trials.Metric;

/** What a recommendation is asked for, and the job file that comes of it. */
public final class RecommendSettings {
  private static final YAMLMapper YAML = new YAMLMapper();

  private static final Pattern DURATION = Pattern.compile("(\\d+(?:\\.\\d+)?) *(s|m|h)");

  /** What is of the recommendation itself, or of how a command prints. */
  private static final List<String> NOT_OF_A_RUN =
      List.of(
          "recommend.", "trials.", "output", "overwrite", "dry-run", "json", "verbose", "spark.");

  private RecommendSettings() {}

  /**
   * The limits.
   *
   * @throws TareException if the metric has nothing to go by
   */
  public static AdviceRun.Options of(Settings settings) {
    Optional<Metric> metric =
        settings.find("recommend.metric").map(name -> Metric.of("recommend.metric", name));
    if (metric.filter(Metric.TOP1::equals).isPresent()
        && settings.find("validation.label").isEmpty()) {
      throw TareException.usage(
          "recommend.metric cannot be top1 without labels: set validation.label, or take"
              + " agreement");
    }
    Optional<Criterion> own = TrialSettings.own(settings);
    if (own.isPresent() && metric.isPresent()) {
      throw TareException.usage(
          "%s does not go with recommend.metric: it stands in its place", Criterion.Own.KEY);
    }
    return new AdviceRun.Options(
        own.or(() -> metric.map(name -> new Criterion.Known(name))),
        settings.number("recommend.max-drop"),
        settings.whole("recommend.rows"),
        budget(settings));
  }

  private static Duration budget(Settings settings) {
    String text = settings.require("recommend.budget");
    Matcher parts = DURATION.matcher(text.trim());
    if (!parts.matches()) {
      throw settings.wrong("recommend.budget", text, "a time, as 90s, 10m or 1h");
    }
    double unit =
        switch (parts.group(2)) {
          case "s" -> 1;
          case "m" -> 60;
          default -> 3600;
        };
    return Duration.ofMillis((long) (Double.parseDouble(parts.group(1)) * unit * 1000));
  }

  /**
   * What each way means with these settings.
   *
   * @param options by way, of those that the settings allow
   * @param refused why the others are not
   */
  public record Ways(Map<Way, QuantizeOptions> options, Map<Way, String> refused) {}

  /**
   * The ways.
   *
   * @throws TareException if the settings allow none
   */
  public static Ways ways(Settings settings) {
    Map<Way, QuantizeOptions> options = new EnumMap<>(Way.class);
    Map<Way, String> refused = new EnumMap<>(Way.class);
    Optional<TareException> last = Optional.empty();
    for (Way way : Way.values()) {
      try {
        options.put(way, QuantizeSettings.of(with(settings, way)));
      } catch (TareException e) {
        refused.put(way, e.getMessage());
        last = Optional.of(e);
      }
    }
    if (options.isEmpty()) {
      throw last.orElseThrow();
    }
    return new Ways(options, refused);
  }

  private static Settings with(Settings settings, Way way) {
    Settings own = settings.copy();
    way.settings().forEach((key, value) -> own.set(key, value, "recommend"));
    return own;
  }

  /** A job file that makes what was chosen, of all rows. */
  public static String jobFile(Settings settings, Advice.Step chosen, Advice advice) {
    Settings own = with(settings, chosen.way());
    ObjectNode job = YAML.createObjectNode();
    for (Settings.Effective setting : own.effective()) {
      String key = setting.key();
      boolean isOfTheRun = NOT_OF_A_RUN.stream().noneMatch(key::startsWith);
      boolean isSaid = !setting.origin().equals("default") && !setting.value().isEmpty();
      if (isOfTheRun && isSaid) {
        put(job, key, own.node(key).orElseThrow());
      }
    }
    if (!advice.overrides().isEmpty()) {
      ArrayNode all = YAML.createArrayNode();
      settings.node("quantize.overrides").ifPresent(given -> given.forEach(all::add));
      advice.overrides().forEach(entry -> all.add(YAML.valueToTree(entry)));
      put(job, "quantize.overrides", all);
    }
    try {
      return YAML.writeValueAsString(job);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Below the maps that the parts of its name are, as job files have it. */
  private static void put(ObjectNode job, String key, JsonNode value) {
    ObjectNode place = job;
    String rest = key;
    for (int dot = rest.indexOf('.'); dot > 0; dot = rest.indexOf('.')) {
      String part = rest.substring(0, dot);
      if (place.has(part) && !place.get(part).isObject()) {
        break;
      }
      place = place.withObjectProperty(part);
      rest = rest.substring(dot + 1);
    }
    place.set(rest, value);
  }
}
