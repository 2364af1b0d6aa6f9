package org.tare.quant;

/**
 * The qparams of a matrix of which each column is cut into blocks of rows.
 *
 * @param block rows in a block
 * @param blocks blocks in a column
 * @param scales of block {@code b} of column {@code n} at {@code n * blocks + b}
 * @param zeroPoints at the same places
 */
public record BlockQParams(DType dtype, int block, int blocks, float[] scales, int[] zeroPoints) {
  /** The integer of a value, with ties to even, saturated to the type. */
  public int quantize(float value, int row, int column) {
    int at = column * blocks + row / block;
    double rounded = Math.rint(value / scales[at]) + zeroPoints[at];
    return (int) Math.min(dtype.max(), Math.max(dtype.min(), rounded));
  }
}
