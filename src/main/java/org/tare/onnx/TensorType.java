package org.tare.onnx;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Element type and shape of a tensor.
 *
 * @param shape sizes, -1 where one is not known before the model runs
 * @param names of the sizes, empty where a size is known or has no name. They take no part in
 *     comparisons
 */
public record TensorType(ElementType elementType, long[] shape, List<String> names) {
  public TensorType {
    shape = shape.clone();
    names = List.copyOf(names);
  }

  /** A type whose sizes have no names. */
  public TensorType(ElementType elementType, long[] shape) {
    this(elementType, shape, Collections.nCopies(shape.length, ""));
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  public int rank() {
    return shape.length;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TensorType that
        && elementType == that.elementType
        && Arrays.equals(shape, that.shape);
  }

  @Override
  public int hashCode() {
    return 31 * elementType.hashCode() + Arrays.hashCode(shape);
  }

  /** As in {@code float32 [N,1,28,28]}. */
  @Override
  public String toString() {
    String sizes =
        Arrays.stream(shape)
            .mapToObj(size -> size < 0 ? "N" : Long.toString(size))
            .collect(Collectors.joining(",", "[", "]"));
    return elementType.id() + " " + sizes;
  }
}
