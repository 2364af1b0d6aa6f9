package org.tare.job;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.tare.correct.BiasSequence;
import org.tare.onnx.OnnxModel;
import org.tare.rewrite.Quantization;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.ObservedParts;
import org.tare.spark.tasks.ObservedParts.ChannelDetail;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelStats;

/**
 * Bias correction in sequence: one pass of the float model for the means of its layers' channels,
 * then one of the quantized model for each level of layers, with the biases of the levels before
 * corrected.
 */
final class SequentialCorrection {
  private final JobContext context;

  SequentialCorrection(JobContext context) {
    this.context = context;
  }

  /**
   * The model with corrected biases.
   *
   * @param quantizer makes the quantized model that shows the shifts
   */
  FloatModel correct(FloatModel model, DataSource rows, Corrections.Quantizer quantizer) {
    List<List<String>> levels = BiasSequence.levels(model.prepared(), model.mapping());
    List<String> all = levels.stream().flatMap(List::stream).toList();
    if (all.isEmpty()) {
      return model;
    }
    Map<String, Integer> axes = BiasSequence.axes(model.prepared(), model.mapping(), all);
    CalibrationState exact = observe(model, model.prepared(), rows, axes);
    Map<String, double[]> shifts = new LinkedHashMap<>();
    FloatModel corrected = model;
    for (int level = 0; level < levels.size(); level++) {
      context.progress().accept("Correcting biases: level " + (level + 1) + " of " + levels.size());
      // In this form every result has a tensor of floats.
      OnnxModel quantized = quantizer.quantize(corrected, Quantization.Form.QDQ);
      Map<String, String> names = new LinkedHashMap<>();
      Map<String, Integer> written = new LinkedHashMap<>();
      for (String output : levels.get(level)) {
        String name = BiasSequence.inQuantized(model.prepared(), quantized, output);
        names.put(output, name);
        written.put(name, axes.get(output));
      }
      CalibrationState found = observe(model, quantized, rows, written);
      names.forEach(
          (output, name) -> {
            ChannelStats before = exact.tensor(output).channels().orElse(null);
            ChannelStats after = found.tensor(name).channels().orElse(null);
            if (before != null && after != null) {
              shifts.put(output, shift(before, after));
            }
          });
      corrected =
          model.withPrepared(BiasSequence.correct(model.prepared(), model.mapping(), shifts));
    }
    return corrected;
  }

  /** Channels that have no finite value in one of the models are left as they are. */
  private static double[] shift(ChannelStats exact, ChannelStats found) {
    double[] shift = new double[exact.channels()];
    for (int c = 0; c < shift.length; c++) {
      boolean isKnown = exact.finiteCount(c) > 0 && found.finiteCount(c) > 0;
      shift[c] = isKnown ? found.mean(c) - exact.mean(c) : 0;
    }
    return shift;
  }

  private CalibrationState observe(
      FloatModel model, OnnxModel run, DataSource rows, Map<String, Integer> axes) {
    return CalibrationJob.run(
            context.spark().get(),
            new CalibrationJob.Request(
                model.name(),
                run,
                model.types(),
                new ArrayList<>(axes.keySet()),
                rows,
                context.rows().inputs(),
                context.rows().batch(),
                context.rows().badRows(),
                new ObservedParts(Map.of(), ChannelDetail.SUMMARY, axes),
                context.rows().mask(model.original().graph().inputNames()),
                List.of()),
            context.progress())
        .state();
  }
}
