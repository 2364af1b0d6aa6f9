package org.tare.spark.rows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;
import org.tare.infer.ModelSession.InputTensor;

/**
 * Gathers rows of equal shapes into batches, in the order they come. What all rows of a batch share
 * is equal in them too. A batch that is not full at the end is filled up with its first row:
 * kernels may round a short one differently.
 */
public final class Batches {
  /** More shapes than this at once: the fullest goes early. */
  private static final int MAX_OPEN = 16;

  /** Takes the batches. */
  public interface Sink {
    /**
     * @param rows how many rows of the batch are real; the others repeat the first
     */
    void run(Batch batch, int rows);
  }

  /** Rows of one shape, side by side in direct memory. */
  public final class Batch {
    private final long[][] shapes;
    private final ByteBuffer[] buffers;

    /** Rows side by side for inputs whose axis of rows is not the first. */
    private final ByteBuffer[] interleaved;

    private final RowTag[] tags;

    /** How many rows there is room for. */
    private final int places;

    private int rows;

    Batch(RowDecoder.RowTensor[] row) {
      places = size;
      shapes = new long[row.length][];
      buffers = new ByteBuffer[row.length];
      interleaved = new ByteBuffer[row.length];
      tags = new RowTag[size];
      for (int i = 0; i < row.length; i++) {
        shapes[i] = row[i].shape();
        buffers[i] = ByteBuffer.allocateDirect(bytes(row[i])).order(ByteOrder.nativeOrder());
      }
    }

    private int bytes(RowDecoder.RowTensor row) {
      long bytes = (long) size * row.bytes().limit();
      if (bytes > Integer.MAX_VALUE) {
        throw TareException.usage(
            "Cannot make batches of %d rows of %d bytes: a batch takes 2 GB at most; set batch to at"
                + " most %d",
            size, row.bytes().limit(), Integer.MAX_VALUE / row.bytes().limit());
      }
      return (int) bytes;
    }

    private void add(RowDecoder.RowTensor[] row, RowTag tag) {
      for (int i = 0; i < row.length; i++) {
        buffers[i].put(row[i].bytes());
      }
      tags[rows++] = tag;
    }

    private void fill() {
      for (int i = 0; i < buffers.length; i++) {
        int rowBytes = rowBytes(i);
        for (int row = rows; row < places; row++) {
          buffers[i].put(row * rowBytes, buffers[i], 0, rowBytes);
        }
      }
    }

    /** A batch of one of the rows, as long as this one. */
    Batch alone(int row) {
      return new Batch(this, row);
    }

    /** A shorter batch of some of the rows, which are not copied: valid as long as this one. */
    public Batch part(int from, int to) {
      return new Batch(this, from, to);
    }

    private Batch(Batch of, int from, int to) {
      places = to - from;
      rows = places;
      shapes = of.shapes;
      tags = Arrays.copyOfRange(of.tags, from, to);
      buffers = new ByteBuffer[of.buffers.length];
      interleaved = new ByteBuffer[of.buffers.length];
      for (int i = 0; i < buffers.length; i++) {
        int rowBytes = of.rowBytes(i);
        buffers[i] = of.buffers[i].duplicate().clear().slice(from * rowBytes, places * rowBytes);
      }
    }

    private int rowBytes(int input) {
      return buffers[input].capacity() / places;
    }

    private Batch(Batch of, int row) {
      places = of.places;
      shapes = of.shapes;
      buffers = new ByteBuffer[of.buffers.length];
      interleaved = new ByteBuffer[of.buffers.length];
      tags = new RowTag[] {of.tags[row]};
      rows = 1;
      for (int i = 0; i < buffers.length; i++) {
        ByteBuffer from = of.buffers[i];
        int rowBytes = of.rowBytes(i);
        buffers[i] = ByteBuffer.allocateDirect(from.capacity()).order(ByteOrder.nativeOrder());
        buffers[i].put(0, from, row * rowBytes, rowBytes).position(rowBytes);
      }
      fill();
    }

    /** The inputs of the model, cut to the first rows; valid until the next call. */
    public Map<String, InputTensor> inputs(int firstRows) {
      Map<String, InputTensor> inputs = new LinkedHashMap<>();
      for (int i = 0; i < buffers.length; i++) {
        inputs.put(bindings.get(i).input(), input(i, firstRows));
      }
      return inputs;
    }

    private InputTensor input(int i, int firstRows) {
      InputBinding binding = bindings.get(i);
      int rowBytes = rowBytes(i);
      ByteBuffer view = buffers[i].duplicate().order(ByteOrder.nativeOrder());
      if (binding.isShared()) {
        view.position(0).limit(rowBytes);
        return new InputTensor(binding.elementType(), shapes[i].clone(), view);
      }
      int axis = binding.batchAxis();
      long[] shape = new long[shapes[i].length + 1];
      System.arraycopy(shapes[i], 0, shape, 0, axis);
      shape[axis] = firstRows;
      System.arraycopy(shapes[i], axis, shape, axis + 1, shapes[i].length - axis);
      view.position(0).limit(rowBytes * firstRows);
      if (axis > 0 && firstRows > 1 && rowBytes > 0) {
        view = interleaved(i, axis, firstRows);
      }
      return new InputTensor(binding.elementType(), shape, view);
    }

    /** What stands before the axis of the rows goes around it: each part of all rows in turn. */
    private ByteBuffer interleaved(int i, int axis, int firstRows) {
      if (interleaved[i] == null) {
        interleaved[i] =
            ByteBuffer.allocateDirect(buffers[i].capacity()).order(ByteOrder.nativeOrder());
      }
      int rowBytes = rowBytes(i);
      int parts = 1;
      for (int before = 0; before < axis; before++) {
        parts *= (int) shapes[i][before];
      }
      int partBytes = rowBytes / parts;
      ByteBuffer into = interleaved[i].clear();
      for (int part = 0; part < parts; part++) {
        for (int row = 0; row < firstRows; row++) {
          into.put(into.position(), buffers[i], row * rowBytes + part * partBytes, partBytes);
          into.position(into.position() + partBytes);
        }
      }
      return into.flip();
    }

    /** The mask that an input is, if there is such an input and its rows come first. */
    public Optional<SequenceMask> mask(String input, int firstRows) {
      for (int i = 0; i < buffers.length; i++) {
        if (bindings.get(i).input().equals(input) && bindings.get(i).batchAxis() == 0) {
          return SequenceMask.of(input(i, firstRows));
        }
      }
      return Optional.empty();
    }

    /** How many rows it has when it is full. */
    public int size() {
      return places;
    }

    /** What was given with a row. */
    public RowTag tag(int row) {
      return tags[row];
    }
  }

  private final List<InputBinding> bindings;
  private final int size;
  private final Sink sink;
  private final Map<String, Batch> open = new LinkedHashMap<>();

  Batches(List<InputBinding> bindings, int size, Sink sink) {
    this.bindings = bindings;
    this.size = size;
    this.sink = sink;
  }

  /** Adds a row; runs its batch when it is full. */
  void add(RowDecoder.RowTensor[] row, RowTag tag) {
    String key = key(row);
    Batch batch = open.get(key);
    if (batch == null) {
      if (open.size() == MAX_OPEN) {
        String fullest = null;
        for (Map.Entry<String, Batch> entry : open.entrySet()) {
          if (fullest == null || entry.getValue().rows > open.get(fullest).rows) {
            fullest = entry.getKey();
          }
        }
        run(open.remove(fullest));
      }
      batch = new Batch(row);
      open.put(key, batch);
    }
    batch.add(row, tag);
    if (batch.rows == size) {
      run(batch);
      for (ByteBuffer buffer : batch.buffers) {
        buffer.clear();
      }
      batch.rows = 0;
    }
  }

  /** Runs what is left. */
  void finish() {
    open.values().forEach(this::run);
    open.clear();
  }

  private void run(Batch batch) {
    if (batch.rows > 0) {
      batch.fill();
      sink.run(batch, batch.rows);
    }
  }

  /** Rows of one batch have equal shapes, and equal values of what they share. */
  private String key(RowDecoder.RowTensor[] row) {
    if (row.length == 1) {
      return Arrays.toString(row[0].shape());
    }
    StringBuilder key = new StringBuilder();
    for (int i = 0; i < row.length; i++) {
      key.append(Arrays.toString(row[i].shape()));
      if (size > 1 && bindings.get(i).isShared()) {
        ByteBuffer bytes = row[i].bytes();
        key.append(new String(bytes.array(), 0, bytes.limit(), StandardCharsets.ISO_8859_1));
      }
    }
    return key.toString();
  }
}
