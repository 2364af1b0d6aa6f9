package org.tare.spark;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the jobs of this driver found, in numbers. Sums are over its life, the others of the last
 * job of their kind, NaN before it. Safe to use from several threads.
 */
final class JobMetrics {
  private static final JobMetrics ALL = new JobMetrics();

  private long calibrations;
  private long rows;
  private long badRows;
  private double rowsPerSecond = Double.NaN;
  private long evaluations;
  private double sqnr = Double.NaN;
  private long driftChecks;
  private double driftEffect = Double.NaN;
  private long driftedTensors;

  private JobMetrics() {}

  static void count(JobEvent event) {
    synchronized (ALL) {
      ALL.add(event);
    }
  }

  private void add(JobEvent event) {
    if (event instanceof JobEvent.Calibrated calibrated) {
      calibrations++;
      rows += calibrated.rows();
      badRows += calibrated.badRows();
      rowsPerSecond = calibrated.rows() / calibrated.seconds();
    } else if (event instanceof JobEvent.Evaluated evaluated) {
      evaluations++;
      sqnr = evaluated.sqnrDb();
    } else if (event instanceof JobEvent.DriftChecked checked) {
      driftChecks++;
      driftEffect = checked.effect();
      driftedTensors = checked.movedTensors();
    }
  }

  /** All of them by name, as they are now. */
  static Map<String, Number> values() {
    synchronized (ALL) {
      Map<String, Number> values = new LinkedHashMap<>();
      values.put("calibrations", ALL.calibrations);
      values.put("rows", ALL.rows);
      values.put("bad_rows", ALL.badRows);
      values.put("rows_per_second", ALL.rowsPerSecond);
      values.put("evaluations", ALL.evaluations);
      values.put("sqnr_db", ALL.sqnr);
      values.put("drift_checks", ALL.driftChecks);
      values.put("drift_effect", ALL.driftEffect);
      values.put("drifted_tensors", ALL.driftedTensors);
      return values;
    }
  }
}
