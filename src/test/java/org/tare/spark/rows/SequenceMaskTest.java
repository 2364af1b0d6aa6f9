package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.ElementType;

class SequenceMaskTest {
  private static InputTensor longs(long[] shape, long... values) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(8 * values.length).order(ByteOrder.nativeOrder());
    bytes.asLongBuffer().put(values);
    return new InputTensor(ElementType.INT64, shape, bytes);
  }

  private static List<String> runs(SequenceMask mask, int row) {
    List<String> runs = new ArrayList<>();
    mask.each(row, (from, to) -> runs.add(from + "-" + to));
    return runs;
  }

  @Test
  void runsOfPlacesThatHoldSomething() {
    SequenceMask mask =
        SequenceMask.of(longs(new long[] {3, 4}, 1, 1, 0, 0, 0, 1, 0, 256, 0, 0, 0, 0))
            .orElseThrow();
    assertEquals(List.of("0-2"), runs(mask, 0));
    // 256 has a lowest byte of zero, and is none all the same.
    assertEquals(List.of("5-6", "7-8"), runs(mask, 1));
    assertEquals(List.of(), runs(mask, 2));
  }

  @Test
  void otherTypes() {
    ByteBuffer floats = ByteBuffer.allocateDirect(12).order(ByteOrder.nativeOrder());
    floats.asFloatBuffer().put(new float[] {1, 0, 0.5f});
    SequenceMask mask =
        SequenceMask.of(new InputTensor(ElementType.FLOAT32, new long[] {1, 3}, floats))
            .orElseThrow();
    assertEquals(List.of("0-1", "2-3"), runs(mask, 0));
    ByteBuffer bools = ByteBuffer.allocateDirect(2);
    bools.put(1, (byte) 1);
    assertEquals(
        List.of("1-2"),
        runs(
            SequenceMask.of(new InputTensor(ElementType.BOOL, new long[] {1, 2}, bools))
                .orElseThrow(),
            0));
  }

  @Test
  void coversTensorsThatBeginWithItsShape() {
    SequenceMask mask = SequenceMask.of(longs(new long[] {1, 2}, 1, 0)).orElseThrow();
    assertTrue(mask.covers(new long[] {1, 2, 8}));
    assertFalse(mask.covers(new long[] {1, 2}), "scores of classes");
    assertFalse(mask.covers(new long[] {1, 3, 8}));
    assertFalse(mask.covers(new long[] {2, 2, 8}));
    assertFalse(mask.covers(new long[] {1, 2, 2, 8}), "heads");
    assertFalse(mask.covers(new long[0]));
  }

  @Test
  void isAMatrix() {
    assertEquals(Optional.empty(), SequenceMask.of(longs(new long[] {2}, 1, 0)));
    assertEquals(Optional.empty(), SequenceMask.of(longs(new long[] {1, 1, 2}, 1, 0)));
  }

  @Test
  void ofNoRows() {
    SequenceMask mask = SequenceMask.of(longs(new long[] {0, 4})).orElseThrow();
    assertTrue(mask.covers(new long[] {0, 4, 8}));
  }
}
