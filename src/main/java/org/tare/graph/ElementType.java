package org.tare.graph;

import org.tare.quant.DType;

/** ONNX's element types that Tare handles by name, with their codes in the file format. */
public enum ElementType {
  FLOAT(1, 4),
  UINT8(2, 1),
  INT8(3, 1),
  UINT16(4, 2),
  INT16(5, 2),
  INT32(6, 4),
  INT64(7, 8),
  STRING(8, 0),
  BOOL(9, 1),
  FLOAT16(10, 2),
  DOUBLE(11, 8),
  UINT32(12, 4),
  UINT64(13, 8),
  BFLOAT16(16, 2),
  UINT4(21, 0),
  INT4(22, 0),
  /** Any other: Tare carries it along and looks no further. */
  OTHER(0, 0);

  private final int code;
  private final int sizeBytes;

  ElementType(int code, int sizeBytes) {
    this.code = code;
    this.sizeBytes = sizeBytes;
  }

  /** The number that stands for it in TensorProto.data_type. */
  public int code() {
    return code;
  }

  /** Bytes per element, 0 where an element has no fixed whole number of bytes. */
  public int sizeBytes() {
    return sizeBytes;
  }

  static ElementType ofCode(int code) {
    for (ElementType type : values()) {
      if (type.code == code && code != 0) {
        return type;
      }
    }
    return OTHER;
  }

  static ElementType of(DType dtype) {
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
