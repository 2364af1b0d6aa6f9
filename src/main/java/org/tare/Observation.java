package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import org.tare.job.ColumnObservation;
import org.tare.job.ColumnQParams;
import org.tare.job.ObserveOptions;
import org.tare.report.ReportData.Fact;
import org.tare.results.ObservationJson;
import org.tare.results.Provenance;
import org.tare.results.ResultJson;
import org.tare.stats.CalibrationState;

/** The qparams of columns of a table. */
public final class Observation implements Result {
  private final Provenance provenance;
  private final ObserveOptions options;
  private final ColumnObservation.Result found;

  Observation(Provenance provenance, ObserveOptions options, ColumnObservation.Result found) {
    this.provenance = provenance;
    this.options = options;
    this.found = found;
  }

  /** Of each column, or of each slice or batch of it. */
  public List<ColumnQParams> qparams() {
    return found.qparams();
  }

  /** What was observed, by slice, the whole table's under an empty name. */
  public SortedMap<String, CalibrationState> states() {
    return found.states();
  }

  @Override
  public Provenance provenance() {
    return provenance;
  }

  @Override
  public List<String> warnings() {
    return List.of();
  }

  @Override
  public String toJson() {
    return json().toPrettyString();
  }

  @Override
  public List<Fact> summary() {
    return List.of();
  }

  void publish(Publication output) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    found
        .states()
        .forEach(
            (slice, state) ->
                files.put(
                    slice.isEmpty() ? CalibrationState.FILE_NAME : "slices/" + slice + ".tare",
                    state.encodeFile()));
    files.put("result.json", ResultJson.bytes(json()));
    output.write(files, List.of());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    ObservationJson.add(result, options, found.qparams());
    return ResultJson.end(result, provenance, warnings());
  }
}
