package org.tare.job;

import java.util.List;
import org.tare.spark.tasks.ObservedParts.ChannelDetail;

/**
 * What a calibration gives besides the state of all rows.
 *
 * @param by columns: each combination of their values gets a state of its own
 * @param channels what is kept of each channel
 */
public record CalibrationOptions(List<String> by, ChannelDetail channels) {
  public CalibrationOptions {
    by = List.copyOf(by);
  }
}
