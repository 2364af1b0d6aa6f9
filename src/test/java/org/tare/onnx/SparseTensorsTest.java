package org.tare.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.onnx.proto.Onnx.SparseTensorProto;
import org.tare.onnx.proto.Onnx.TensorProto;

class SparseTensorsTest {
  private static final TensorProto VALUES =
      Tensor.ofFloats("w", new long[] {3}, 1, -2, -0.0f).proto();

  private static SparseTensorProto sparse(TensorProto values, Tensor indices, long... dims) {
    SparseTensorProto.Builder sparse =
        SparseTensorProto.newBuilder().setValues(values).setIndices(indices.proto());
    for (long dim : dims) {
      sparse.addDims(dim);
    }
    return sparse.build();
  }

  private static Tensor indices(long[] shape, long... values) {
    return Tensor.ofLongs("", shape, values);
  }

  private static String refusal(SparseTensorProto sparse) {
    TareException e = assertThrows(TareException.class, () -> SparseTensors.dense(sparse));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    return e.getMessage();
  }

  @Test
  void bothFormsOfIndicesAndOfValuesGiveTheSameTensor() {
    TensorProto listed =
        TensorProto.newBuilder()
            .setName("w")
            .setDataType(ElementType.FLOAT32.code())
            .addDims(3)
            .addAllFloatData(List.of(1f, -2f, -0.0f))
            .build();
    for (TensorProto values : List.of(VALUES, listed)) {
      for (Tensor indices :
          List.of(indices(new long[] {3}, 5, 0, 2), indices(new long[] {3, 2}, 1, 2, 0, 0, 0, 2))) {
        Tensor dense = SparseTensors.dense(sparse(values, indices, 2, 3));
        assertEquals("w", dense.name());
        assertArrayEquals(new long[] {2, 3}, dense.shape());
        assertArrayEquals(new float[] {-2, 0, -0.0f, 0, 0, 1}, dense.floats());
      }
    }
  }

  @Test
  void otherTypesKeepTheirBytes() {
    TensorProto halves =
        Tensor.ofBytes("h", ElementType.FLOAT16, new long[] {1}, new byte[] {0, 0x3c}).proto();
    Tensor dense = SparseTensors.dense(sparse(halves, indices(new long[] {1}, 1), 2));
    assertEquals(ElementType.FLOAT16, dense.type());
    assertArrayEquals(new byte[] {0, 0, 0, 0x3c}, dense.proto().getRawData().toByteArray());
  }

  @Test
  void whatIsNoSparseTensorIsRefused() {
    assertEquals(
        "Cannot read sparse initializer \"w\": index 6 of its value 2 is outside of its shape",
        refusal(sparse(VALUES, indices(new long[] {3}, 0, 1, 6), 2, 3)));
    assertEquals(
        "Cannot read sparse initializer \"w\": index -1 of its value 0 is outside of its shape",
        refusal(sparse(VALUES, indices(new long[] {3}, -1, 1, 2), 2, 3)));
    assertEquals(
        "Cannot read sparse initializer \"w\": index 3 of its value 1 is outside of its shape",
        refusal(sparse(VALUES, indices(new long[] {3, 2}, 0, 0, 0, 3, 1, 1), 2, 3)));
    assertEquals(
        "Cannot read sparse initializer \"w\": 3 values have indices of the form  int64 [2]",
        refusal(sparse(VALUES, indices(new long[] {2}, 0, 1), 2, 3)));
    assertEquals(
        "Cannot read sparse initializer \"w\": its indices are not in the file",
        refusal(
            sparse(
                VALUES,
                Tensor.of(
                    TensorProto.newBuilder()
                        .setDataType(ElementType.INT64.code())
                        .addDims(3)
                        .build()),
                2,
                3)));
    assertEquals(
        "Cannot read sparse initializer \"w\": it has 268435457 elements, more than 1 GB",
        refusal(sparse(VALUES, indices(new long[] {3}, 0, 1, 2), 268435457)));
    TensorProto cut = VALUES.toBuilder().setDims(0, 1L << 40).build();
    assertEquals(
        "Cannot read sparse initializer \"w\": its values are not a list of numbers in the file: w"
            + " float32 [1099511627776]",
        refusal(sparse(cut, indices(new long[] {3}, 0, 1, 2), 2, 3)));
  }
}
