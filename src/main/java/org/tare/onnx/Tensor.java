package org.tare.onnx;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import org.tare.TareException;
import org.tare.onnx.proto.Onnx.TensorProto;
import org.tare.quant.DType;

/**
 * A constant tensor of a model: a name, an element type, a shape and values, row-major. It is not
 * changed once it is made. Values of a large tensor may be in a mapped file; they are read when
 * they are asked for, into a new array each time.
 */
public final class Tensor {
  private final TensorProto proto;

  private Tensor(TensorProto proto) {
    this.proto = proto;
  }

  public static Tensor of(TensorProto proto) {
    return new Tensor(proto);
  }

  public TensorProto proto() {
    return proto;
  }

  /** A float32 tensor. */
  public static Tensor ofFloats(String name, long[] shape, float... values) {
    ByteBuffer raw = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    raw.asFloatBuffer().put(values);
    return of(name, ElementType.FLOAT32, shape, raw);
  }

  /** An int64 tensor. */
  public static Tensor ofLongs(String name, long[] shape, long... values) {
    ByteBuffer raw = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    raw.asLongBuffer().put(values);
    return of(name, ElementType.INT64, shape, raw);
  }

  /** Integers of a quantized type; of 4 bits two to a byte, the first in the low half. */
  public static Tensor ofQuantized(String name, DType dtype, long[] shape, int... values) {
    ElementType type = ElementType.of(dtype);
    if (dtype.bits() == 4) {
      byte[] packed = new byte[(values.length + 1) / 2];
      for (int i = 0; i < values.length; i++) {
        packed[i / 2] |= (byte) ((values[i] & 0xf) << (i % 2 * 4));
      }
      return of(name, type, shape, ByteBuffer.wrap(packed));
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
    return of(name, type, shape, raw);
  }

  /** Bytes as ONNX's raw data has them, little-endian; the tensor takes the array over. */
  public static Tensor ofBytes(String name, ElementType type, long[] shape, byte[] bytes) {
    return of(name, type, shape, ByteBuffer.wrap(bytes));
  }

  private static Tensor of(String name, ElementType type, long[] shape, ByteBuffer raw) {
    TensorProto.Builder builder = TensorProto.newBuilder().setName(name).setDataType(type.code());
    for (long dim : shape) {
      builder.addDims(dim);
    }
    return new Tensor(builder.setRawData(UnsafeByteOperations.unsafeWrap(raw.array())).build());
  }

  /** The same tensor by another name. */
  public Tensor withName(String name) {
    return new Tensor(proto.toBuilder().setName(name).build());
  }

  /** Equal for tensors that differ in nothing but their names, and are kept in the same form. */
  public Object content() {
    return new Content(proto.toBuilder().clearName().clearDocString().build());
  }

  /** A hash of some of the bytes tells weights apart; equality looks at all of them. */
  private record Content(TensorProto proto) {
    private static final int HASHED_BYTES = 128;

    @Override
    public boolean equals(Object other) {
      return other instanceof Content content && proto.equals(content.proto);
    }

    @Override
    public int hashCode() {
      ByteString raw = proto.getRawData();
      if (raw.size() <= 2 * HASHED_BYTES) {
        return proto.hashCode();
      }
      int middle = raw.size() / 2;
      return Objects.hash(
          proto.getDataType(),
          proto.getDimsList(),
          raw.substring(0, HASHED_BYTES),
          raw.substring(middle, middle + HASHED_BYTES));
    }
  }

  public String name() {
    return proto.getName();
  }

  public ElementType type() {
    return ElementType.ofCode(proto.getDataType());
  }

  public boolean isFloat() {
    return type() == ElementType.FLOAT32;
  }

  /** The sizes of its axes, a new array. */
  public long[] shape() {
    return proto.getDimsList().stream().mapToLong(Long::longValue).toArray();
  }

  /** How many axes it has; 0 for a scalar. */
  public int rank() {
    return proto.getDimsCount();
  }

  /** The size of one axis. */
  public long dim(int axis) {
    return proto.getDims(axis);
  }

  /**
   * The number of elements; 1 for a scalar.
   *
   * @throws TareException if a size is negative or the number does not fit a long
   */
  public long size() {
    long size = 1;
    for (long dim : proto.getDimsList()) {
      if (dim < 0) {
        throw TareException.badInput(
            "Cannot read tensor \"%s\": it has a negative size %d", name(), dim);
      }
      if (dim > 0 && size > Long.MAX_VALUE / dim) {
        throw TareException.badInput(
            "Cannot read tensor \"%s\": its shape %s has more elements than can be counted",
            name(), proto.getDimsList());
      }
      size *= dim;
    }
    return size;
  }

  /** The bytes that its values take when they are packed. */
  public long bytes() {
    return type().bytes(size());
  }

  /** The values of a float32 tensor. */
  public float[] floats() {
    float[] values = new float[checkedLength()];
    if (proto.hasRawData()) {
      raw().asFloatBuffer().get(values);
    } else {
      for (int i = 0; i < values.length; i++) {
        values[i] = proto.getFloatData(i);
      }
    }
    return values;
  }

  /** The values of an int64 or int32 tensor. */
  public long[] longs() {
    long[] values = new long[checkedLength()];
    boolean isWide = type() == ElementType.INT64;
    ByteBuffer raw = proto.hasRawData() ? raw() : null;
    for (int i = 0; i < values.length; i++) {
      if (raw != null) {
        values[i] = isWide ? raw.getLong() : raw.getInt();
      } else {
        values[i] = isWide ? proto.getInt64Data(i) : proto.getInt32Data(i);
      }
    }
    return values;
  }

  /** The values of an int8 or uint8 tensor. */
  public byte[] int8s() {
    byte[] values = new byte[checkedLength()];
    if (proto.hasRawData()) {
      raw().get(values);
      return values;
    }
    for (int i = 0; i < values.length; i++) {
      values[i] = (byte) proto.getInt32Data(i);
    }
    return values;
  }

  /**
   * The values of a tensor of any type of number, in order; empty where they are not in the model's
   * file or have no such reading (float8, text).
   */
  public double[] numbers() {
    return TensorValues.of(this);
  }

  /**
   * Unsigned numbers of some bits, packed in bytes from the low bits up, each row from a new byte;
   * empty if they are not in the model's file.
   *
   * @param rowLength numbers in a row; the rest of its last byte is filling
   */
  public double[] unpacked(int bits, int rows, int rowLength) {
    return TensorValues.unpacked(this, bits, rows, rowLength);
  }

  /** A float32 matrix with rows and columns exchanged. */
  public Tensor transposed(String name) {
    int rows = Math.toIntExact(dim(0));
    int columns = Math.toIntExact(dim(1));
    float[] values = floats();
    float[] turned = new float[values.length];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        turned[c * rows + r] = values[r * columns + c];
      }
    }
    return ofFloats(name, new long[] {columns, rows}, turned);
  }

  private ByteBuffer raw() {
    return proto.getRawData().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  private int checkedLength() {
    long size = size();
    if (size > Integer.MAX_VALUE) {
      throw TareException.badInput(
          "Cannot read tensor \"%s\": %d elements are more than Java arrays hold", name(), size);
    }
    return (int) size;
  }

  @Override
  public String toString() {
    return name() + " " + new TensorType(type(), shape());
  }
}
