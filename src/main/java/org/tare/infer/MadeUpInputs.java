package org.tare.infer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.ElementType;
import org.tare.onnx.TensorType;

/**
 * Inputs made from their types, for a model to be run on when there is no data: one row, ones
 * everywhere or zeros everywhere. Ones come first: they are true in masks, divide nothing by zero
 * and mostly are numbers of rows that an embedding has.
 */
final class MadeUpInputs {
  /**
   * What free sizes but the first become, in turn: a window of a convolution may need more than 1.
   */
  private static final long[] SIZES = {1, 32, 224};

  /** Larger inputs are not made. */
  private static final long MOST_ELEMENTS = 1 << 20;

  private MadeUpInputs() {}

  /**
   * Attempts, the likeliest to be taken by a model first.
   *
   * @return empty if a value of some input cannot be made
   */
  static List<Map<String, InputTensor>> of(Map<String, TensorType> inputs) {
    boolean hasFree =
        inputs.values().stream()
            .anyMatch(type -> Arrays.stream(type.shape()).skip(1).anyMatch(size -> size < 0));
    List<Map<String, InputTensor>> attempts = new ArrayList<>();
    for (long size : hasFree ? SIZES : new long[] {1}) {
      for (int value : new int[] {1, 0}) {
        make(inputs, size, value).ifPresent(attempts::add);
      }
    }
    return attempts;
  }

  private static Optional<Map<String, InputTensor>> make(
      Map<String, TensorType> inputs, long size, int value) {
    Map<String, InputTensor> made = new LinkedHashMap<>();
    for (Map.Entry<String, TensorType> entry : inputs.entrySet()) {
      ElementType type = entry.getValue().elementType();
      long[] shape = entry.getValue().shape();
      long elements = 1;
      for (int axis = 0; axis < shape.length; axis++) {
        boolean isFree = shape[axis] < 0;
        shape[axis] = isFree ? (axis == 0 ? 1 : size) : shape[axis];
        elements *= shape[axis];
        if (elements > MOST_ELEMENTS) {
          return Optional.empty();
        }
      }
      Optional<ByteBuffer> values = fill(type, (int) elements, value);
      if (values.isEmpty()) {
        return Optional.empty();
      }
      made.put(entry.getKey(), new InputTensor(type, shape, values.get()));
    }
    return Optional.of(made);
  }

  private static Optional<ByteBuffer> fill(ElementType type, int elements, int value) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Math.max(1, type.sizeBytes()) * elements)
            .order(ByteOrder.nativeOrder());
    for (int i = 0; i < elements; i++) {
      switch (type) {
        case FLOAT32 -> bytes.putFloat(value);
        case FLOAT64 -> bytes.putDouble(value);
        case FLOAT16 -> bytes.putShort((short) (value == 0 ? 0 : 0x3c00));
        case BFLOAT16 -> bytes.putShort((short) (value == 0 ? 0 : 0x3f80));
        case INT64 -> bytes.putLong(value);
        case INT32 -> bytes.putInt(value);
        case INT16 -> bytes.putShort((short) value);
        case INT8, UINT8, BOOL -> bytes.put((byte) value);
        default -> {
          return Optional.empty();
        }
      }
    }
    return Optional.of(bytes.flip());
  }
}
