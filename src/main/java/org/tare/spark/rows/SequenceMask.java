package org.tare.spark.rows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import org.tare.infer.ModelSession.InputTensor;

/**
 * Which places of the sequences of a batch hold something, and which are filling up to the longest.
 * What a model gives for filling nobody reads.
 *
 * @param holds row after row
 */
public record SequenceMask(int rows, int length, boolean[] holds) {
  /** A mask of shape [rows, length]; of other shapes, empty. */
  public static Optional<SequenceMask> of(InputTensor tensor) {
    if (tensor.shape().length != 2) {
      return Optional.empty();
    }
    ByteBuffer bytes = tensor.direct().duplicate().order(ByteOrder.nativeOrder());
    int rows = (int) tensor.shape()[0];
    int length = (int) tensor.shape()[1];
    int size = rows * length == 0 ? 0 : bytes.remaining() / (rows * length);
    boolean[] holds = new boolean[rows * length];
    for (int i = 0; i < holds.length; i++) {
      // Whatever the type, a zero is all zero bits; -0.0 does not occur in masks.
      for (int b = 0; b < size; b++) {
        holds[i] |= bytes.get(bytes.position() + i * size + b) != 0;
      }
    }
    return Optional.of(new SequenceMask(rows, length, holds));
  }

  /**
   * Whether a tensor of these rows, or of the first of them, has values for each place: [rows,
   * length, channels]. Of a higher rank, the second axis is most often one of heads.
   */
  public boolean covers(long[] shape) {
    return shape.length == 3 && shape[0] <= rows && shape[1] == length;
  }

  /** The same of values that stand for the places themselves: [rows, length] or more. */
  public boolean coversPlaces(long[] shape) {
    return shape.length >= 2 && shape[0] <= rows && shape[1] == length;
  }

  /** Takes places next to each other, counted through all rows. */
  public interface Run {
    void take(int from, int to);
  }

  /** Gives the runs of places of one row that hold something. */
  public void each(int row, Run run) {
    int end = (row + 1) * length;
    int from = row * length;
    while (from < end) {
      int to = from;
      while (to < end && holds[to]) {
        to++;
      }
      if (to > from) {
        run.take(from, to);
      }
      from = to + 1;
    }
  }
}
