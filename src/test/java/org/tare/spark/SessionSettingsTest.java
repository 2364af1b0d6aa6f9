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
  private static final String SWITCH = "spark.sql.optimizer.metadataOnly";

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
    one.off(SWITCH);
    two.off(SWITCH);
    two.close();
    assertEquals("512", spark.conf().get(SMALL));
    assertEquals("false", spark.conf().get(SWITCH), "the other job needs it off");
    one.close();
    assertFalse(has(SMALL));
    assertFalse(has(SWITCH));
    one.close();
    assertFalse(has(SMALL), "closing twice does nothing");
  }

  @Test
  void whatTheCallerChoseComesBack() {
    spark.conf().set(SMALL, "250");
    spark.conf().set(SWITCH, "true");
    try (SessionSettings one = new SessionSettings(spark)) {
      assertTrue(one.isChosen(SMALL));
      one.atMost(SMALL, 300);
      assertEquals("250", spark.conf().get(SMALL), "the caller's is smaller");
      one.atMost(SMALL, 200);
      assertEquals("200", spark.conf().get(SMALL));
      assertTrue(one.isChosen(SMALL));
      one.off(SWITCH);
      assertEquals("false", spark.conf().get(SWITCH));
    }
    assertEquals("250", spark.conf().get(SMALL));
    assertEquals("true", spark.conf().get(SWITCH));
    spark.conf().unset(SMALL);
    spark.conf().unset(SWITCH);
  }
}
