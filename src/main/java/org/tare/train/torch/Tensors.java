package org.tare.train.torch;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Arrays as tensors of libtorch, and back. */
public final class Tensors {
  private Tensors() {}

  /**
   * A tensor of floats.
   *
   * @throws IllegalArgumentException if the shape has another number of values: libtorch reads past
   *     the end
   */
  public static Tensor tensor(float[] values, long... shape) {
    check(values.length, shape);
    return Tensor.create(values, shape);
  }

  public static Tensor tensor(long[] values, long... shape) {
    check(values.length, shape);
    return Tensor.create(values, shape);
  }

  public static Tensor tensor(int[] values, long... shape) {
    check(values.length, shape);
    return Tensor.create(values, shape);
  }

  private static void check(int length, long[] shape) {
    long size = 1;
    for (long side : shape) {
      size *= side;
    }
    if (size != length) {
      throw new IllegalArgumentException(length + " values for a tensor of " + size);
    }
  }

  /** Whether it is float32. */
  public static boolean isFloat(Tensor tensor) {
    // What comes out of the natives is another instance of the enum.
    return tensor.scalar_type().intern() == torch.ScalarType.Float;
  }

  /** Whether it is of whole numbers. */
  public static boolean isWhole(Tensor tensor) {
    torch.ScalarType type = tensor.scalar_type().intern();
    return type == torch.ScalarType.Long || type == torch.ScalarType.Int;
  }

  /** The values of a tensor of floats. */
  public static float[] floats(Tensor tensor) {
    float[] values = new float[Math.toIntExact(tensor.numel())];
    if (values.length > 0) {
      tensor.contiguous().data_ptr_float().get(values);
    }
    return values;
  }

  /** The values of a tensor of whole numbers. */
  public static long[] longs(Tensor tensor) {
    long[] values = new long[Math.toIntExact(tensor.numel())];
    if (values.length > 0) {
      tensor.to(torch.ScalarType.Long).contiguous().data_ptr_long().get(values);
    }
    return values;
  }
}
