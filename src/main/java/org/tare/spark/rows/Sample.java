package org.tare.spark.rows;

import org.tare.TareException;

/** How much of a table is read; which rows, a hash of their key decides. */
public sealed interface Sample {
  /** So many rows, or all if there are fewer. Rows whose hashes tie at the end all belong. */
  record Rows(int count) implements Sample {
    public Rows {
      if (count < 1) {
        throw TareException.usage("A sample cannot have %d rows: it has at least 1", count);
      }
    }
  }

  /** About this share of the rows; 1 is all. */
  record Share(double share) implements Sample {
    public Share {
      if (!(share > 0 && share <= 1)) {
        throw TareException.usage("A sample cannot be the share %s: it is above 0, up to 1", share);
      }
    }
  }

  /**
   * A sample as it is written: {@code 1024} is a number of rows, {@code 0.25} and {@code 1.0} are
   * shares.
   */
  static Sample parse(String text) {
    try {
      boolean isShare = text.contains(".") || text.contains("e") || text.contains("E");
      return isShare
          ? new Share(Double.parseDouble(text))
          : new Rows(Integer.parseInt(text.strip()));
    } catch (NumberFormatException e) {
      throw TareException.usage(
              "A sample cannot be \"%s\": it is a whole number of rows, or a share of them from 0.0 to"
                  + " 1.0, with a decimal point",
              text)
          .causedBy(e);
    }
  }
}
