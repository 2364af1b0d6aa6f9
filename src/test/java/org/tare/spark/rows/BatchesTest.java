package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.ElementType;
import org.tare.onnx.TensorType;
import scala.jdk.javaapi.CollectionConverters;

/** Batches of inputs whose rows are on another axis than the first, or on none. */
class BatchesTest {
  private static List<InputBinding> bindings(Map<String, InputSpec> specs) {
    Map<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("x", new TensorType(ElementType.FLOAT32, new long[] {-1, 1}, List.of("batch", "")));
    inputs.put(
        "h", new TensorType(ElementType.FLOAT32, new long[] {2, -1, 3}, List.of("", "batch", "")));
    inputs.put("s", new TensorType(ElementType.INT64, new long[0]));
    List<InputBinding> bindings =
        InputBinding.bind(
            "calibrate",
            "m.onnx",
            inputs,
            specs,
            new ColumnNames(StructType.fromDDL("x float, h array<float>, s bigint"), false));
    List<InputBinding> placed = new ArrayList<>();
    bindings.forEach(binding -> placed.add(binding.at("xhs".indexOf(binding.input()))));
    return placed;
  }

  private static Row row(float x, long s) {
    List<Float> h = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      h.add(10 * x + i);
    }
    return RowFactory.create(x, CollectionConverters.asScala(h).toSeq(), s);
  }

  private static String text(InputTensor tensor) {
    StringBuilder text = new StringBuilder(Arrays.toString(tensor.shape()));
    ByteBuffer bytes = tensor.direct().duplicate().order(tensor.direct().order());
    while (bytes.hasRemaining()) {
      text.append(' ')
          .append(
              tensor.elementType() == ElementType.INT64
                  ? Long.toString(bytes.getLong())
                  : Integer.toString((int) bytes.getFloat()));
    }
    return text.toString();
  }

  /** The batches of rows, each as its inputs in a text, cut to the rows that are real. */
  private static List<String> batches(List<InputBinding> bindings, int size, Row... rows)
      throws RowDecoder.BadRow {
    List<String> seen = new ArrayList<>();
    Batches batches =
        new Batches(
            bindings,
            size,
            (batch, real) -> {
              List<String> inputs = new ArrayList<>();
              batch.inputs(real).forEach((name, tensor) -> inputs.add(name + text(tensor)));
              seen.add(String.join("; ", inputs));
            });
    RowDecoder decoder = new RowDecoder(bindings);
    for (Row row : rows) {
      batches.add(decoder.decode(row), new RowTag(-1, null, 0));
    }
    batches.finish();
    return seen;
  }

  @Test
  void rowsGoIntoTheirAxis() throws RowDecoder.BadRow {
    assertEquals(
        List.of("x[2, 1] 1 2; h[2, 2, 3] 10 11 12 20 21 22 13 14 15 23 24 25; s[] 7"),
        batches(bindings(Map.of()), 2, row(1, 7), row(2, 7)));
  }

  @Test
  void shortBatchesAreCutToTheirRows() throws RowDecoder.BadRow {
    assertEquals(
        List.of("x[2, 1] 1 2; h[2, 2, 3] 10 11 12 20 21 22 13 14 15 23 24 25; s[] 7"),
        batches(bindings(Map.of()), 4, row(1, 7), row(2, 7)));
    assertEquals(
        List.of("x[1, 1] 1; h[2, 1, 3] 10 11 12 13 14 15; s[] 7"),
        batches(bindings(Map.of()), 4, row(1, 7)));
  }

  @Test
  void rowsThatShareOtherValuesAreOtherBatches() throws RowDecoder.BadRow {
    List<String> seen =
        batches(bindings(Map.of()), 2, row(1, 7), row(2, 8), row(3, 7), row(4, 8), row(5, 9));
    assertEquals(3, seen.size());
    assertEquals("x[2, 1] 1 3", seen.get(0).split("; ")[0]);
    assertEquals("s[] 7", seen.get(0).split("; ")[2]);
    assertEquals("x[2, 1] 2 4", seen.get(1).split("; ")[0]);
    assertEquals("s[] 8", seen.get(1).split("; ")[2]);
    assertEquals("x[1, 1] 5", seen.get(2).split("; ")[0]);
  }

  @Test
  void valuesOfSettingsStandForColumns() throws RowDecoder.BadRow {
    List<InputBinding> bindings =
        bindings(
            Map.of(
                "s", new InputSpecs().value(16000.0).spec(),
                "h", new InputSpecs().value(0.0).spec()));
    assertEquals(
        List.of("x[2, 1] 1 2; h[2, 2, 3] 0 0 0 0 0 0 0 0 0 0 0 0; s[] 16000"),
        batches(bindings, 2, row(1, 7), row(2, 8)));
    assertArrayEquals(new long[] {2, 3}, bindings.get(1).shape());
  }

  @Test
  void aPartHoldsItsRowsAlone() throws RowDecoder.BadRow {
    List<InputBinding> bindings = bindings(Map.of());
    List<String> parts = new ArrayList<>();
    List<String> same = new ArrayList<>();
    List<Object> keys = new ArrayList<>();
    Batches batches =
        new Batches(
            bindings,
            4,
            (batch, real) -> {
              Batches.Batch part = batch.part(1, 3);
              assertEquals(2, part.size());
              part.inputs(2).forEach((name, tensor) -> parts.add(name + text(tensor)));
              part.part(1, 2).inputs(1).forEach((name, tensor) -> parts.add(name + text(tensor)));
              keys.addAll(List.of(part.tag(0).key(), part.tag(1).key()));
              batch.inputs(real).forEach((name, tensor) -> same.add(name + text(tensor)));
            });
    RowDecoder decoder = new RowDecoder(bindings);
    for (int i = 1; i <= 4; i++) {
      batches.add(decoder.decode(row(i, 7)), new RowTag(-1, "row " + i, i));
    }
    assertEquals(
        List.of(
            "x[2, 1] 2 3",
            "h[2, 2, 3] 20 21 22 30 31 32 23 24 25 33 34 35",
            "s[] 7",
            "x[1, 1] 3",
            "h[2, 1, 3] 30 31 32 33 34 35",
            "s[] 7"),
        parts);
    assertEquals(List.of("row 2", "row 3"), keys);
    assertEquals("x[4, 1] 1 2 3 4", same.get(0));
  }
}
