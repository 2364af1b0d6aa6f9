package org.tare.onnx;

import com.google.protobuf.ByteString;
import org.tare.onnx.proto.Onnx.TensorProto;

/**
 * Reads the values of constant tensors of any type of number, as doubles. ONNX keeps them in raw
 * bytes, little-endian, elements of less than a byte packed from the low bits up; or in the field
 * of a wider type.
 */
public final class TensorValues {
  private TensorValues() {}

  /**
   * The values in order; empty where they are not in the model's file or have no such reading
   * (float8, text).
   */
  public static double[] of(Tensor from) {
    TensorProto tensor = from.proto();
    ElementType type = from.type();
    int size = (int) Math.min(from.size(), 1 << 28);
    boolean isExternal = tensor.getDataLocation() == TensorProto.DataLocation.EXTERNAL;
    boolean isReadable = type.isFloat() || type.isSigned() || type.name().startsWith("UINT");
    if (isExternal || !isReadable) {
      return new double[0];
    }
    if (tensor.hasRawData()) {
      return ofBytes(tensor.getRawData(), type, size);
    }
    double[] values = new double[Math.min(size, storedCount(tensor, type))];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (type) {
            case FLOAT32 -> tensor.getFloatData(i);
            case FLOAT64 -> tensor.getDoubleData(i);
            case INT64 -> tensor.getInt64Data(i);
            case UINT32, UINT64 -> tensor.getUint64Data(i);
            default -> {
              int perField = type.bits() < 8 ? 8 / type.bits() : 1;
              long field = tensor.getInt32Data(i / perField);
              yield decode(field >> (i % perField * type.bits()), type);
            }
          };
    }
    return values;
  }

  private static int storedCount(TensorProto tensor, ElementType type) {
    return switch (type) {
      case FLOAT32 -> tensor.getFloatDataCount();
      case FLOAT64 -> tensor.getDoubleDataCount();
      case INT64 -> tensor.getInt64DataCount();
      case UINT32, UINT64 -> tensor.getUint64DataCount();
      default -> tensor.getInt32DataCount() * (type.bits() < 8 ? 8 / type.bits() : 1);
    };
  }

  private static double[] ofBytes(ByteString raw, ElementType type, int size) {
    int bits = type.bits();
    double[] values = new double[(int) Math.min(size, 8L * raw.size() / bits)];
    for (int i = 0; i < values.length; i++) {
      long element = 0;
      if (bits < 8) {
        long bit = (long) i * bits;
        element = raw.byteAt((int) (bit / 8)) >> (bit % 8);
      } else {
        for (int b = 0; b < bits / 8; b++) {
          element |= (raw.byteAt(i * (bits / 8) + b) & 0xffL) << (8 * b);
        }
      }
      values[i] = decode(element, type);
    }
    return values;
  }

  /** The number that the low bits stand for. */
  private static double decode(long element, ElementType type) {
    int unused = 64 - type.bits();
    return switch (type) {
      case FLOAT32 -> Float.intBitsToFloat((int) element);
      case FLOAT64 -> Double.longBitsToDouble(element);
      case FLOAT16 -> Float16.value((int) element);
      case BFLOAT16 -> Float.intBitsToFloat((int) element << 16);
      default -> type.isSigned() ? element << unused >> unused : element << unused >>> unused;
    };
  }

  /**
   * Unsigned numbers of some bits, packed in bytes from the low bits up, each row from a new byte.
   *
   * @param rowLength numbers in a row; the rest of its last byte is filling
   */
  static double[] unpacked(Tensor from, int bits, int rows, int rowLength) {
    TensorProto tensor = from.proto();
    if (!tensor.hasRawData() || bits < 1 || rows < 1 || rowLength < 1) {
      return new double[0];
    }
    ByteString raw = tensor.getRawData();
    int rowBytes = (int) (((long) rowLength * bits + 7) / 8);
    if ((long) rows * rowBytes > raw.size()) {
      return new double[0];
    }
    double[] values = new double[rows * rowLength];
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < rowLength; i++) {
        long value = 0;
        for (int b = 0; b < bits; b++) {
          long bit = (long) i * bits + b;
          int octet = raw.byteAt((int) (row * (long) rowBytes + bit / 8));
          value |= (long) (octet >> (bit % 8) & 1) << b;
        }
        values[row * rowLength + i] = value;
      }
    }
    return values;
  }
}
