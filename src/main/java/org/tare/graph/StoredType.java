package org.tare.graph;

import java.util.Locale;

/** ONNX's element types of numbers: their codes in the file format, and bits of an element. */
enum StoredType {
  FLOAT32(1, 32),
  UINT8(2, 8),
  INT8(3, 8),
  UINT16(4, 16),
  INT16(5, 16),
  INT32(6, 32),
  INT64(7, 64),
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
  /** Text, complex numbers, and whatever comes later. */
  OTHER(0, 0);

  private final int code;
  private final int bits;

  StoredType(int code, int bits) {
    this.code = code;
    this.bits = bits;
  }

  static StoredType of(long code) {
    for (StoredType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    return OTHER;
  }

  int bits() {
    return bits;
  }

  /** Whether models compute in it: the narrow floats only store. */
  boolean isFloat() {
    return switch (this) {
      case FLOAT32, FLOAT16, FLOAT64, BFLOAT16 -> true;
      default -> false;
    };
  }

  boolean isSigned() {
    return switch (this) {
      case INT2, INT4, INT8, INT16, INT32, INT64 -> true;
      default -> false;
    };
  }

  /** The bytes of a packed tensor. */
  long bytes(long elements) {
    return (elements * bits + 7) / 8;
  }

  /** The name as ONNX writes it, with the width of floats: {@code float32}. */
  String id() {
    return name().toLowerCase(Locale.ROOT);
  }
}
