package org.tare;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.tare.job.FloatModel;
import org.tare.job.MemoryNeed;
import org.tare.onnx.TensorType;
import org.tare.plan.FloatNode;
import org.tare.plan.QuantizationPlan;
import org.tare.settings.Settings;

/**
 * What a run would do.
 *
 * @param settings every setting that has a value, with where it was said
 * @param observed the types of the tensors that would be observed, by name
 * @param quantizedNodes how many nodes would be quantized with ranges from data
 * @param floatNodes what would stay float32, and why
 * @param memory about what an executor needs; empty where executors observe nothing
 */
public record DryRun(
    List<Settings.Effective> settings,
    Map<String, TensorType> observed,
    int quantizedNodes,
    List<FloatNode> floatNodes,
    Optional<MemoryNeed> memory) {
  /**
   * About what a task needs for observed tensors and their counters, besides the model's own
   * memory; 0 where nothing is observed.
   */
  public long taskBytes() {
    return memory.map(MemoryNeed::taskBytes).orElse(0L);
  }

  /** Of a run of which the settings are all that is known before. */
  public static DryRun ofSettings(Settings settings) {
    return new DryRun(settings.effective(), new TreeMap<>(), 0, List.of(), Optional.empty());
  }

  static DryRun of(Settings settings, FloatModel model, Optional<MemoryNeed> memory) {
    Map<String, TensorType> observed = new LinkedHashMap<>();
    model.observed().forEach(tensor -> observed.put(tensor, model.types().get(tensor)));
    return new DryRun(
        settings.effective(),
        observed,
        model.plan().map(QuantizationPlan::quantizedNodeCount).orElse(0),
        new ArrayList<>(model.plan().map(QuantizationPlan::floatNodes).orElse(List.of())),
        memory);
  }
}
