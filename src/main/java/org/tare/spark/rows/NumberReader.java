package org.tare.spark.rows;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Row;
import org.tare.onnx.Float16;
import org.tare.spark.rows.RowDecoder.BadRow;
import org.tare.spark.rows.images.RowMemory;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Reads what Spark gives for numbers: bytes, single numbers, arrays of any depth, and Spark ML's
 * vectors.
 */
final class NumberReader {
  /** The code of a sparse vector in the struct below Spark ML's vectors; a dense one has 1. */
  private static final byte SPARSE = 0;

  private final InputBinding binding;
  private final Numbers into;
  private final RowMemory memory;

  /** The sizes of arrays in arrays, from the outermost; -1 where none was seen yet. */
  private final long[] sizes;

  private Class<?> vectorClass;
  private Method toArray;
  private Method size;

  NumberReader(InputBinding binding, Numbers into, RowMemory memory) {
    this.binding = binding;
    this.into = into;
    this.memory = memory;
    this.sizes = new long[ColumnForm.depth(binding.found().type())];
  }

  /** The sizes of the arrays that were read last, from the outermost. */
  long[] sizes() {
    return sizes.clone();
  }

  /** Reads the value of a column that is not binary. */
  void read(Object value) throws BadRow {
    into.clear(binding.exact());
    switch (binding.source()) {
      case ARRAY -> {
        Arrays.fill(sizes, -1);
        readArray(value, 0);
      }
      case VECTOR -> readVector(value);
      default -> add(value);
    }
  }

  /** Reads what the settings say in place of a column; gives its shape. */
  long[] readValue() {
    into.clear(false);
    into.reserve(binding.value().length);
    for (double number : binding.value()) {
      into.add(number);
    }
    return binding.shape().clone();
  }

  private void readArray(Object value, int depth) throws BadRow {
    List<?> list = CollectionConverters.asJava((scala.collection.Seq<?>) value);
    if (sizes[depth] >= 0 && sizes[depth] != list.size()) {
      throw binding.bad("holds arrays of different sizes, " + sizes[depth] + " and " + list.size());
    }
    sizes[depth] = list.size();
    boolean isInnermost = depth == sizes.length - 1;
    if (isInnermost) {
      into.reserve(Math.addExact(into.size(), list.size()));
    }
    for (Object element : list) {
      if (element == null) {
        throw binding.bad("holds a null at position " + into.size());
      }
      if (isInnermost) {
        add(element);
      } else {
        readArray(element, depth + 1);
      }
    }
  }

  private void add(Object value) throws BadRow {
    if (value instanceof Boolean truth) {
      into.addWhole(truth ? 1 : 0);
    } else if (!into.isExact()) {
      into.add(((Number) value).doubleValue());
    } else if (value instanceof BigDecimal decimal) {
      into.addExact(exact(decimal));
    } else {
      into.addExact(((Number) value).longValue());
    }
  }

  private long exact(BigDecimal decimal) throws BadRow {
    try {
      return decimal.longValueExact();
    } catch (ArithmeticException e) {
      boolean isFraction = decimal.stripTrailingZeros().scale() > 0;
      throw binding.bad(
          "holds "
              + decimal.toPlainString()
              + " at position "
              + into.size()
              + (isFraction ? ", which is no whole number" : ", which int64 does not hold"));
    }
  }

  /** Reads the little-endian values of a binary column. */
  void readBytes(byte[] raw) {
    into.clear(binding.exact());
    int size = raw.length / binding.source().bytes();
    into.reserve(size);
    ByteBuffer buffer = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);
    switch (binding.source()) {
      case UINT8_BYTES -> {
        for (byte value : raw) {
          into.addWhole(value & 0xff);
        }
      }
      case INT8_BYTES -> {
        for (byte value : raw) {
          into.addWhole(value);
        }
      }
      case INT32_BYTES -> {
        for (int i = 0; i < size; i++) {
          into.addWhole(buffer.getInt(4 * i));
        }
      }
      case INT64_BYTES -> {
        for (int i = 0; i < size; i++) {
          into.addWhole(buffer.getLong(8 * i));
        }
      }
      case FLOAT16_BYTES -> {
        for (int i = 0; i < size; i++) {
          into.add(Float16.value(buffer.getShort(2 * i)));
        }
      }
      case FLOAT64_BYTES -> {
        for (int i = 0; i < size; i++) {
          into.add(buffer.getDouble(8 * i));
        }
      }
      default -> {
        for (int i = 0; i < size; i++) {
          into.add(buffer.getFloat(4 * i));
        }
      }
    }
  }

  /** A vector is the struct (type, size, indices, values), or an object where Spark ML is there. */
  private void readVector(Object value) throws BadRow {
    if (!(value instanceof Row row)) {
      double[] values = toArray(value);
      into.reserve(values.length);
      for (double number : values) {
        into.add(number);
      }
      return;
    }
    if (row.isNullAt(0) || row.isNullAt(3)) {
      throw binding.bad("holds a vector without a type or without values");
    }
    List<Double> values = row.getList(3);
    boolean isSparse = ((Number) row.get(0)).byteValue() == SPARSE;
    double[] dense;
    if (isSparse) {
      List<Integer> indices = row.isNullAt(2) ? List.of() : row.getList(2);
      int size = row.isNullAt(1) ? -1 : row.getInt(1);
      if (size < 0 || indices.size() != values.size()) {
        throw binding.bad(
            "holds a sparse vector of size "
                + size
                + " with "
                + indices.size()
                + " indices and "
                + values.size()
                + " values");
      }
      checkSize(size);
      dense = new double[size];
      for (int i = 0; i < indices.size(); i++) {
        Integer index = indices.get(i);
        if (index == null || index < 0 || index >= size) {
          throw binding.bad("holds a sparse vector of size " + size + " with the index " + index);
        }
        dense[index] = values.get(i) == null ? Double.NaN : values.get(i);
      }
    } else {
      dense = new double[values.size()];
      for (int i = 0; i < dense.length; i++) {
        dense[i] = values.get(i) == null ? Double.NaN : values.get(i);
      }
    }
    into.reserve(dense.length);
    for (double number : dense) {
      into.add(number);
    }
  }

  /** A sparse vector of few bytes may say any size. */
  private void checkSize(int size) throws BadRow {
    long known = 1;
    for (long axis : binding.shape()) {
      known = axis < 0 || known < 0 ? -1 : known * axis;
    }
    if (known >= 0 && known != size) {
      throw binding.bad("holds " + size + " values");
    }
    Optional<String> shortage =
        memory.shortage((2 * Numbers.SIZE_BYTES + binding.elementType().sizeBytes()) * size);
    if (shortage.isPresent()) {
      throw binding.bad("holds a vector of size " + size + ", which " + shortage.get());
    }
  }

  /** By reflection: Tare is compiled without Spark ML, and runs where it is absent. */
  private double[] toArray(Object vector) throws BadRow {
    try {
      if (vectorClass != vector.getClass()) {
        toArray = vector.getClass().getMethod("toArray");
        size = vector.getClass().getMethod("size");
        vectorClass = vector.getClass();
      }
      checkSize((Integer) size.invoke(vector));
      return (double[]) toArray.invoke(vector);
    } catch (NoSuchMethodException
        | IllegalAccessException
        | InvocationTargetException
        | ClassCastException e) {
      throw binding.bad(
          "holds a "
              + vector.getClass().getName()
              + " whose values cannot be read; make it an array with vector_to_array");
    }
  }
}
