package org.tare.spark;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the jobs of this driver found, in numbers. Sums are over its life, the others of the last
 * job of their kind, NaN before it. Safe to use from several threads.
 */
public final class JobMetrics {
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

  /** A calibration ended. */
  public static void calibrated(long rows, long badRows, double seconds) {
    synchronized (ALL) {
      ALL.calibrations++;
      ALL.rows += rows;
      ALL.badRows += badRows;
      ALL.rowsPerSecond = rows / seconds;
    }
  }

  /**
   * An evaluation ended.
   *
   * @param sqnr in dB, of the worst output
   */
  public static void evaluated(double sqnr) {
    synchronized (ALL) {
      ALL.evaluations++;
      ALL.sqnr = sqnr;
    }
  }

  /**
   * Data were compared with those of before.
   *
   * @param effect of the tensor that moved most, in standard deviations
   * @param moved how many tensors moved
   */
  public static void compared(double effect, long moved) {
    synchronized (ALL) {
      ALL.driftChecks++;
      ALL.driftEffect = effect;
      ALL.driftedTensors = moved;
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
