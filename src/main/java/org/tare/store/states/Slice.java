package org.tare.store.states;

import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tare.PrintableText;
import org.tare.TareException;

/**
 * The name of a part of the data. The date in it, as in {@code 2026-11-25} or {@code
 * country=DE/2026-11-25}, places it in windows; a name without one is in none.
 */
public record Slice(String name) implements Comparable<Slice> {
  private static final Pattern DATE =
      Pattern.compile("(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])");
  private static final int LONGEST = 160;

  /**
   * @throws TareException if it is empty, too long, or holds two dates
   */
  public Slice {
    if (name.isBlank() || name.getBytes(StandardCharsets.UTF_8).length > LONGEST) {
      throw TareException.usage(
          "A slice cannot be called \"%s\": it is a name of 1 to %d bytes, as 2026-11-25",
          PrintableText.of(name), LONGEST);
    }
    date(name);
  }

  /** The day that it is of. */
  public Optional<LocalDate> date() {
    return date(name);
  }

  private static Optional<LocalDate> date(String name) {
    Matcher found = DATE.matcher(name);
    if (!found.find()) {
      return Optional.empty();
    }
    LocalDate date = parse(found.group(), name);
    if (found.find()) {
      throw TareException.usage(
          "A slice cannot be called \"%s\": it holds two dates; a slice is of one day, or of none",
          PrintableText.of(name));
    }
    return Optional.of(date);
  }

  private static LocalDate parse(String date, String name) {
    try {
      return LocalDate.parse(date);
    } catch (DateTimeException e) {
      throw TareException.usage(
              "A slice cannot be called \"%s\": %s is no day of the calendar",
              PrintableText.of(name), date)
          .causedBy(e);
    }
  }

  /** The name as a part of a file's name: what is not a letter, digit or {@code . = -} is coded. */
  String fileName() {
    StringBuilder text = new StringBuilder();
    for (byte one : name.getBytes(StandardCharsets.UTF_8)) {
      boolean isPlain =
          (one >= 0 && Character.isLetterOrDigit(one))
              || one == '-'
              || one == '='
              || (one == '.' && !text.isEmpty());
      text.append(isPlain ? String.valueOf((char) one) : String.format("_%02x", one & 0xff));
    }
    return text.toString();
  }

  @Override
  public int compareTo(Slice other) {
    return name.compareTo(other.name);
  }
}
