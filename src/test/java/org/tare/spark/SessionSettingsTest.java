package org.tare.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.tare.spark.tasks.DigitsCalibration;

/** Settings of a session that several jobs want otherwise at once. */
class SessionSettingsTest {
  private static final String SMALL = "spark.sql.parquet.columnarReaderBatchSize";
  private static final String LARGE = "spark.sql.objectHashAggregate.sortBased.fallbackThreshold";

  private static SparkSession spark;

  @BeforeAll
  static void start() {
    spark = DigitsCalibration.local("local[1]", Map.of());
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static boolean has(String key) {
    return spark.conf().getAll().contains(key);
  }

  @Test
  void whatWasNotSetIsNotSetAfterwards() {
    SessionSettings one = new SessionSettings(spark);
    SessionSettings two = new SessionSettings(spark);
    assertFalse(one.isChosen(SMALL));
    one.atMost(SMALL, 32);
    two.atMost(SMALL, 16);
    assertEquals("16", spark.conf().get(SMALL));
    assertFalse(two.isChosen(SMALL), "the caller did not choose it");
    one.atMost(SMALL, 512);
    assertEquals("16", spark.conf().get(SMALL), "the other job needs 16");
    one.atLeast(LARGE, 300);
    two.atLeast(LARGE, 200);
    assertEquals("300", spark.conf().get(LARGE));
    two.close();
    assertEquals("512", spark.conf().get(SMALL));
    one.close();
    assertFalse(has(SMALL));
    assertFalse(has(LARGE));
    one.close();
    assertFalse(has(SMALL), "closing twice does nothing");
  }

  @Test
  void whatTheCallerChoseComesBack() {
    spark.conf().set(LARGE, "250");
    try (SessionSettings one = new SessionSettings(spark)) {
      assertTrue(one.isChosen(LARGE));
      one.atLeast(LARGE, 200);
      assertEquals("250", spark.conf().get(LARGE), "the caller's is larger");
      one.atLeast(LARGE, 400);
      assertEquals("400", spark.conf().get(LARGE));
      assertTrue(one.isChosen(LARGE));
    }
    assertEquals("250", spark.conf().get(LARGE));
    spark.conf().unset(LARGE);
  }
}
