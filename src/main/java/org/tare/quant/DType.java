package org.tare.quant;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.tare.TareException;

/**
 * A quantized integer type and its whole range of values. Names are ONNX's ({@code uint8}); those
 * of PyTorch ({@code quint8}) are understood too.
 */
public enum DType {
  UINT8(0, 255),
  INT8(-128, 127),
  UINT16(0, 65535),
  INT16(-32768, 32767),
  UINT4(0, 15),
  INT4(-8, 7),
  INT32(Integer.MIN_VALUE, Integer.MAX_VALUE);

  private final int min;
  private final int max;

  DType(int min, int max) {
    this.min = min;
    this.max = max;
  }

  /** The least value the type holds. */
  public int min() {
    return min;
  }

  /** The greatest value the type holds. */
  public int max() {
    return max;
  }

  /** How many bits a value takes. */
  public int bits() {
    return Long.numberOfTrailingZeros((long) max - min + 1);
  }

  public boolean isSigned() {
    return min < 0;
  }

  /** The name as ONNX writes it: {@code uint8}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The type of the given name, in ONNX's spelling or PyTorch's.
   *
   * @throws TareException if there is none
   */
  public static DType of(String name) {
    String plain = name.toLowerCase(Locale.ROOT);
    if (plain.equals("quint4x2")) {
      return UINT4;
    }
    String onnx = plain.startsWith("q") ? plain.substring(1) : plain;
    for (DType type : values()) {
      if (type.id().equals(onnx)) {
        return type;
      }
    }
    throw TareException.usage(
        "Unknown quantized type \"%s\": it is one of %s",
        name, Arrays.stream(values()).map(DType::id).collect(Collectors.joining(", ")));
  }
}
