package org.tare.onnx;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.tare.TareException;
import org.tare.onnx.proto.Onnx.SparseTensorProto;
import org.tare.onnx.proto.Onnx.TensorProto;

/**
 * Sparse initializers, made dense as ONNX Runtime makes them when it loads a model: values with the
 * indices where they stand, counted through (row-major) or one for each axis; zeros elsewhere.
 */
final class SparseTensors {
  /** 1 GB: a few bytes of indices must not take more memory than a model is likely to need. */
  private static final long MOST_BYTES = 1L << 30;

  private SparseTensors() {}

  /**
   * @throws TareException if it is not a valid sparse tensor, or would be too large
   */
  static Tensor dense(SparseTensorProto sparse) {
    Tensor values = Tensor.of(sparse.getValues());
    Tensor indices = Tensor.of(sparse.getIndices());
    String name = values.name();
    TensorProto.Builder shape = TensorProto.newBuilder().setName(name);
    sparse.getDimsList().forEach(shape::addDims);
    long size = Tensor.of(shape.build()).size();
    byte[] packed = packed(values);
    int width = values.type().sizeBytes();
    if (size > MOST_BYTES / width) {
      throw refused(name, "it has " + size + " elements, more than 1 GB");
    }
    long[] places = places(sparse, indices, packed.length / width);
    byte[] all = new byte[(int) size * width];
    for (int i = 0; i < places.length; i++) {
      if (places[i] < 0 || places[i] >= size) {
        throw refused(
            name, "index " + places[i] + " of its value " + i + " is outside of its shape");
      }
      System.arraycopy(packed, i * width, all, (int) places[i] * width, width);
    }
    return Tensor.ofBytes(
        name,
        values.type(),
        sparse.getDimsList().stream().mapToLong(Long::longValue).toArray(),
        all);
  }

  /** The places of the values, counted through. */
  private static long[] places(SparseTensorProto sparse, Tensor indices, int count) {
    String name = sparse.getValues().getName();
    int rank = sparse.getDimsCount();
    boolean isLinear = indices.rank() == 1 && indices.dim(0) == count;
    boolean isByAxis =
        indices.rank() == 2 && indices.dim(0) == count && indices.dim(1) == rank && rank > 0;
    if (indices.type() != ElementType.INT64 || !(isLinear || isByAxis)) {
      throw refused(name, count + " values have indices of the form " + indices);
    }
    long[] given = isComplete(indices, 8) ? indices.longs() : new long[0];
    if (given.length != (isLinear ? count : count * rank)) {
      throw refused(name, "its indices are not in the file");
    }
    if (isLinear) {
      return given;
    }
    long[] places = new long[count];
    for (int i = 0; i < count; i++) {
      for (int axis = 0; axis < rank; axis++) {
        long index = given[i * rank + axis];
        long dim = sparse.getDims(axis);
        if (index < 0 || index >= dim) {
          throw refused(name, "index " + index + " of its value " + i + " is outside of its shape");
        }
        places[i] = places[i] * dim + index;
      }
    }
    return places;
  }

  private static byte[] packed(Tensor values) {
    int width = values.type().sizeBytes();
    if (values.rank() != 1 || width == 0 || !isComplete(values, width)) {
      throw refused(values.name(), "its values are not a list of numbers in the file: " + values);
    }
    if (values.proto().hasRawData()) {
      return values.proto().getRawData().toByteArray();
    }
    if (!values.isFloat()) {
      throw refused(values.name(), "its values are not stored as raw bytes: " + values);
    }
    float[] floats = values.floats();
    ByteBuffer bytes = ByteBuffer.allocate(4 * floats.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(floats);
    return bytes.array();
  }

  /** Whether as many values as the shape says are there. */
  private static boolean isComplete(Tensor tensor, int width) {
    TensorProto proto = tensor.proto();
    if (proto.hasRawData()) {
      return tensor.size() <= Integer.MAX_VALUE / width
          && proto.getRawData().size() == tensor.size() * width;
    }
    return tensor.size()
        == (tensor.isFloat()
            ? proto.getFloatDataCount()
            : tensor.type() == ElementType.INT64 ? proto.getInt64DataCount() : -1);
  }

  private static TareException refused(String name, String why) {
    return TareException.badInput("Cannot read sparse initializer \"%s\": %s", name, why);
  }
}
