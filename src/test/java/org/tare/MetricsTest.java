package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.spark.JobEvent;
import org.tare.spark.MetricsPlugin;

/**
 * What jobs found is in Spark's metrics system, here as its sink for JMX shows it, on its listener
 * bus, and in its event log.
 */
class MetricsTest {
  private static final MBeanServer BEANS = ManagementFactory.getPlatformMBeanServer();

  @TempDir Path folder;

  /** Keeps Tare's events. */
  private static final class Events extends SparkListener {
    private final List<JobEvent> seen = Collections.synchronizedList(new ArrayList<>());

    @Override
    public void onOtherEvent(SparkListenerEvent event) {
      if (event instanceof JobEvent own) {
        seen.add(own);
      }
    }
  }

  @Test
  void jobsAreSeenInSparksMetricsAndEvents() throws Exception {
    Path log = Files.createDirectory(folder.resolve("log"));
    Events events = new Events();
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.eventLog.enabled", "true")
            .config("spark.eventLog.compress", "false")
            .config("spark.eventLog.dir", log.toUri().toString())
            .config("spark.plugins", MetricsPlugin.class.getName())
            .config(
                "spark.metrics.conf.driver.sink.jmx.class", "org.apache.spark.metrics.sink.JmxSink")
            .getOrCreate();
    try {
      spark.sparkContext().setLogLevel("OFF");
      spark.sparkContext().addSparkListener(events);
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
      String output = folder.resolve("made").toString();
      Quantized made = tare.quantize(files.model()).state(day.state()).output(output).run();
      Evaluation found = tare.evaluate(files.model(), made).data(files.day(1)).run();
      assertEquals(found.outputs().get("y").sqnr(), value("sqnr_db"));
      assertFalse(Double.isNaN(value("sqnr_db")), "SQNR");
      long movedTensors = (long) value("drifted_tensors");
      spark.stop(); // which empties the bus
      assertEquals(5, events.seen.size(), events.seen.toString());
      JobEvent.Calibrated first = (JobEvent.Calibrated) events.seen.get(0);
      assertEquals(new JobEvent.Calibrated(64, 0, first.seconds()), first);
      assertEquals(
          new JobEvent.DriftChecked(check.report().effect(), movedTensors), events.seen.get(2));
      assertEquals(new JobEvent.Published(output), events.seen.get(3));
      assertEquals(new JobEvent.Evaluated(found.outputs().get("y").sqnr()), events.seen.get(4));
      assertTrue(
          lines(log)
              .contains(
                  "{\"Event\":\"org.tare.spark.JobEvent$Published\",\"output\":\""
                      + output
                      + "\"}"),
          "the event log has no such event");
    } finally {
      spark.stop();
    }
  }

  private static List<String> lines(Path log) throws IOException {
    try (Stream<Path> files = Files.walk(log)) {
      List<String> lines = new ArrayList<>();
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (!file.toString().endsWith(".crc")) {
          lines.addAll(Files.readAllLines(file));
        }
      }
      return lines;
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
