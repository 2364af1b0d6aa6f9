package org.tare;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import org.tare.history.StoreTarget;
import org.tare.report.ReportData.Fact;
import org.tare.results.Provenance;
import org.tare.results.ResultJson;
import org.tare.results.Summary;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.stats.CalibrationState;
import org.tare.store.states.StateStore;

/** What a calibration gave. */
public final class Calibration implements Result {
  private final Provenance provenance;
  private final CalibrationJob.Result observed;
  private final List<StateStore.Added> added;
  private final List<String> warnings;

  Calibration(
      Provenance provenance,
      CalibrationJob.Result observed,
      List<StateStore.Added> added,
      List<String> warnings) {
    this.provenance = provenance;
    this.observed = observed;
    this.added = List.copyOf(added);
    this.warnings = List.copyOf(warnings);
  }

  /** What was observed, of all rows. */
  public CalibrationState state() {
    return observed.state();
  }

  /** The state of each slice by its name, if slices were asked for. */
  public SortedMap<String, CalibrationState> slices() {
    return observed.slices();
  }

  /** Rows that could not be decoded and were skipped. */
  public long skippedRows() {
    return observed.skipped();
  }

  /** The slice of the state store that holds it, if there is a store; of several, the first. */
  public Optional<StateStore.Added> stored() {
    return added.stream().findFirst();
  }

  /** The slices of the state store that hold it; several if slices were asked for. */
  public List<StateStore.Added> storedSlices() {
    return added;
  }

  @Override
  public Provenance provenance() {
    return provenance;
  }

  @Override
  public List<String> warnings() {
    return warnings;
  }

  @Override
  public String toJson() {
    return json().toPrettyString();
  }

  @Override
  public List<Fact> summary() {
    return Summary.of(json());
  }

  private ObjectNode json() {
    ObjectNode result = ResultJson.begin(provenance);
    ResultJson.addCalibration(result, observed);
    if (observed.slices().isEmpty()) {
      stored().ifPresent(one -> StoreTarget.addTo(result, one));
    } else if (!added.isEmpty()) {
      StoreTarget.addTo(result, added);
    }
    return ResultJson.end(result, provenance, warnings);
  }

  void publish(Publication output) {
    Map<String, byte[]> files = new LinkedHashMap<>();
    addStates(files, observed);
    files.put("result.json", ResultJson.bytes(json()));
    output.write(files, List.of());
  }

  static void addStates(Map<String, byte[]> files, CalibrationJob.Result observed) {
    files.put(CalibrationState.FILE_NAME, observed.state().encodeFile());
    observed
        .slices()
        .forEach((slice, state) -> files.put("slices/" + slice + ".tare", state.encodeFile()));
  }
}
