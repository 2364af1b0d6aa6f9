package org.tare;

import java.util.List;
import org.tare.stats.CalibrationState;
import org.tare.stats.Duplicates;
import org.tare.stats.StateSum;
import org.tare.store.Existing;

/** A sum of states to be. */
public final class Merge {
  private final Tare tare;
  private final List<CalibrationState> states;
  private Duplicates duplicates = Duplicates.REFUSE;

  Merge(Tare tare, List<CalibrationState> states) {
    this.tare = tare;
    this.states = List.copyOf(states);
    if (states.isEmpty()) {
      throw TareException.usage("Missing the states to merge");
    }
  }

  /**
   * Counts data twice that two of the states were made on; unless this is called, that is an error.
   */
  public Merge allowDuplicates() {
    duplicates = Duplicates.ALLOW;
    return this;
  }

  /**
   * The state of all.
   *
   * @throws TareException if they are of different models, or hold parts that do not merge
   */
  public CalibrationState run() {
    StateSum sum = new StateSum(duplicates);
    states.forEach(sum::add);
    return sum.state();
  }

  /**
   * Merges, and writes the state to a file.
   *
   * @param existing what happens to a file that is there
   */
  public CalibrationState write(String file, Existing existing) {
    CalibrationState merged = run();
    tare.files().write("calibration state", file, merged.encodeFile(), existing);
    return merged;
  }
}
