package org.tare.prepare;

import java.io.Serializable;

/**
 * Which output channel a value of a weight belongs to. The weight is a matrix of rows and columns
 * with a kernel in each cell; so many rows after each other, a block, have the same channels.
 */
public record WeightChannels(int block, int columns, int kernel) implements Serializable {
  private static final long serialVersionUID = 1L;

  /** The channel of the value at a place of the row-major weight. */
  public int of(int place) {
    int cell = place / kernel;
    return cell / columns / block * columns + cell % columns;
  }
}
