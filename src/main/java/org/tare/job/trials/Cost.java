package org.tare.job.trials;

/** What an assignment of types is to have little of. */
public enum Cost {
  /** Bytes of the weights, their scales aside. */
  BYTES,
  /** Time for a row, as it is measured on the machine that the search runs on. */
  TIME
}
