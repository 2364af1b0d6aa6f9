package org.tare.onnx;

import java.util.Locale;
import org.tare.quant.DType;

/** ONNX's element types: their codes in the file format, and the bits of an element. */
public enum ElementType {
  FLOAT32(1, 32),
  UINT8(2, 8),
  INT8(3, 8),
  UINT16(4, 16),
  INT16(5, 16),
  INT32(6, 32),
  INT64(7, 64),
  /** Elements have no fixed size. */
  STRING(8, 0),
  BOOL(9, 8),
  FLOAT16(10, 16),
  FLOAT64(11, 64),
  UINT32(12, 32),
  UINT64(13, 64),
  BFLOAT16(16, 16),
  FLOAT8E4M3FN(17, 8),
  FLOAT8E4M3FNUZ(18, 8),
  FLOAT8E5M2(19, 8),
  FLOAT8E5M2FNUZ(20, 8),
  UINT4(21, 4),
  INT4(22, 4),
  FLOAT4E2M1(23, 4),
  FLOAT8E8M0(24, 8),
  UINT2(25, 2),
  INT2(26, 2),
  /** Complex numbers, and whatever comes later: Tare carries it along and looks no further. */
  OTHER(0, 0);

  private final int code;
  private final int bits;

  ElementType(int code, int bits) {
    this.code = code;
    this.bits = bits;
  }

  /** The number that stands for it in TensorProto.data_type. */
  public int code() {
    return code;
  }

  /** Bits per element; 0 where elements have no fixed size. */
  public int bits() {
    return bits;
  }

  /** Bytes per element; 0 where an element has no fixed whole number of bytes. */
  public int sizeBytes() {
    return bits % 8 == 0 ? bits / 8 : 0;
  }

  /** The bytes of a packed tensor. */
  public long bytes(long elements) {
    return (elements * bits + 7) / 8;
  }

  /** Whether models compute in it: the narrow floats only store. */
  public boolean isFloat() {
    return switch (this) {
      case FLOAT32, FLOAT16, FLOAT64, BFLOAT16 -> true;
      default -> false;
    };
  }

  public boolean isSigned() {
    return switch (this) {
      case INT2, INT4, INT8, INT16, INT32, INT64 -> true;
      default -> false;
    };
  }

  /** The name as ONNX writes it, with the width of floats: {@code float32}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The type of a code of TensorProto.data_type; {@link #OTHER} if it is not known. */
  public static ElementType ofCode(long code) {
    for (ElementType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    return OTHER;
  }

  /** The type in which integers of a quantized type are stored. */
  public static ElementType of(DType dtype) {
    return switch (dtype) {
      case UINT8 -> UINT8;
      case INT8 -> INT8;
      case UINT16 -> UINT16;
      case INT16 -> INT16;
      case INT32 -> INT32;
      case UINT4 -> UINT4;
      case INT4 -> INT4;
    };
  }
}
