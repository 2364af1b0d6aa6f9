package org.tare.cli;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.tare.PrintableText;
import org.tare.States;
import org.tare.Tare;
import org.tare.TareException;
import org.tare.settings.Settings;
import org.tare.stats.CalibrationState;
import org.tare.store.Existing;
import org.tare.store.states.Entry;
import org.tare.store.states.StateStore;
import org.tare.store.states.Window;

/** What {@code states} does to a store, and {@code merge} with one. */
final class StatesRun {
  private final Tare tare;
  private final Settings settings;
  private final List<String> positional;
  private final PrintStream out;

  StatesRun(Tare tare, Settings settings, List<String> positional, PrintStream out) {
    this.tare = tare;
    this.settings = settings;
    this.positional = positional;
    this.out = out;
  }

  int execute() {
    String action = positional.get(0);
    int arguments =
        switch (action) {
          case "show", "add" -> 1;
          case "ls", "verify", "compact", "expire", "gc" -> 0;
          default ->
              throw TareException.usage(
                  "There is no \"states %s\": it is ls, show, add, verify, compact, expire or gc",
                  PrintableText.of(action));
        };
    if (positional.size() != arguments + 1) {
      throw TareException.usage(
          "states %s takes %s",
          action,
          action.equals("show")
              ? "the name of one slice"
              : action.equals("add") ? "one state file" : "nothing behind it");
    }
    States states = tare.states(require("store.path", "--store FOLDER"));
    switch (action) {
      case "ls" -> list(states.list());
      case "show" -> show(states, positional.get(1));
      case "add" -> add(states, tare.readState(positional.get(1)));
      case "verify" -> {
        return verify(states);
      }
      case "compact" -> compact(states);
      case "expire" -> forgotten(states.expire(require("store.before", "--before DATE")));
      default -> collected(states);
    }
    return 0;
  }

  private String require(String key, String option) {
    return settings
        .find(key)
        .orElseThrow(
            () ->
                TareException.usage("Missing %s: give %s, or the key in a job file", key, option));
  }

  private void list(List<Entry> entries) {
    if (settings.flag("json")) {
      out.println(PrintableText.ofLines(States.toJson(entries)));
      return;
    }
    if (entries.isEmpty()) {
      out.println("No states yet.");
      return;
    }
    out.print(table(entries));
  }

  private static String table(List<Entry> entries) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("slice", "version", "rows", "bytes", "written", "source", "key"));
    for (Entry entry : entries) {
      rows.add(
          List.of(
              entry.slice().name(),
              Integer.toString(entry.version()),
              String.format(Locale.ROOT, "%,d", entry.rows()),
              String.format(Locale.ROOT, "%,d", entry.state().bytes()),
              entry.written().toString(),
              entry.isCompacted() ? entry.covers().size() + " slices" : entry.data().source(),
              entry.key().id()));
    }
    return TextTable.of(rows);
  }

  private void show(States states, String slice) {
    List<Entry> entries = states.find(slice);
    if (entries.isEmpty()) {
      throw TareException.missing("The state store holds no slice %s", PrintableText.of(slice));
    }
    list(entries);
    if (!settings.flag("json")) {
      for (Entry entry : entries) {
        CalibrationState state = states.read(entry);
        out.printf(
            Locale.ROOT,
            "%nSHA-256 %s, %d tensors, model %s%n",
            entry.state().sha256(),
            state.tensors().size(),
            entry.key().model());
        entry.covers().forEach(one -> out.println("  " + PrintableText.of(one.slice().name())));
      }
    }
  }

  private void add(States states, CalibrationState state) {
    String slice = require("store.slice", "--slice NAME");
    StateStore.Added added =
        settings.flag("store.replace") ? states.replace(state, slice) : states.add(state, slice);
    tell(added);
  }

  private void tell(StateStore.Added added) {
    if (settings.flag("json")) {
      out.println(PrintableText.ofLines(States.toJson(List.of(added.entry()))));
      return;
    }
    out.printf(
        Locale.ROOT,
        "%s %s, version %d: %,d rows%n",
        switch (added.outcome()) {
          case ADDED -> "Added";
          case REPLACED -> "Replaced";
          case SAME -> "There already:";
        },
        PrintableText.of(added.entry().slice().name()),
        added.entry().version(),
        added.entry().rows());
  }

  private int verify(States states) {
    List<String> wrong = states.verify();
    if (settings.flag("json")) {
      out.println(PrintableText.ofLines(States.toJson("wrong", wrong)));
    } else {
      wrong.forEach(line -> out.println(PrintableText.of(line)));
      out.printf(
          "%d slices, %s%n",
          states.list().size(), wrong.isEmpty() ? "all whole" : wrong.size() + " faults");
    }
    return wrong.isEmpty() ? 0 : TareException.Kind.BAD_INPUT.exitStatus();
  }

  private void compact(States states) {
    Window.Days days =
        Window.Days.of(
            require("store.window", "--window DAYS"), require("store.as-of", "--as-of DATE"));
    tell(states.compact(states.key(settings.find("store.key").orElse("")), days));
  }

  private void forgotten(List<Entry> entries) {
    if (settings.flag("json")) {
      out.println(PrintableText.ofLines(States.toJson(entries)));
      return;
    }
    entries.forEach(
        entry ->
            out.printf(
                "Forgotten: %s, version %d%n",
                PrintableText.of(entry.slice().name()), entry.version()));
    out.printf("%d forgotten; states gc deletes their files%n", entries.size());
  }

  private void collected(States states) {
    double hours = Double.parseDouble(require("store.grace-hours", "store.grace-hours"));
    List<String> deleted = states.collect(Duration.ofSeconds((long) (hours * 3600)));
    if (settings.flag("json")) {
      out.println(PrintableText.ofLines(States.toJson("deleted", deleted)));
      return;
    }
    deleted.forEach(file -> out.println("Deleted: " + PrintableText.of(file)));
    out.printf("%d files deleted%n", deleted.size());
  }

  /** The sum of a window, which may be written to a file. */
  void merge() {
    if (!positional.isEmpty()) {
      throw TareException.usage("Give the files of states to merge, or a --store, not both");
    }
    States states = tare.states(require("store.path", "--store FOLDER"));
    Window window =
        states.window(
            states.key(settings.find("store.key").orElse("")),
            Window.Days.of(
                require("store.window", "--window DAYS"), require("store.as-of", "--as-of DATE")),
            settings.flag("store.allow-missing") ? Window.Missing.ALLOW : Window.Missing.REFUSE);
    CalibrationState merged = window.state();
    out.printf(
        Locale.ROOT,
        "Merged %d states of %s to %s: %,d rows, %d tensors%n",
        window.parts().size(),
        window.days().first(),
        window.days().last(),
        merged.rows(),
        merged.tensors().size());
    if (!window.missing().isEmpty()) {
      out.println("Missing " + window.missing());
    }
    settings
        .find("output")
        .ifPresent(
            file -> {
              tare.merge(List.of(merged))
                  .write(file, settings.flag("overwrite") ? Existing.REPLACE : Existing.REFUSE);
              out.println("Output  " + file);
            });
  }
}
