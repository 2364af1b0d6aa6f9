package org.tare.store;

/** What happens to what stands where an output should go. */
public enum Existing {
  /** It stays; writing is refused. */
  REFUSE,
  /** It is replaced, if Tare wrote it and it holds nothing else; otherwise writing is refused. */
  REPLACE
}
