package org.tare.spark.tasks;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.api.java.function.FlatMapFunction2;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.Pairs;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.Batches;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.InputSpec;
import org.tare.spark.rows.RowSource;
import org.tare.spark.rows.SequenceMask;
import org.tare.spark.rows.TableNeeds;

/** Runs a float model and its quantized form over a table and compares what they give. */
public final class EvaluationJob {
  private static final double SECONDS_PER_ROW = 2e-3;

  private static final List<String> NONE = List.of();

  /** Those that ONNX Runtime's Java library gives out. */
  private static final Set<ElementType> INTEGERS =
      Set.of(
          ElementType.BOOL,
          ElementType.UINT8,
          ElementType.INT8,
          ElementType.INT16,
          ElementType.INT32,
          ElementType.INT64);

  /** Read as float32. */
  private static final Set<ElementType> FLOATS =
      Set.of(ElementType.FLOAT32, ElementType.FLOAT16, ElementType.FLOAT64);

  private EvaluationJob() {}

  /**
   * What the comparison gives.
   *
   * @param outputs of each output of floats that can be compared, by its name, in the model's order
   * @param integers of each output of integers, the same
   * @param ofOtherShape outputs of which the models gave different shapes, since these depend on
   *     values; they are not in the others
   */
  public record Result(
      long rows,
      long skipped,
      String reason,
      Map<String, OutputMetrics> outputs,
      Map<String, IntegerMetrics> integers,
      List<String> ofOtherShape,
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
      BadRows badRows) {
    TableNeeds needs() {
      return TableNeeds.of("evaluate", label, floatModel.inputTypes(types), inputs, batch, badRows)
          .withLabel(labelColumn);
    }
  }

  /** Evaluates. */
  public static Result run(SparkSession spark, Request request, Consumer<String> progress) {
    return run(spark, request, Pairs.FUSED, progress);
  }

  /**
   * Evaluates with the figures of a CPU on which no sum of integer products saturates.
   *
   * @throws TareException also if ONNX Runtime can't run the quantized model so
   */
  public static Result runExactly(SparkSession spark, Request request, Consumer<String> progress) {
    return run(spark, request, Pairs.FUSED_EXACT, progress);
  }

  private static Result run(
      SparkSession spark, Request request, Pairs pairs, Consumer<String> progress) {
    try (Evaluations one = Evaluations.once(spark, request)) {
      return one.run(request.quantizedModel(), pairs, progress);
    }
  }

  /** The outputs that are compared: of floats, and of integers. */
  record Compared(List<String> floats, List<String> integers) implements Serializable {
    private static final long serialVersionUID = 1L;

    static Compared of(Request request) {
      checkComparable(request.label(), request.floatModel(), request.types());
      return new Compared(
          outputs(request.floatModel(), request.types()),
          EvaluationJob.integers(request.floatModel(), request.types()));
    }

    Compared {
      floats = new ArrayList<>(floats); // which can be serialized
      integers = new ArrayList<>(integers);
    }

    int size() {
      return floats.size() + integers.size();
    }
  }

  /**
   * What a row is taken to cost. It is not measured: in the dynamic mode a row's result depends on
   * which rows stand in its batch, and that must not depend on how fast the machine was.
   */
  static EvenTasks.Work work(BoundTable table) {
    return new EvenTasks.Work(SECONDS_PER_ROW, table.source().batch().size());
  }

  /**
   * Checks that there is something to compare.
   *
   * @throws TareException if no output is a tensor of floats or integers
   */
  public static void checkComparable(String label, OnnxModel model, Map<String, TensorType> types) {
    if (integers(model, types).isEmpty()) {
      check(label, model, types, "no output of it is of floats or of integers");
    }
  }

  /**
   * Checks that there is something whose error can be measured.
   *
   * @throws TareException if no output is a tensor of floats
   */
  public static void checkOutputs(String label, OnnxModel model, Map<String, TensorType> types) {
    check(label, model, types, "no output of it is of floats");
  }

  private static void check(
      String label, OnnxModel model, Map<String, TensorType> types, String problem) {
    if (!outputs(model, types).isEmpty()) {
      return;
    }
    String all =
        model.graph().outputNames().stream()
            .map(
                name ->
                    "\""
                        + name
                        + "\" is "
                        + (isTensor(types.get(name)) ? types.get(name) : "a sequence or a map"))
            .collect(Collectors.joining(", "));
    boolean hasZipMap =
        model.graph().nodes().stream().anyMatch(node -> node.opType().equals("ZipMap"));
    throw TareException.badInput(
        "Cannot evaluate %s: %s, and only those are compared: %s; %s",
        label,
        problem,
        all,
        hasZipMap
            ? "make the float32 tensor that ZipMap reads an output, or leave the validation out"
            : "leave the validation out");
  }

  private static boolean isTensor(TensorType type) {
    return type != null && type.elementType() != ElementType.OTHER;
  }

  /** The outputs whose values agree or do not: tensors of integers. */
  private static List<String> integers(OnnxModel model, Map<String, TensorType> types) {
    return model.graph().outputNames().stream()
        .filter(types::containsKey)
        .filter(name -> INTEGERS.contains(types.get(name).elementType()))
        .toList();
  }

  /** The outputs whose errors are measured: tensors of floats. */
  public static List<String> outputs(OnnxModel model, Map<String, TensorType> types) {
    return model.graph().outputNames().stream()
        .filter(types::containsKey)
        .filter(name -> FLOATS.contains(types.get(name).elementType()))
        .toList();
  }

  static Result merge(
      Request request, RowSource source, List<Partial> partials, Compared outputs, long started) {
    partials.sort(Comparator.comparingInt(Partial::partition));
    Map<String, OutputMetrics> merged = new LinkedHashMap<>();
    Map<String, IntegerMetrics> integers = new LinkedHashMap<>();
    outputs.floats().forEach(name -> merged.put(name, new OutputMetrics()));
    outputs.integers().forEach(name -> integers.put(name, new IntegerMetrics()));
    long rows = 0;
    long skipped = 0;
    String reason = "";
    for (Partial partial : partials) {
      rows += partial.rows();
      skipped += partial.skipped();
      reason = reason.isEmpty() ? partial.reason() : reason;
      partial.metrics().forEach((name, metrics) -> merged.get(name).merge(metrics));
      partial.integers().forEach((name, metrics) -> integers.get(name).merge(metrics));
    }
    source.check(request.data().label(), rows, skipped, reason);
    List<String> ofOtherShape = new ArrayList<>();
    merged.forEach(
        (name, metrics) -> ofOtherShape.addAll(metrics.hasOtherShape() ? List.of(name) : NONE));
    integers.forEach(
        (name, metrics) -> ofOtherShape.addAll(metrics.hasOtherShape() ? List.of(name) : NONE));
    merged.keySet().removeAll(ofOtherShape);
    integers.keySet().removeAll(ofOtherShape);
    return new Result(
        rows, skipped, reason, merged, integers, ofOtherShape, (System.nanoTime() - started) / 1e9);
  }

  /**
   * What a task found; as bytes on its way, so that no serializer of the session has to know it.
   */
  record Partial(
      int partition,
      long rows,
      long skipped,
      String reason,
      HashMap<String, OutputMetrics> metrics,
      HashMap<String, IntegerMetrics> integers)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    byte[] encode() {
      return write(this);
    }

    static Partial decode(byte[] bytes) {
      return (Partial) read(bytes);
    }

    static byte[] write(Serializable found) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
        out.writeObject(found);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return bytes.toByteArray();
    }

    static Object read(byte[] bytes) {
      try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes))) {
        return in.readObject();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (ClassNotFoundException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** Compares on the rows of a task. */
  record Compare(
      RowSource source,
      ShippedModel floatModel,
      ShippedModel quantizedModel,
      Compared outputs,
      String mask)
      implements FlatMapFunction<Iterator<Row>, byte[]>,
          FlatMapFunction2<Iterator<Row>, Iterator<byte[]>, byte[]> {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<byte[]> call(Iterator<Row> rows) {
      return call(rows, Collections.emptyIterator());
    }

    /**
     * @param recorded what the float model gives for these rows, as far as it is known
     */
    @Override
    public Iterator<byte[]> call(Iterator<Row> rows, Iterator<byte[]> recorded) {
      HashMap<String, OutputMetrics> metrics = new HashMap<>();
      HashMap<String, IntegerMetrics> integers = new HashMap<>();
      outputs.floats().forEach(name -> metrics.put(name, new OutputMetrics()));
      outputs.integers().forEach(name -> integers.put(name, new IntegerMetrics()));
      if (!rows.hasNext()) {
        return Collections.emptyIterator();
      }
      TaskContext task = TaskContext.get();
      FloatSide floats = new FloatSide(source, floatModel, outputs);
      floats.take(recorded);
      ModelSession quantized = quantizedModel.session(task);
      RowSource.Tally bad = new RowSource.Tally();
      Comparison comparison = new Comparison(source, bad, outputs.floats(), mask, metrics);
      RowSource.Tally tally =
          source.run(
              rows,
              (batch, count) ->
                  comparison.compare(batch, count, floats.of(batch, count), quantized, integers));
      tally.subtract(bad);
      Partial partial =
          new Partial(
              task.partitionId(), tally.rows(), tally.skipped(), tally.reason(), metrics, integers);
      return List.of(partial.encode()).iterator();
    }
  }

  /**
   * Compares what both models give for a batch, row by row.
   *
   * @param bad counts rows whose labels are none of the classes: only the model tells these
   */
  record Comparison(
      RowSource source,
      RowSource.Tally bad,
      List<String> outputs,
      String mask,
      Map<String, OutputMetrics> metrics) {

    record Values(long[] shape, float[] floats) implements Serializable {
      private static final long serialVersionUID = 1L;
    }

    record Integers(long[] shape, long[] values) implements Serializable {
      private static final long serialVersionUID = 1L;
    }

    void compare(
        Batches.Batch batch,
        int rows,
        FloatSide.Given x,
        ModelSession quantized,
        Map<String, IntegerMetrics> integers) {
      Map<String, Integers> y = new HashMap<>();
      Map<String, Values> actual =
          values(
              quantized, batch.inputs(given(source, batch, rows)), outputs, integers.keySet(), y);
      boolean[] isBad = compare(batch, rows, x.places(), x.floats(), actual);
      integers.forEach(
          (name, own) -> compare(batch, rows, isBad, x.integers().get(name), y.get(name), own));
    }

    /** Integers of an output; its rows are the first axis, if that has as many places. */
    private void compare(
        Batches.Batch batch,
        int rows,
        boolean[] isBad,
        Integers x,
        Integers y,
        IntegerMetrics own) {
      if (!Arrays.equals(x.shape(), y.shape())) {
        own.markOtherShape();
        return;
      }
      int given = given(source, batch, rows);
      boolean isPerRow = given == 1 || (x.shape().length > 0 && x.shape()[0] == given);
      int length = isPerRow ? x.values().length / given : x.values().length;
      Optional<SequenceMask> filling =
          batch.mask(mask, given).filter(one -> isPerRow && one.coversPlaces(x.shape()));
      for (int row = 0; row < (isPerRow ? rows : 1); row++) {
        if (isPerRow && isBad[row]) {
          continue;
        }
        own.add(x.values(), y.values(), row, length, filling);
        long label = batch.tag(row).label();
        if (isPerRow && length == 1 && source.labelIndex() >= 0 && label >= 0) {
          own.addClass(x.values()[row], y.values()[row], label);
        }
      }
    }

    /** How many rows the models are given, filling included. */
    static int given(RowSource source, Batches.Batch batch, int rows) {
      return source.batch().isFixed() ? batch.size() : rows;
    }

    /**
     * Compares floats; gives the rows that were left out.
     *
     * @param places the axis of the rows in each output
     */
    boolean[] compare(
        Batches.Batch batch,
        int rows,
        Map<String, Integer> places,
        Map<String, Values> expected,
        Map<String, Values> actual) {
      int given = given(source, batch, rows);
      Optional<SequenceMask> filling = batch.mask(mask, given);
      boolean ranked = false;
      boolean[] isBad = badLabels(batch, rows, places, expected, actual);
      for (String output : outputs) {
        Values x = expected.get(output);
        Values y = actual.get(output);
        OutputMetrics own = metrics.get(output);
        if (!Arrays.equals(x.shape(), y.shape())) {
          own.markOtherShape();
          continue;
        }
        int axis = places.get(output);
        OutputRows in = OutputRows.of(x.shape(), x.floats().length, axis, given);
        boolean isPerRow = axis != OutputAxes.NONE || given == 1;
        boolean hasClasses = hasClasses(x, axis);
        boolean isMasked = filling.isPresent() && axis == 0 && filling.get().covers(x.shape());
        for (int row = 0; row < (isPerRow ? rows : 1); row++) {
          if (isPerRow && isBad[row]) {
            continue;
          }
          own.rows++;
          if (isMasked) {
            int perPlace = in.length() / filling.get().length();
            filling
                .get()
                .each(
                    row,
                    (from, to) ->
                        own.add(x.floats(), y.floats(), from * perPlace, (to - from) * perPlace));
          } else {
            in.each(row, from -> own.add(x.floats(), y.floats(), from, in.length()));
          }
          if (hasClasses && !ranked) {
            long label = batch.tag(row).label();
            own.addRanking(x.floats(), y.floats(), row * in.length(), in.length(), label);
          }
        }
        ranked |= hasClasses;
      }
      return isBad;
    }

    /**
     * The axis of the rows in each output.
     *
     * @param model that gave them; it is asked again where a shape does not tell the axis
     */
    static Map<String, Integer> places(
        RowSource source,
        OutputAxes axes,
        ModelSession model,
        Batches.Batch batch,
        int given,
        Map<String, Values> outputs) {
      Map<String, Integer> places = new LinkedHashMap<>();
      if (given == 1) {
        outputs.forEach((name, x) -> places.put(name, OutputAxes.axis(x.shape(), 1)));
        return places;
      }
      Map<String, long[]> shapes = new TreeMap<>();
      outputs.forEach((name, x) -> shapes.put(name, x.shape()));
      if (source.batch().isFixed()) {
        shapes.forEach((output, shape) -> places.put(output, OutputAxes.axis(shape, given)));
        return places;
      }
      return axes.of(
          given,
          shapes,
          () -> {
            Map<String, long[]> one = new LinkedHashMap<>();
            values(model, batch.inputs(1), List.copyOf(outputs.keySet()))
                .forEach((name, x) -> one.put(name, x.shape()));
            return one;
          });
    }

    /** A row of class scores: [classes] of each row, or of the only one. */
    private boolean hasClasses(Values values, int axis) {
      long[] shape = values.shape();
      boolean isVector = source.isRowByRow() && shape.length == 1 && shape[0] > 1;
      return isVector || (shape.length == 2 && axis == 0 && shape[1] > 1);
    }

    /** The rows whose labels are none of the classes of the output that is ranked. */
    private boolean[] badLabels(
        Batches.Batch batch,
        int rows,
        Map<String, Integer> places,
        Map<String, Values> expected,
        Map<String, Values> actual) {
      boolean[] isBad = new boolean[rows];
      Optional<String> ranked =
          outputs.stream()
              .filter(
                  output -> Arrays.equals(expected.get(output).shape(), actual.get(output).shape()))
              .filter(output -> hasClasses(expected.get(output), places.get(output)))
              .findFirst();
      if (source.labelIndex() < 0 || ranked.isEmpty()) {
        return isBad;
      }
      long[] shape = expected.get(ranked.get()).shape();
      long classes = shape[shape.length - 1];
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

    static HashMap<String, Values> values(
        ModelSession session, Map<String, ModelSession.InputTensor> inputs, List<String> outputs) {
      return values(session, inputs, outputs, Set.of(), new HashMap<>());
    }

    /**
     * @param found takes the values of the outputs of integers
     */
    static HashMap<String, Values> values(
        ModelSession session,
        Map<String, ModelSession.InputTensor> inputs,
        List<String> outputs,
        Set<String> integers,
        Map<String, Integers> found) {
      HashMap<String, Values> values = new HashMap<>();
      Set<String> all = new LinkedHashSet<>(outputs);
      all.addAll(integers);
      session.run(
          inputs,
          all,
          (name, tensor) -> {
            if (integers.contains(name)) {
              found.put(name, new Integers(tensor.shape(), tensor.integers()));
              return;
            }
            FloatBuffer buffer = tensor.floats();
            float[] copy = new float[buffer.remaining()];
            buffer.get(copy);
            values.put(name, new Values(tensor.shape(), copy));
          });
      return values;
    }
  }
}
