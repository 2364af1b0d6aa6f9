package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.tare.job.FloatModel;
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
 * @param taskBytes about what a task needs for observed tensors and their stats, besides the
 *     model's own memory
 */
public record DryRun(
    List<Settings.Effective> settings,
    Map<String, TensorType> observed,
    int quantizedNodes,
    List<FloatNode> floatNodes,
    long taskBytes) {
  /** Pages of a tensor's histogram: one for each power of two that occurs, about 40 of 1 kB. */
  private static final long STATS_BYTES = 40 * 1024;

  static DryRun ofSettings(Settings settings) {
    return new DryRun(settings.effective(), new TreeMap<>(), 0, List.of(), 0);
  }

  static DryRun of(Settings settings, FloatModel model, int batch) {
    Map<String, TensorType> observed = new java.util.LinkedHashMap<>();
    long bytes = 1 << 20;
    for (String tensor : model.observed()) {
      TensorType type = model.types().get(tensor);
      observed.put(tensor, type);
      long values = batch;
      for (int i = 1; i < type.rank(); i++) {
        values *= Math.max(1, type.shape()[i]);
      }
      bytes += 4 * values + STATS_BYTES;
    }
    return new DryRun(
        settings.effective(),
        observed,
        model.plan().map(QuantizationPlan::quantizedNodeCount).orElse(0),
        new ArrayList<>(model.plan().map(QuantizationPlan::floatNodes).orElse(List.of())),
        bytes);
  }
}
