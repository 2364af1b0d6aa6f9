package org.tare.job;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.infer.TemporaryModel;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.train.TrainedModel;
import org.tare.train.Trainer;
import org.tare.train.TrainingBatch;
import org.tare.train.TrainingOptions;
import org.tare.train.TrainingRow;

/** Whether libtorch computes what ONNX Runtime does, before anything is trained. */
final class SameOutputs {
  /** Outputs of libtorch and of ONNX Runtime differ by so much of the greatest value at most. */
  private static final double TOLERANCE = 1e-4;

  private SameOutputs() {}

  /** Compares libtorch's outputs with those of ONNX Runtime on a row. */
  static void check(
      FloatModel model,
      TrainedModel trained,
      TrainingOptions options,
      Map<String, InputTensor> row) {
    TrainingBatch batch = batch(row);
    Map<String, float[]> expected = new HashMap<>();
    try (TemporaryModel temporary = TemporaryModel.of(trained.model());
        ModelSession session = ModelSession.open(temporary.file(), model.name(), 1)) {
      session.run(
          row,
          session.outputs().keySet(),
          (name, tensor) -> {
            if (EvaluationJob.outputs(trained.model(), model.types()).contains(name)) {
              FloatBuffer floats = tensor.floats();
              float[] values = new float[floats.remaining()];
              floats.get(values);
              expected.put(name, values);
            }
          });
    }
    try (Trainer trainer = Trainer.of(trained, options)) {
      Map<String, float[]> actual =
          trainer.outputs(batch, trained.initialState(), Optional.empty());
      expected.forEach((name, values) -> checkSame(model, name, values, actual.get(name)));
    }
  }

  private static void checkSame(FloatModel model, String output, float[] x, float[] y) {
    double greatest = 1;
    double error = x.length == y.length ? 0 : Double.POSITIVE_INFINITY;
    for (int i = 0; i < Math.min(x.length, y.length); i++) {
      greatest = Math.max(greatest, Math.abs(x[i]));
      error = Math.max(error, Math.abs(x[i] - y[i]));
    }
    if (!(error <= TOLERANCE * greatest)) {
      throw TareException.badInput(
          "Cannot train %s: libtorch computes its output \"%s\" otherwise than ONNX Runtime, by %s"
              + " where the greatest value is %s",
          model.name(), output, error, greatest);
    }
  }

  private static TrainingBatch batch(Map<String, InputTensor> row) {
    List<TrainingRow.Value> values = new ArrayList<>();
    row.forEach(
        (name, tensor) -> {
          long[] shape = tensor.shape();
          if (shape.length == 0 || shape[0] != 1) {
            throw TareException.badInput(
                "Cannot train: the input \"%s\" has no first axis that counts rows", name);
          }
          ByteBuffer bytes = tensor.direct().duplicate();
          byte[] copy = new byte[bytes.remaining()];
          bytes.get(copy);
          values.add(
              new TrainingRow.Value(
                  name,
                  tensor.elementType(),
                  java.util.Arrays.copyOfRange(shape, 1, shape.length),
                  copy));
        });
    return new TrainingBatch(
        List.of(new TrainingRow(values.toArray(TrainingRow.Value[]::new), -1)));
  }
}
