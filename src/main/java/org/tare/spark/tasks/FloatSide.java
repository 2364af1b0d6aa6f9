package org.tare.spark.tasks;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.Row;
import org.tare.infer.ModelSession;
import org.tare.spark.rows.Batches;
import org.tare.spark.rows.RowSource;
import org.tare.spark.tasks.EvaluationJob.Compared;
import org.tare.spark.tasks.EvaluationJob.Comparison;
import org.tare.spark.tasks.EvaluationJob.Comparison.Integers;
import org.tare.spark.tasks.EvaluationJob.Comparison.Values;

/**
 * What the float model gives for the batches of a task: as it was recorded, or else computed. A
 * record is found by the place and number of its rows and a checksum of their values: if rows stand
 * elsewhere after a failure, they are computed again. Not thread-safe.
 */
final class FloatSide {
  private final RowSource source;
  private final ShippedModel model;
  private final Compared outputs;
  private final OutputAxes axes = new OutputAxes();
  private final Map<Key, byte[]> recorded = new HashMap<>();

  /** Opened when something has to be computed. */
  private ModelSession session;

  /**
   * What is given for a batch.
   *
   * @param places the axis of the rows in each output
   */
  record Given(
      HashMap<String, Values> floats,
      HashMap<String, Integers> integers,
      HashMap<String, Integer> places)
      implements Serializable {
    private static final long serialVersionUID = 1L;

    /** What the values take. */
    private long bytes() {
      long bytes = 0;
      for (Values one : floats.values()) {
        bytes += (long) Float.BYTES * one.floats().length;
      }
      for (Integers one : integers.values()) {
        bytes += (long) Long.BYTES * one.values().length;
      }
      return bytes;
    }

    private byte[] write(Key key) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      bytes.writeBytes(key.bytes());
      try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
        out.writeObject(this);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return bytes.toByteArray();
    }

    private static Given read(byte[] record) {
      try (ObjectInputStream in =
          new ObjectInputStream(
              new ByteArrayInputStream(record, Key.BYTES, record.length - Key.BYTES))) {
        return (Given) in.readObject();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (ClassNotFoundException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** Which batch something was given for. */
  private record Key(long first, int rows, long checksum) {
    static final int BYTES = 2 * Long.BYTES + Integer.BYTES;

    static Key of(Batches.Batch batch, int rows, int given) {
      CRC32C checksum = new CRC32C();
      batch.inputs(given).forEach((name, tensor) -> checksum.update(tensor.direct().duplicate()));
      return new Key(batch.tag(0).position(), rows, checksum.getValue());
    }

    /** The key that a record begins with. */
    static Key of(byte[] record) {
      ByteBuffer head = ByteBuffer.wrap(record);
      return new Key(head.getLong(), head.getInt(), head.getLong());
    }

    byte[] bytes() {
      return ByteBuffer.allocate(BYTES).putLong(first).putInt(rows).putLong(checksum).array();
    }
  }

  FloatSide(RowSource source, ShippedModel model, Compared outputs) {
    this.source = source;
    this.model = model;
    this.outputs = outputs;
  }

  /** Takes what {@link #record} gave for the rows of this task. */
  void take(Iterator<byte[]> records) {
    while (records.hasNext()) {
      byte[] one = records.next();
      recorded.put(Key.of(one), one);
    }
  }

  /** What the model gives for the first rows of a batch. */
  Given of(Batches.Batch batch, int rows) {
    int given = Comparison.given(source, batch, rows);
    byte[] found = recorded.isEmpty() ? null : recorded.get(Key.of(batch, rows, given));
    return found == null ? computed(batch, given) : Given.read(found);
  }

  private Given computed(Batches.Batch batch, int given) {
    HashMap<String, Integers> integers = new HashMap<>();
    HashMap<String, Values> floats =
        Comparison.values(
            session(),
            batch.inputs(given),
            outputs.floats(),
            new HashSet<>(outputs.integers()),
            integers);
    Map<String, Integer> places = Comparison.places(source, axes, session(), batch, given, floats);
    return new Given(floats, integers, new HashMap<>(places));
  }

  private ModelSession session() {
    if (session == null) {
      session = model.session(TaskContext.get());
    }
    return session;
  }

  /**
   * Computes what the model gives for batches, as bytes for {@link #take}, as long as values fit.
   *
   * @param most how many bytes of values at most; what would be more is left out
   */
  List<byte[]> record(Iterator<Row> rows, long most) {
    List<byte[]> records = new ArrayList<>();
    long[] left = {most};
    Iterator<Row> whileFits =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return left[0] > 0 && rows.hasNext();
          }

          @Override
          public Row next() {
            return rows.next();
          }
        };
    source.run(
        whileFits,
        (batch, count) -> {
          if (left[0] <= 0) {
            return;
          }
          int given = Comparison.given(source, batch, count);
          Given one = computed(batch, given);
          left[0] -= one.bytes();
          if (left[0] >= 0) {
            records.add(one.write(Key.of(batch, count, given)));
          }
        });
    return records;
  }
}
