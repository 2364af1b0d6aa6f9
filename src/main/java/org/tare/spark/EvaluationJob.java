package org.tare.spark;

import java.io.Serializable;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.TaskCompletionListener;
import org.tare.TareException;
import org.tare.graph.ElementType;
import org.tare.graph.OnnxModel;
import org.tare.graph.TensorType;
import org.tare.infer.ModelSession;
import org.tare.infer.SessionPool;

/** Runs a float model and its quantized form over a table and compares what they give. */
public final class EvaluationJob {
  private EvaluationJob() {}

  /**
   * What the comparison gives.
   *
   * @param outputs of each float32 output that can be compared, by its name, in the model's order
   * @param unlike outputs of which the models gave different shapes, since these depend on values;
   *     they are not in the others
   */
  public record Result(
      long rows,
      long skipped,
      String reason,
      Map<String, OutputMetrics> outputs,
      List<String> unlike,
      double seconds) {}

  /**
   * What is to be done.
   *
   * @param labelColumn class numbers of the first ranked output
   * @param mask the input whose zeros say which places of a sequence are filling: of outputs that
   *     begin with its shape, what stands there is left out
   */
  public record Request(
      String label,
      OnnxModel floatModel,
      OnnxModel quantizedModel,
      Map<String, TensorType> types,
      DataSource data,
      Optional<String> labelColumn,
      Optional<String> mask,
      Map<String, InputSpec> inputs,
      int batch,
      BadRows badRows) {}

  /** Evaluates. */
  public static Result run(SparkSession spark, Request request, Consumer<String> progress) {
    long started = System.nanoTime();
    Map<String, TensorType> inputs = new LinkedHashMap<>();
    for (String input : request.floatModel().graph().inputNames()) {
      inputs.put(input, request.types().get(input));
    }
    BoundTable table =
        BoundTable.bind(
            spark,
            "evaluate",
            request.label(),
            request.data(),
            inputs,
            request.inputs(),
            request.labelColumn(),
            List.of(),
            request.batch(),
            request.badRows());
    ShippedModel floatModel = ShippedModel.ship(spark, request.floatModel(), request.label());
    ShippedModel quantized =
        ShippedModel.ship(spark, request.quantizedModel(), "quantized " + request.label());
    List<String> outputs = outputs(request.floatModel(), request.types());
    if (outputs.isEmpty()) {
      throw TareException.badInput(
          "Cannot evaluate %s: no output of it is float32, and only those are compared",
          request.label());
    }
    boolean isFixed = inputs.values().stream().anyMatch(type -> type.shape()[0] > 0);
    Compare compare =
        new Compare(
            table.source(), floatModel, quantized, outputs, request.mask().orElse(""), isFixed);
    List<Partial> partials = new ArrayList<>();
    try (Progress display = new Progress(spark, "Evaluating", table.source().seen(), progress)) {
      partials.addAll(table.rows().javaRDD().mapPartitions(compare).collect());
    } catch (Exception e) { // Scala throws checked exceptions unchecked
      throw SparkFailures.translate("Cannot evaluate " + request.label(), e);
    }
    partials.sort(Comparator.comparingInt(Partial::partition));
    return merge(request, table.source(), partials, outputs, started);
  }

  /** The outputs that are compared: float32 tensors. */
  public static List<String> outputs(OnnxModel model, Map<String, TensorType> types) {
    return model.graph().outputNames().stream()
        .filter(types::containsKey)
        .filter(name -> types.get(name).elementType() == ElementType.FLOAT)
        .toList();
  }

  private static Result merge(
      Request request,
      RowSource source,
      List<Partial> partials,
      List<String> outputs,
      long started) {
    Map<String, OutputMetrics> merged = new LinkedHashMap<>();
    outputs.forEach(name -> merged.put(name, new OutputMetrics()));
    long rows = 0;
    long skipped = 0;
    String reason = "";
    for (Partial partial : partials) {
      rows += partial.rows();
      skipped += partial.skipped();
      reason = reason.isEmpty() ? partial.reason() : reason;
      partial.metrics().forEach((name, metrics) -> merged.get(name).merge(metrics));
    }
    source.check(request.data().label(), rows, skipped, reason);
    List<String> unlike = outputs.stream().filter(name -> merged.get(name).isUnlike()).toList();
    merged.keySet().removeAll(unlike);
    return new Result(rows, skipped, reason, merged, unlike, (System.nanoTime() - started) / 1e9);
  }

  private record Partial(
      int partition, long rows, long skipped, String reason, HashMap<String, OutputMetrics> metrics)
      implements Serializable {}

  private record Compare(
      RowSource source,
      ShippedModel floatModel,
      ShippedModel quantizedModel,
      List<String> outputs,
      String mask,
      boolean isFixed)
      implements FlatMapFunction<Iterator<Row>, Partial> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<Partial> call(Iterator<Row> rows) {
      HashMap<String, OutputMetrics> metrics = new HashMap<>();
      outputs.forEach(name -> metrics.put(name, new OutputMetrics()));
      if (!rows.hasNext()) {
        return List.<Partial>of().iterator();
      }
      SessionPool.Lease first = floatModel.lease();
      SessionPool.Lease second = quantizedModel.lease();
      TaskCompletionListener release =
          context -> {
            first.close();
            second.close();
          };
      TaskContext.get().addTaskCompletionListener(release);
      RowSource.Tally bad = new RowSource.Tally();
      Comparison comparison =
          new Comparison(
              source,
              bad,
              first.session(),
              second.session(),
              new ArrayList<>(outputs),
              mask,
              isFixed,
              metrics);
      RowSource.Tally tally = source.run(rows, comparison::compare);
      tally.subtract(bad);
      return List.of(
              new Partial(
                  TaskContext.getPartitionId(), tally.rows, tally.skipped, tally.reason, metrics))
          .iterator();
    }
  }

  /**
   * Runs both models on a batch and compares row by row.
   *
   * @param bad counts rows whose labels are none of the classes: only the model tells these
   */
  private record Comparison(
      RowSource source,
      RowSource.Tally bad,
      ModelSession floatSession,
      ModelSession quantizedSession,
      List<String> outputs,
      String mask,
      boolean isFixed,
      Map<String, OutputMetrics> metrics) {

    private record Values(long[] shape, float[] floats) {}

    void compare(Batches.Batch batch, int rows) {
      int given = isFixed ? batch.size() : rows;
      Map<String, Values> expected = values(floatSession, batch, given);
      Map<String, Values> actual = values(quantizedSession, batch, given);
      Optional<SequenceMask> filling =
          Optional.ofNullable(batch.inputs(given).get(mask)).flatMap(SequenceMask::of);
      boolean ranked = false;
      boolean[] isBad = badLabels(batch, rows, given, expected, actual);
      for (String output : outputs) {
        Values x = expected.get(output);
        Values y = actual.get(output);
        if (!Arrays.equals(x.shape(), y.shape())) {
          metrics.get(output).setUnlike();
          continue;
        }
        boolean isBatchMajor = x.shape().length > 0 && x.shape()[0] == given;
        int perRow = isBatchMajor ? x.floats().length / given : x.floats().length;
        boolean hasClasses = hasClasses(x, given);
        for (int row = 0; row < (isBatchMajor ? rows : 1); row++) {
          if (isBatchMajor && isBad[row]) {
            continue;
          }
          OutputMetrics own = metrics.get(output);
          own.rows++;
          if (filling.isPresent() && filling.get().covers(x.shape())) {
            int perPlace = perRow / filling.get().length();
            filling
                .get()
                .each(
                    row,
                    (from, to) ->
                        own.add(x.floats(), y.floats(), from * perPlace, (to - from) * perPlace));
          } else {
            own.add(x.floats(), y.floats(), row * perRow, perRow);
          }
          if (hasClasses && !ranked) {
            long label = batch.tag(row).label();
            metrics.get(output).addRanking(x.floats(), y.floats(), row * perRow, perRow, label);
          }
        }
        ranked |= hasClasses;
      }
    }

    private static boolean hasClasses(Values values, int given) {
      long[] shape = values.shape();
      return shape.length == 2 && shape[0] == given && shape[1] > 1;
    }

    /** The rows whose labels are none of the classes of the output that is ranked. */
    private boolean[] badLabels(
        Batches.Batch batch,
        int rows,
        int given,
        Map<String, Values> expected,
        Map<String, Values> actual) {
      boolean[] isBad = new boolean[rows];
      Optional<String> ranked =
          outputs.stream()
              .filter(
                  output -> Arrays.equals(expected.get(output).shape(), actual.get(output).shape()))
              .filter(output -> hasClasses(expected.get(output), given))
              .findFirst();
      if (source.labelIndex() < 0 || ranked.isEmpty()) {
        return isBad;
      }
      long classes = expected.get(ranked.get()).shape()[1];
      for (int row = 0; row < rows; row++) {
        long label = batch.tag(row).label();
        isBad[row] = label < 0 || label >= classes;
        if (isBad[row]) {
          String reason =
              String.format(
                  "label %d is none of the classes 0 to %d of output \"%s\"",
                  label, classes - 1, ranked.get());
          source.skip(bad, reason, batch.tag(row));
        }
      }
      return isBad;
    }

    private Map<String, Values> values(ModelSession session, Batches.Batch batch, int rows) {
      Map<String, Values> values = new HashMap<>();
      session.run(
          batch.inputs(rows),
          new java.util.LinkedHashSet<>(outputs),
          (name, tensor) -> {
            FloatBuffer buffer = tensor.floats();
            float[] copy = new float[buffer.remaining()];
            buffer.get(copy);
            values.put(name, new Values(tensor.shape(), copy));
          });
      return values;
    }
  }
}
