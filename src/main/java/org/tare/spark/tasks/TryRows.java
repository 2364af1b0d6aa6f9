package org.tare.spark.tasks;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.tare.spark.tasks.EvaluationJob.Comparison;
import org.tare.spark.tasks.EvaluationJob.Comparison.Values;

/**
 * Runs forms on rows and gives the rows on, with what the models gave for each: what a {@link
 * SqlMetric} is computed from. It reads a stretch of rows at a time, so that memory stays bounded.
 *
 * @param columns where the columns stand that go along
 * @param place where the column stands that says where a row stood
 */
record TryRows(TrialsJob.Try task, List<Integer> columns, int place)
    implements MapPartitionsFunction<Row, Row> {
  private static final long serialVersionUID = 1L;

  /** Batches of a stretch: enough that rows of several shapes fill theirs. */
  private static final int BATCHES = 16;

  static TryRows of(TrialsJob.Try task, SqlMetric metric, StructType table) {
    List<Integer> columns = new ArrayList<>();
    metric.columns().forEach(name -> columns.add(table.fieldIndex(name)));
    return new TryRows(task, columns, task.source().placeIndex());
  }

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    OutputAxes axes = new OutputAxes();
    Deque<Row> ready = new ArrayDeque<>();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        if (ready.isEmpty() && rows.hasNext()) {
          stretch(rows, axes, ready);
        }
        return !ready.isEmpty();
      }

      @Override
      public Row next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        return ready.removeFirst();
      }
    };
  }

  private void stretch(Iterator<Row> rows, OutputAxes axes, Deque<Row> ready) {
    Map<Long, Row> read = new HashMap<>();
    List<Row> stretch = new ArrayList<>();
    int most = BATCHES * task.source().batch().size();
    while (stretch.size() < most && rows.hasNext()) {
      Row row = rows.next();
      stretch.add(row);
      read.put(row.getLong(place), row);
    }
    TrialsJob.Sink sink =
        (batch, count, isBad, places, expected, found) -> {
          int given = Comparison.given(task.source(), batch, count);
          for (int i = 0; i < count; i++) {
            if (!isBad[i]) {
              Outputs outputs = new Outputs(i, given, places, task.outputs());
              ready.add(row(read.get(batch.tag(i).position()), outputs, expected, found));
            }
          }
        };
    TrialsJob.Part part = task.part(stretch.iterator(), axes, Optional.of(sink));
    Object[] last = new Object[columns.size() + 4];
    last[last.length - 1] = EvaluationJob.Partial.write(part);
    ready.add(RowFactory.create(last));
  }

  private Row row(
      Row read, Outputs outputs, Map<String, Values> expected, List<Map<String, Values>> found) {
    List<Object> values = new ArrayList<>();
    columns.forEach(column -> values.add(read.get(column)));
    values.add(outputs.of(expected));
    List<Row> forms = new ArrayList<>();
    found.forEach(form -> forms.add(outputs.of(form)));
    if (!task.chooses()) {
      // An evaluation: the float model's own figure is asked for too.
      forms.add(outputs.of(expected));
    }
    values.add(forms.toArray(Row[]::new));
    values.add(task.first());
    values.add(null);
    return RowFactory.create(values.toArray());
  }

  /**
   * What belongs to one row of a batch.
   *
   * @param given how many rows the models were given
   * @param axes of the rows in each output
   */
  private record Outputs(int row, int given, Map<String, Integer> axes, List<String> names) {
    Row of(Map<String, Values> outputs) {
      return RowFactory.create(names.stream().map(name -> values(name, outputs)).toArray());
    }

    /** Null for an output that is one for the whole batch. */
    private Object values(String name, Map<String, Values> outputs) {
      Values all = outputs.get(name);
      int axis = axes.get(name);
      if (axis == OutputAxes.NONE && given > 1) {
        return null;
      }
      OutputRows in = OutputRows.of(all.shape(), all.floats().length, axis, given);
      if (in.parts() == 1) {
        return SqlMetric.array(all.floats(), row * in.length(), (row + 1) * in.length());
      }
      float[] own = new float[in.parts() * in.length()];
      int[] at = {0};
      in.each(
          row,
          from -> {
            System.arraycopy(all.floats(), from, own, at[0], in.length());
            at[0] += in.length();
          });
      return SqlMetric.array(own, 0, own.length);
    }
  }
}
