package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class BatchRowsTest {
  private static final long MOST = BatchRows.BYTES_AT_ONCE;

  @Test
  void rowsThatFitAreAPartOfTheBatch() {
    BatchRows wanted = new BatchRows(32, false);
    assertEquals(wanted, wanted.within(0));
    assertEquals(wanted, wanted.within(MOST / 32));
    assertEquals(16, wanted.within(MOST / 32 + 1).size());
    assertEquals(8, wanted.within(MOST / 9).size(), "9 would fit, and 32 is no multiple of it");
    assertEquals(1, wanted.within(MOST / 2 + 1).size());
    assertEquals(1, wanted.within(Long.MAX_VALUE / 32).size());
    assertEquals(1, new BatchRows(31, false).within(MOST / 30).size());
  }

  @Test
  void aNumberThatTheModelFixesStays() {
    BatchRows fixed = new BatchRows(32, true);
    assertEquals(fixed, fixed.within(MOST));
  }
}
