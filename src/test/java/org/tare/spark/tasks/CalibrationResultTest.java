package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.spark.rows.DataSource;
import org.tare.stats.CalibrationState;

/** Two readings of one table. */
class CalibrationResultTest {
  private static final DataSource DATA =
      new DataSource(
          new DataSource.Files("rows", "parquet", Map.of()), Optional.empty(), Optional.empty());

  private static CalibrationJob.Result result(long skipped, Map<String, Integer> slices) {
    SortedMap<String, CalibrationState> states = new TreeMap<>();
    long rows = 0;
    for (Map.Entry<String, Integer> slice : slices.entrySet()) {
      rows += slice.getValue();
      states.put(
          slice.getKey(),
          new CalibrationState("", slice.getKey(), slice.getValue(), new TreeMap<>()));
    }
    return new CalibrationJob.Result(
        new CalibrationState("", rows, new TreeMap<>()), states, skipped, "", 1, 1);
  }

  private static String refused(CalibrationJob.Result first, CalibrationJob.Result again) {
    TareException refused =
        assertThrows(TareException.class, () -> first.checkSameRows(again, "m.onnx", DATA));
    assertEquals(TareException.Kind.TRY_AGAIN, refused.kind());
    return refused.getMessage();
  }

  @Test
  void aTableThatGrowsBetweenTwoReadingsIsRefused() {
    CalibrationJob.Result first = result(1, Map.of("a", 3, "b", 4));
    assertDoesNotThrow(
        () -> first.checkSameRows(result(1, Map.of("a", 3, "b", 4)), "m.onnx", DATA));
    assertEquals(
        "Cannot calibrate m.onnx: rows had 8 rows when it was read first and 9 when it was read"
            + " again; calibrate on data that nobody writes to, or on a snapshot of it",
        refused(first, result(1, Map.of("a", 3, "b", 5))));
    assertEquals(
        "Cannot calibrate m.onnx: rows, slice a, had 3 rows when it was read first and 2 when it"
            + " was read again; calibrate on data that nobody writes to, or on a snapshot of it",
        refused(first, result(1, Map.of("a", 2, "b", 5))));
    assertEquals(
        "Cannot calibrate m.onnx: rows, slice b, had 4 rows when it was read first and 0 when it"
            + " was read again; calibrate on data that nobody writes to, or on a snapshot of it",
        refused(first, result(1, Map.of("a", 3, "c", 4))));
  }
}
