package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Set;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.spark.MetricsPlugin;

/** What jobs found is in Spark's metrics system, here as its sink for JMX shows it. */
class MetricsTest {
  private static final MBeanServer BEANS = ManagementFactory.getPlatformMBeanServer();

  @TempDir Path folder;

  @Test
  void jobsAreSeenInSparksMetrics() throws Exception {
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.plugins", MetricsPlugin.class.getName())
            .config(
                "spark.metrics.conf.driver.sink.jmx.class", "org.apache.spark.metrics.sink.JmxSink")
            .getOrCreate();
    try {
      spark.sparkContext().setLogLevel("OFF");
      NightlyFiles files = NightlyFiles.make(spark, folder);
      double rows = value("rows");
      Tare tare = Tare.on(spark);
      Calibration day = tare.calibrate(files.model()).data(files.day(1)).run();
      assertEquals(64, value("rows") - rows);
      assertTrue(value("rows_per_second") > 0, "rows a second");
      Calibration moved = tare.calibrate(files.model()).data(files.moved()).run();
      assertEquals(128, value("rows") - rows);
      DriftCheck check = tare.drift(day.state()).current(moved.state()).run();
      assertEquals(check.report().effect(), value("drift_effect"));
      assertTrue(value("drifted_tensors") > 0, "tensors that moved");
      Quantized made = tare.quantize(files.model()).state(day.state()).run();
      Evaluation found = tare.evaluate(files.model(), made).data(files.day(1)).run();
      assertEquals(found.outputs().get("y").sqnr(), value("sqnr_db"));
      assertFalse(Double.isNaN(value("sqnr_db")), "SQNR");
    } finally {
      spark.stop();
    }
  }

  private static double value(String name) throws Exception {
    String wanted = ".plugin." + MetricsPlugin.class.getName() + "." + name;
    Set<ObjectName> beans = BEANS.queryNames(new ObjectName("metrics:*"), null);
    for (ObjectName bean : beans) {
      if (bean.getKeyProperty("name").endsWith(wanted)) {
        return ((Number) BEANS.getAttribute(bean, "Value")).doubleValue();
      }
    }
    throw new AssertionError("no " + wanted + " among " + beans.size() + " metrics");
  }
}
