package org.tare.stats;

/** What to do when states to be merged hold the same numbers of the same data. */
public enum Duplicates {
  /** Fail: such numbers would count twice. */
  REFUSE,
  /** Count them twice. */
  ALLOW
}
