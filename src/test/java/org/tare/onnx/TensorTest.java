package org.tare.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.tare.onnx.proto.Onnx.TensorProto;

/** Values of constant tensors, as ONNX stores them. */
class TensorTest {
  private static Tensor packed(String name, ElementType type, long[] shape, int... bytes) {
    byte[] raw = new byte[bytes.length];
    for (int i = 0; i < raw.length; i++) {
      raw[i] = (byte) bytes[i];
    }
    return Tensor.ofBytes(name, type, shape, raw);
  }

  @Test
  void valuesOfEveryType() {
    assertArrayEquals(
        new double[] {1, -2, 0x1p-24, Double.POSITIVE_INFINITY},
        packed("h", ElementType.FLOAT16, new long[] {4}, 0, 0x3c, 0, 0xc0, 1, 0, 0, 0x7c)
            .numbers());
    assertEquals(
        "[1.0, -1.5]",
        Arrays.toString(
            packed("b", ElementType.BFLOAT16, new long[] {2}, 0x80, 0x3f, 0xc0, 0xbf).numbers()));
    assertEquals(
        "[1.0, 15.0, 7.0]",
        Arrays.toString(packed("u", ElementType.UINT4, new long[] {3}, 0xf1, 0x07).numbers()));
    TensorProto inField =
        TensorProto.newBuilder()
            .setDataType(22)
            .addDims(3)
            .addInt32Data(0xf1)
            .addInt32Data(8)
            .build();
    assertEquals("[1.0, -1.0, -8.0]", Arrays.toString(Tensor.of(inField).numbers()));
    Tensor float8 = packed("f", ElementType.FLOAT8E4M3FN, new long[] {1}, 1);
    assertEquals(0, float8.numbers().length);
  }

  @Test
  void tensorsAreOfOneContentOnlyIfAllBytesAre() {
    byte[] raw = new byte[4000];
    Tensor one = Tensor.ofBytes("one", ElementType.FLOAT32, new long[] {1000}, raw.clone());
    Tensor same = Tensor.ofBytes("same", ElementType.FLOAT32, new long[] {1000}, raw.clone());
    Tensor wide = Tensor.ofBytes("wide", ElementType.FLOAT32, new long[] {1, 1000}, raw.clone());
    assertEquals(one.content(), same.content());
    assertEquals(one.content().hashCode(), same.content().hashCode());
    assertNotEquals(one.content(), wide.content());
    // What no hash looks at.
    raw[3999] = 1;
    Tensor other = Tensor.ofBytes("other", ElementType.FLOAT32, new long[] {1000}, raw);
    assertNotEquals(one.content(), other.content());
  }
}
