package org.tare.quant;

/**
 * How kernels of integer products read a weight: in columns of {@link #depth} values, which are
 * multiplied with as many integers of the input and added up in that order. Values are row-major.
 *
 * @param batches matrices that lie one after another
 * @param columns columns of each matrix
 * @param channels values of a column at one position of the kernel
 * @param positions positions of the kernel; 1 for a matrix
 * @param columnsLast whether the values lie as [batches, channels, columns], else as [columns,
 *     channels, positions]
 */
public record WeightColumns(
    int batches, int columns, int channels, int positions, boolean columnsLast) {
  /** What takes two values of a column. */
  @FunctionalInterface
  interface Pairs {
    /**
     * @param column counted through all batches
     * @param first the index of a value
     * @param second the index of the next value of the column
     */
    void accept(int column, int first, int second);
  }

  /** The right side of products: [batches, depth, columns]. */
  public static WeightColumns ofMatrices(int batches, int depth, int columns) {
    return new WeightColumns(batches, columns, depth, 1, true);
  }

  /** A matrix that is transposed before it is multiplied: [columns, depth]. */
  public static WeightColumns ofTransposed(int columns, int depth) {
    return new WeightColumns(1, columns, depth, 1, false);
  }

  /**
   * A convolution: [output channels, input channels of a group, kernel]. Kernels add up all input
   * channels at one position before they go on to the next position.
   */
  public static WeightColumns ofConvolution(int outputs, int inputs, int positions) {
    return new WeightColumns(1, outputs, inputs, positions, false);
  }

  /** How many products are added up to one result. */
  public long depth() {
    return (long) channels * positions;
  }

  /** The columns of all batches. */
  int total() {
    return batches * columns;
  }

  /** The index of the value at a place of a column. */
  int index(int column, int place) {
    return columnsLast
        ? (column / columns * channels + place) * columns + column % columns
        : (column * channels + place % channels) * positions + place / channels;
  }

  /** The column of a value. */
  int column(int index) {
    return columnsLast
        ? index / (channels * columns) * columns + index % columns
        : index / (channels * positions);
  }

  /** The place of a value in its column. */
  int place(int index) {
    if (columnsLast) {
      return index / columns % channels;
    }
    int inColumn = index % (channels * positions);
    return inColumn % positions * channels + inColumn / positions;
  }

  /** The largest sum of two neighbours of one sign, in absolute value. */
  public int largestPair(byte[] integers) {
    int[] largest = new int[1];
    forEachPair(
        (column, i, j) -> {
          if ((integers[i] > 0) == (integers[j] > 0)) {
            largest[0] = Math.max(largest[0], Math.abs(integers[i] + integers[j]));
          }
        });
    return largest[0];
  }

  /**
   * Visits the values at the places 0 and 1, 2 and 3, and so on of every column; the last value of
   * an odd number has no other.
   */
  void forEachPair(Pairs visitor) {
    int even = (int) depth() / 2 * 2;
    if (columnsLast) {
      // In the order of memory: column by column is many times slower.
      for (int batch = 0; batch < batches; batch++) {
        for (int place = 0; place < even; place += 2) {
          int first = index(batch * columns, place);
          for (int n = 0; n < columns; n++) {
            visitor.accept(batch * columns + n, first + n, first + columns + n);
          }
        }
      }
      return;
    }
    for (int column = 0; column < columns; column++) {
      for (int place = 0; place < even; place += 2) {
        visitor.accept(column, index(column, place), index(column, place + 1));
      }
    }
  }
}
