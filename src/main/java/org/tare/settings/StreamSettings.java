package org.tare.settings;

import java.util.Map;
import java.util.Optional;
import org.tare.TareException;

/**
 * How a stream is calibrated on.
 *
 * @param name of the stream
 * @param store the folder that gets the states
 * @param checkpoint the folder in which Spark writes down how far it is
 * @param every how often a batch begins; empty to take what is there and end
 * @param path of files; empty for a table, or another source
 * @param query of the view {@code stream}, which is the source
 * @param schema of the source, in Spark's DDL; empty where the source knows it
 */
public record StreamSettings(
    String name,
    String store,
    String checkpoint,
    Optional<String> every,
    Optional<String> path,
    Optional<String> table,
    Optional<String> query,
    String format,
    Map<String, String> options,
    Optional<String> schema) {

  /**
   * What the settings say.
   *
   * @throws TareException if they name no store, or say what a stream cannot be
   */
  public static StreamSettings of(Settings settings) {
    String name = settings.require("stream.name");
    if (!name.matches("\\p{Alnum}[\\p{Alnum}_.=+-]*([ /]\\p{Alnum}[\\p{Alnum}_.=+-]*)*")) {
      throw settings.wrong(
          "stream.name", name, "words of letters, digits and _ . = + -, with a space or / between");
    }
    if (settings.find("output").isPresent()) {
      throw TareException.usage(
          "output is %s, but a stream writes no output: its states go into the store",
          settings.require("output"));
    }
    if (settings.find("store.slice").isPresent()) {
      throw TareException.usage(
          "store.slice is %s, but the slices of a stream are its batches: they get their names from"
              + " stream.name",
          settings.require("store.slice"));
    }
    settings
        .find("data.sample")
        .filter(text -> !text.contains("."))
        .ifPresent(
            text -> {
              throw TareException.usage(
                  "data.sample is %s, but of a stream nobody knows how many rows it has: give a"
                      + " share, as 0.1",
                  text);
            });
    if (settings.find("data.path").isPresent() && settings.find("data.table").isPresent()) {
      throw TareException.usage("data: give one of path and table, not both");
    }
    String store = settings.require("store.path");
    return new StreamSettings(
        name,
        store,
        settings
            .find("stream.checkpoint")
            .orElse(store.replaceAll("/+$", "") + ".checkpoints/" + name.replace(' ', '_')),
        settings.find("stream.every"),
        settings.find("data.path"),
        settings.find("data.table"),
        settings.find("data.query"),
        settings.require("data.format"),
        settings.below("data.options."),
        settings.find("stream.schema"));
  }

  /** The settings of the calibration of one batch, whose rows and slice the stream gives. */
  public Settings ofBatch(Settings settings) {
    Settings batch = settings.copy();
    for (String key : new String[] {"store.path", "data.path", "data.table", "data.query"}) {
      batch.set(key, "", "the stream");
    }
    return batch;
  }
}
