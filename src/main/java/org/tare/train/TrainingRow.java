package org.tare.train;

import java.io.Serializable;
import org.tare.onnx.ElementType;

/**
 * A row as a model reads it.
 *
 * @param label its class, or -1 where there are no labels
 */
public record TrainingRow(Value[] inputs, long label) implements Serializable {
  /**
   * One input.
   *
   * @param shape without the axis of rows
   * @param bytes in native order
   */
  public record Value(String name, ElementType type, long[] shape, byte[] bytes)
      implements Serializable {}
}
