package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.api.java.function.ForeachPartitionFunction;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.Test;

/** What is told of a job on its way. */
class ProgressTest {
  @Test
  void nothingIsToldWhileNothingIsKnown() {
    assertEquals("", Progress.line("Calibrating", 0, new Progress.Tasks(0, 8), 3));
    assertEquals(
        "Calibrating: 1,000 rows, 500 rows/s, 0 of 8 tasks",
        Progress.line("Calibrating", 1000, new Progress.Tasks(0, 8), 2));
    assertEquals(
        "Calibrating: 1,000 rows, 500 rows/s, 2 of 8 tasks, about 6 s left",
        Progress.line("Calibrating", 1000, new Progress.Tasks(2, 8), 2));
    assertEquals(
        "Calibrating: 1,000 rows, 500 rows/s",
        Progress.line("Calibrating", 1000, new Progress.Tasks(0, 0), 2));
  }

  @Test
  void rowsOfARunningTaskAreSeenAndCountOnce() throws Exception {
    SparkSession spark =
        DigitsCalibration.local("local[1]", Map.of("spark.executor.heartbeatInterval", "100ms"));
    try {
      LongAccumulator seen = spark.sparkContext().longAccumulator("rows");
      Progress.Rows rows = new Progress.Rows(seen);
      spark.sparkContext().addSparkListener(rows);
      AtomicLong most = new AtomicLong();
      Thread watch =
          new Thread(
              () -> {
                while (!Thread.currentThread().isInterrupted() && most.get() == 0) {
                  if (seen.value() == 0) {
                    most.set(rows.count());
                  }
                  Thread.onSpinWait();
                }
              });
      watch.setDaemon(true);
      watch.start();
      ForeachPartitionFunction<Long> slow =
          all -> {
            while (all.hasNext()) {
              all.next();
              seen.add(1);
              Thread.sleep(20);
            }
          };
      spark.range(0, 100, 1, 1).foreachPartition(slow);
      watch.interrupt();
      DigitsCalibration.awaitListeners(spark);
      assertTrue(most.get() > 0 && most.get() <= 100, "no rows within the task: " + most);
      assertEquals(100, rows.count());
    } finally {
      spark.stop();
    }
  }
}
