package org.tare.graph;

import com.google.protobuf.UnsafeByteOperations;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.tare.TareException;
import org.tare.graph.proto.Onnx.TensorProto;
import org.tare.quant.DType;

/** Reads and makes constant tensors. ONNX's raw data is little-endian, row-major. */
final class Tensors {
  private Tensors() {}

  static long[] shape(TensorProto tensor) {
    return tensor.getDimsList().stream().mapToLong(Long::longValue).toArray();
  }

  /** The number of elements; 1 for a scalar. */
  static long size(TensorProto tensor) {
    long size = 1;
    for (long dim : tensor.getDimsList()) {
      if (dim < 0) {
        throw TareException.badInput(
            "Cannot read tensor \"%s\": it has a negative size %d", tensor.getName(), dim);
      }
      if (dim > 0 && size > Long.MAX_VALUE / dim) {
        throw TareException.badInput(
            "Cannot read tensor \"%s\": its shape %s has more elements than can be counted",
            tensor.getName(), tensor.getDimsList());
      }
      size *= dim;
    }
    return size;
  }

  static boolean isFloat(TensorProto tensor) {
    return tensor.getDataType() == ElementType.FLOAT.code();
  }

  /** The values of a float32 tensor. */
  static float[] floats(TensorProto tensor) {
    float[] values = new float[checkedLength(tensor)];
    if (tensor.hasRawData()) {
      raw(tensor).asFloatBuffer().get(values);
    } else {
      for (int i = 0; i < values.length; i++) {
        values[i] = tensor.getFloatData(i);
      }
    }
    return values;
  }

  /** The values of an int64 or int32 tensor. */
  static long[] longs(TensorProto tensor) {
    long[] values = new long[checkedLength(tensor)];
    boolean wide = tensor.getDataType() == ElementType.INT64.code();
    ByteBuffer raw = tensor.hasRawData() ? raw(tensor) : null;
    for (int i = 0; i < values.length; i++) {
      if (raw != null) {
        values[i] = wide ? raw.getLong() : raw.getInt();
      } else {
        values[i] = wide ? tensor.getInt64Data(i) : tensor.getInt32Data(i);
      }
    }
    return values;
  }

  /** The values of an int8 or uint8 tensor. */
  static byte[] bytesOf(TensorProto tensor) {
    byte[] values = new byte[checkedLength(tensor)];
    if (tensor.hasRawData()) {
      raw(tensor).get(values);
      return values;
    }
    for (int i = 0; i < values.length; i++) {
      values[i] = (byte) tensor.getInt32Data(i);
    }
    return values;
  }

  private static ByteBuffer raw(TensorProto tensor) {
    return tensor.getRawData().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  private static int checkedLength(TensorProto tensor) {
    long size = size(tensor);
    if (size > Integer.MAX_VALUE) {
      throw TareException.badInput(
          "Cannot read tensor \"%s\": %d elements are more than Java arrays hold",
          tensor.getName(), size);
    }
    return (int) size;
  }

  static TensorProto ofFloats(String name, long[] shape, float... values) {
    ByteBuffer raw = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    raw.asFloatBuffer().put(values);
    return tensor(name, ElementType.FLOAT, shape, raw);
  }

  static TensorProto ofLongs(String name, long[] shape, long... values) {
    ByteBuffer raw = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    raw.asLongBuffer().put(values);
    return tensor(name, ElementType.INT64, shape, raw);
  }

  /** Integers of a quantized type; of 4 bits two to a byte, the first in the low half. */
  static TensorProto ofQuantized(String name, DType dtype, long[] shape, int... values) {
    ElementType type = ElementType.of(dtype);
    if (dtype.bits() == 4) {
      byte[] packed = new byte[(values.length + 1) / 2];
      for (int i = 0; i < values.length; i++) {
        packed[i / 2] |= (byte) ((values[i] & 0xf) << (i % 2 * 4));
      }
      return tensor(name, type, shape, ByteBuffer.wrap(packed));
    }
    ByteBuffer raw =
        ByteBuffer.allocate(type.sizeBytes() * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int value : values) {
      switch (type.sizeBytes()) {
        case 1 -> raw.put((byte) value);
        case 2 -> raw.putShort((short) value);
        default -> raw.putInt(value);
      }
    }
    return tensor(name, type, shape, raw);
  }

  /** Bytes as they are; the tensor takes the array over. */
  static TensorProto ofBytes(String name, ElementType type, long[] shape, byte[] bytes) {
    return tensor(name, type, shape, ByteBuffer.wrap(bytes));
  }

  /** The bytes that the tensor's values take in the file. */
  static long bytes(TensorProto tensor) {
    int size = ElementType.ofCode(tensor.getDataType()).sizeBytes();
    return tensor.hasRawData() ? tensor.getRawData().size() : size(tensor) * size;
  }

  private static TensorProto tensor(String name, ElementType type, long[] shape, ByteBuffer raw) {
    TensorProto.Builder builder = TensorProto.newBuilder().setName(name).setDataType(type.code());
    for (long dim : shape) {
      builder.addDims(dim);
    }
    return builder.setRawData(UnsafeByteOperations.unsafeWrap(raw.array())).build();
  }
}
