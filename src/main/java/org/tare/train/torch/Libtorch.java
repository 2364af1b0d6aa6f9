package org.tare.train.torch;

import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;

/** The natives of libtorch, which are not in Tare's jar. */
public final class Libtorch {
  private static final String HOW =
      "deploy/tare finetune fetches it; elsewhere add the jars of org.bytedeco:pytorch, openblas and"
          + " javacpp, each with its natives too, by spark-submit --jars";

  private Libtorch() {}

  /**
   * Loads them, if they are there.
   *
   * @throws TareException of the kind {@code MISSING_INPUT} if they are not, or not for this
   *     platform
   */
  public static void load() {
    try {
      Natives.load();
    } catch (NoClassDefFoundError e) {
      throw TareException.missing("Cannot train: libtorch is not on the classpath; %s", HOW)
          .causedBy(e);
    } catch (UnsatisfiedLinkError e) {
      throw TareException.missing(
              "Cannot train: libtorch has no natives for this platform, %s %s, on the classpath (%s);"
                  + " %s",
              System.getProperty("os.name"), System.getProperty("os.arch"), e.getMessage(), HOW)
          .causedBy(e);
    }
  }

  /** Apart, so that its absence is found while it is loaded and not before. */
  private static final class Natives {
    private Natives() {}

    static void load() {
      Loader.load(torch.class);
      // A thread of libtorch's own beside those of Spark's tasks makes all of them wait.
      torch.set_num_threads(1);
    }
  }

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
