package org.tare;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.tare.job.FloatModel;
import org.tare.job.Preflight;
import org.tare.job.compare.ComparisonRun;
import org.tare.job.compare.ComparisonRun.ComparedTensor;
import org.tare.job.compare.WeightComparison;
import org.tare.onnx.OnnxModel;
import org.tare.settings.QuantizeSettings;
import org.tare.settings.RunSettings;
import org.tare.spark.rows.DataSource;
import org.tare.spark.tasks.CompareJob;

/**
 * A comparison to be: of the weights of a float and a quantized model, and with rows of the tensors
 * between their layers.
 */
public final class Compare extends Call<Compare> {
  Compare(Tare tare) {
    super(tare);
  }

  @Override
  Compare self() {
    return this;
  }

  /** The rows; without any, weights alone are compared. */
  public Compare data(Dataset<Row> rows) {
    return withData(rows);
  }

  /** Files with the rows. */
  public Compare data(String path) {
    return set("data.path", path);
  }

  /** Columns; each combination of their values gets figures of its own, in the same pass. */
  public Compare by(String... columns) {
    return set("calibrate.by", List.of(columns));
  }

  /**
   * Compares.
   *
   * @throws TareException if the models have no tensor in common, or the rows do not fit
   */
  @Override
  public LayerComparison run() {
    RunInfo info = RunInfo.begin("compare", tare(), settings());
    FloatModel model = readModel();
    ComparisonRun comparison = new ComparisonRun(model, readQuantized());
    Optional<Publication> output = Publication.check(this);
    List<WeightComparison.Weight> weights = comparison.weights();
    List<ComparedTensor> tensors = comparison.tensors();
    List<String> warnings = new ArrayList<>();
    Optional<CompareJob.Result> activations =
        table("data")
            .map(this::pinned)
            .map(rows -> activations(comparison, model, tensors, rows, warnings, info));
    LayerComparison result =
        new LayerComparison(info.end(Optional.of(model)), weights, tensors, activations, warnings);
    output.ifPresent(result::publish);
    return result;
  }

  private CompareJob.Result activations(
      ComparisonRun comparison,
      FloatModel model,
      List<ComparedTensor> tensors,
      DataSource rows,
      List<String> warnings,
      RunInfo info) {
    Preflight.Checked checked = Preflight.ofComparison(context(), model, rows, by());
    warnings.addAll(checked.notes());
    CompareJob.Result found = comparison.activations(checked.context(), tensors, rows, by());
    info.table("data", rows).seconds("compare", found.seconds());
    return found;
  }

  private List<String> by() {
    return RunSettings.calibration(settings()).by();
  }

  @Override
  public DryRun dryRun() {
    FloatModel model = readModel();
    new ComparisonRun(model, readQuantized()).tensors();
    Publication.check(this);
    return DryRun.ofSettings(settings());
  }

  private FloatModel readModel() {
    return tare()
        .models()
        .readFloat(
            settings().require("model"),
            RunSettings.prepare(settings()),
            QuantizeSettings.of(settings()).mapping());
  }

  private OnnxModel readQuantized() {
    return tare().models().read(settings().require("quantized"));
  }
}
