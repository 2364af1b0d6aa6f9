package org.tare.store.states;

import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.tare.TareException;
import org.tare.stats.CalibrationState;
import org.tare.stats.Duplicates;
import org.tare.stats.StateSum;

/**
 * The slices of some days in a row, each once, and their sum.
 *
 * @param parts whose sum it is, in order
 * @param missing days without a slice
 */
public record Window(
    Days days, List<Entry> parts, NavigableSet<LocalDate> missing, CalibrationState state) {

  /** Days in a row, both ends included. */
  public record Days(LocalDate first, LocalDate last) {
    private static final Pattern LENGTH = Pattern.compile("([1-9][0-9]{0,3})([dw])");

    /**
     * So many days that end with one.
     *
     * @param length as in {@code 7d} or {@code 4w}
     * @param last as in {@code 2026-11-25}
     */
    public static Days of(String length, String last) {
      Matcher found = LENGTH.matcher(length);
      if (!found.matches()) {
        throw TareException.usage(
            "The window cannot be \"%s\": it is a number of days or weeks, as 7d or 4w", length);
      }
      long days = Long.parseLong(found.group(1)) * (found.group(2).equals("w") ? 7 : 1);
      LocalDate end = day(last);
      return new Days(end.minusDays(days - 1), end);
    }

    /** A day, as in {@code 2026-11-25}; {@code yesterday} and {@code today} are those of UTC. */
    public static LocalDate day(String text) {
      if (text.equals("yesterday") || text.equals("today")) {
        return LocalDate.now(ZoneOffset.UTC).minusDays(text.equals("today") ? 0 : 1);
      }
      try {
        return LocalDate.parse(text);
      } catch (java.time.DateTimeException e) {
        throw TareException.usage(
                "The day cannot be \"%s\": it is a date, as 2026-11-25, or yesterday, or today",
                text)
            .causedBy(e);
      }
    }

    boolean holds(LocalDate day) {
      return !day.isBefore(first) && !day.isAfter(last);
    }
  }

  /** What days without a slice are. */
  public enum Missing {
    REFUSE,
    /** Those before the first slice of all are none yet; one between slices, or behind, is. */
    REFUSE_GAPS,
    ALLOW
  }

  /**
   * The window of one key.
   *
   * @throws TareException if days are missing and must not, or no slice is there at all
   */
  static Window of(StateStore store, List<Entry> all, StateKey key, Days days, Missing missing) {
    List<Entry> own = all.stream().filter(entry -> entry.key().equals(key)).toList();
    List<Entry> parts = new ArrayList<>();
    NavigableSet<LocalDate> absent = choose(own, days, parts);
    refuse(store, own, days, !parts.isEmpty(), gaps(own, absent, missing, Optional.empty()));
    return new Window(days, List.copyOf(parts), absent, sum(store, parts));
  }

  /**
   * Checks that the window of one key will be whole once a slice of a day has come.
   *
   * @throws TareException if other days are missing and must not
   */
  static void check(
      StateStore store,
      List<Entry> all,
      StateKey key,
      Days days,
      Missing missing,
      Optional<LocalDate> coming) {
    List<Entry> own = all.stream().filter(entry -> entry.key().equals(key)).toList();
    List<Entry> parts = new ArrayList<>();
    NavigableSet<LocalDate> absent = choose(own, days, parts);
    boolean comesInside = coming.filter(days::holds).isPresent();
    coming.ifPresent(absent::remove);
    refuse(store, own, days, !parts.isEmpty() || comesInside, gaps(own, absent, missing, coming));
  }

  /** Which of the days without a slice are an error. */
  private static NavigableSet<LocalDate> gaps(
      List<Entry> own,
      NavigableSet<LocalDate> absent,
      Missing missing,
      Optional<LocalDate> coming) {
    return switch (missing) {
      case REFUSE -> absent;
      case ALLOW -> new TreeSet<>();
      case REFUSE_GAPS -> {
        Stream<LocalDate> days =
            own.stream()
                .flatMap(
                    entry ->
                        entry.isCompacted()
                            ? entry.covers().stream().flatMap(one -> one.slice().date().stream())
                            : entry.date().stream());
        Optional<LocalDate> first =
            Stream.concat(days, coming.stream()).min(Comparator.naturalOrder());
        yield first.map(day -> absent.tailSet(day, true)).orElse(absent);
      }
    };
  }

  /** Adds the entries of the days to the parts; returns the days that have none. */
  private static NavigableSet<LocalDate> choose(List<Entry> own, Days days, List<Entry> parts) {
    Set<Slice> taken = new HashSet<>();
    NavigableSet<LocalDate> absent = new TreeSet<>();
    days.first().datesUntil(days.last().plusDays(1)).forEach(absent::add);
    List<Entry> sums =
        own.stream()
            .filter(entry -> entry.isCompacted() && isValid(entry, own) && isInside(entry, days))
            .sorted((one, other) -> Integer.compare(other.covers().size(), one.covers().size()))
            .toList();
    for (Entry sum : sums) {
      // A slice that another sum has already counted must not count again.
      if (sum.covers().stream().noneMatch(one -> taken.contains(one.slice()))) {
        parts.add(sum);
        sum.covers()
            .forEach(
                one -> {
                  taken.add(one.slice());
                  one.slice().date().ifPresent(absent::remove);
                });
      }
    }
    for (Entry entry : own) {
      boolean counts =
          entry.date().filter(days::holds).isPresent() && !taken.contains(entry.slice());
      if (counts) {
        parts.add(entry);
        taken.add(entry.slice());
        absent.remove(entry.date().get());
      }
    }
    return absent;
  }

  private static void refuse(
      StateStore store,
      List<Entry> own,
      Days days,
      boolean hasAny,
      NavigableSet<LocalDate> absent) {
    if (!absent.isEmpty() || !hasAny) {
      String compacted =
          own.stream()
              .filter(entry -> entry.isCompacted() && !isInside(entry, days))
              .filter(
                  entry ->
                      entry.covers().stream()
                          .anyMatch(one -> one.slice().date().filter(absent::contains).isPresent()))
              .map(entry -> "; " + entry.slice().name() + " has days inside and outside")
              .findFirst()
              .orElse("");
      throw TareException.missing(
          "Cannot merge the window from %s to %s of state store %s: no slice of %s%s%s",
          days.first(),
          days.last(),
          store,
          !hasAny
              ? "any day"
              : absent.stream().map(LocalDate::toString).collect(Collectors.joining(", ")),
          compacted,
          hasAny ? "; --allow-missing goes without" : "");
    }
  }

  private static boolean isInside(Entry sum, Days days) {
    return sum.covers().stream()
        .allMatch(one -> one.slice().date().filter(days::holds).isPresent());
  }

  /** Whether none of the slices that an entry is the sum of has a later version. */
  static boolean isValid(Entry sum, List<Entry> current) {
    Map<Slice, Entry> bySlice =
        current.stream()
            .filter(entry -> entry.key().equals(sum.key()))
            .collect(Collectors.toMap(Entry::slice, Function.identity()));
    return sum.covers().stream()
        .allMatch(
            one ->
                !bySlice.containsKey(one.slice())
                    || bySlice.get(one.slice()).version() == one.version());
  }

  private static CalibrationState sum(StateStore store, List<Entry> parts) {
    StateSum sum = new StateSum(Duplicates.REFUSE);
    for (Entry part : parts) {
      sum.add(store.readState(part).ofSlice(""));
    }
    return sum.state();
  }
}
