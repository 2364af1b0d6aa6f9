package org.tare.infer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxTensorLike;
import java.lang.reflect.Field;
import java.lang.reflect.InaccessibleObjectException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;

/** One result of a run. Valid only inside of {@link ModelSession.OutputReader#read}. */
public final class OutputTensor {
  private static final NativeMemory NATIVE = NativeMemory.find();

  private final OnnxTensor tensor;

  OutputTensor(OnnxTensor tensor) {
    this.tensor = tensor;
  }

  public long[] shape() {
    return tensor.getInfo().getShape();
  }

  public long size() {
    return tensor.getInfo().getNumElements();
  }

  /**
   * The bytes of float32 values, in native order, and in native memory without a copy where that is
   * possible; ONNX Runtime's public way copies them to the heap.
   */
  public ByteBuffer floatBytes() {
    ByteBuffer direct = NATIVE == null ? null : NATIVE.of(tensor);
    ByteBuffer bytes = direct != null ? direct : tensor.getByteBuffer();
    return bytes.order(ByteOrder.nativeOrder());
  }

  /** The values of a tensor of floats; those of float64 are rounded to float32. */
  public FloatBuffer floats() {
    return switch (tensor.getInfo().type) {
      case FLOAT16, BFLOAT16 -> tensor.getFloatBuffer();
      case DOUBLE -> narrowed(tensor.getDoubleBuffer());
      default -> ofFloat32();
    };
  }

  private static FloatBuffer narrowed(DoubleBuffer wide) {
    float[] values = new float[wide.remaining()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) wide.get();
    }
    return FloatBuffer.wrap(values);
  }

  private FloatBuffer ofFloat32() {
    ByteBuffer direct = NATIVE == null ? null : NATIVE.of(tensor);
    return direct != null
        ? direct.order(ByteOrder.nativeOrder()).asFloatBuffer()
        : tensor.getFloatBuffer();
  }

  /** The values of a tensor of booleans, or of integers of at most 64 bits with a sign. */
  public long[] integers() {
    ByteBuffer bytes = tensor.getByteBuffer().order(ByteOrder.nativeOrder());
    long[] values = new long[Math.toIntExact(size())];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (tensor.getInfo().type) {
            case UINT8, BOOL -> bytes.get(i) & 255;
            case INT8 -> bytes.get(i);
            case INT16 -> bytes.getShort(2 * i);
            case INT32 -> bytes.getInt(4 * i);
            case INT64 -> bytes.getLong(8 * i);
            default -> throw new IllegalStateException("no integers: " + tensor.getInfo());
          };
    }
    return values;
  }

  /** The values of a tensor of numbers, as ONNX's raw data has them, in a new array. */
  byte[] bytes() {
    ByteBuffer copy = tensor.getByteBuffer();
    byte[] bytes = new byte[copy.remaining()];
    copy.get(bytes);
    return bytes;
  }

  /** Whether results are read where ONNX Runtime keeps them. */
  static boolean isZeroCopy() {
    return NATIVE != null;
  }

  /**
   * ONNX Runtime's own view of a tensor's memory. Its Java API keeps it private and offers only
   * copies; a release without these members turns the copies on.
   */
  private record NativeMemory(Method getBuffer, Field handle, long api) {
    static NativeMemory find() {
      try {
        Method getBuffer = OnnxTensor.class.getDeclaredMethod("getBuffer", long.class, long.class);
        getBuffer.setAccessible(true);
        Field handle = OnnxTensorLike.class.getDeclaredField("nativeHandle");
        handle.setAccessible(true);
        Field api = Class.forName("ai.onnxruntime.OnnxRuntime").getDeclaredField("ortApiHandle");
        api.setAccessible(true);
        return new NativeMemory(getBuffer, handle, api.getLong(null));
      } catch (ReflectiveOperationException | InaccessibleObjectException e) {
        return null;
      }
    }

    ByteBuffer of(OnnxTensor tensor) {
      try {
        return (ByteBuffer) getBuffer.invoke(tensor, api, handle.getLong(tensor));
      } catch (ReflectiveOperationException e) {
        return null;
      }
    }
  }
}
