package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.tare.spark.rows.BatchRows;
import org.tare.spark.tasks.CompareJob.Cut;

/** How much of a batch is compared at once. */
class CompareJobTest {
  private static final long MOST = BatchRows.BYTES_AT_ONCE;

  private static final BatchRows BATCH = new BatchRows(32, false);

  private static Map<String, Long> bytes(long... tensors) {
    Map<String, Long> bytes = new LinkedHashMap<>();
    for (int i = 0; i < tensors.length; i++) {
      bytes.put("t" + i, tensors[i]);
    }
    return bytes;
  }

  @Test
  void asManyRowsAsFit() {
    assertEquals(new Cut(32, List.of(List.of("t0", "t1"))), Cut.ofRows(bytes(100, 200), BATCH));
    assertEquals(
        new Cut(4, List.of(List.of("t0", "t1"))), Cut.ofRows(bytes(MOST / 8, MOST / 8), BATCH));
    assertEquals(
        new Cut(2, List.of(List.of("t0", "t1"))), Cut.ofRows(bytes(MOST / 8, MOST / 8 + 1), BATCH));
  }

  @Test
  void aRowThatDoesNotFitGoesTensorByTensor() {
    assertEquals(
        new Cut(1, List.of(List.of("t0"), List.of("t1", "t2"), List.of("t3"))),
        Cut.ofRows(bytes(MOST + 1, MOST / 2, MOST / 2, 1), BATCH));
  }

  @Test
  void nothingToCompareIsNothingToCut() {
    assertEquals(new Cut(32, List.of()), Cut.ofRows(Map.of(), BATCH));
    assertEquals(new Cut(32, List.of(List.of("t0"))), Cut.ofRows(bytes(0), BATCH));
  }
}
