package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.correct.ChannelAxes;
import org.tare.spark.tasks.CalibrationJob;
import org.tare.spark.tasks.DigitsCalibration;
import org.tare.spark.tasks.ObservedParts;
import org.tare.spark.tasks.ObservedParts.ChannelDetail;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelStats;
import org.tare.stats.TensorStats;

/** States of slices, statistics of channels and moving averages, on the demo's model. */
class SlicesTest {
  @TempDir static Path folder;

  private static SparkSession spark;

  @BeforeAll
  static void start() {
    spark = DigitsCalibration.local("local[2]", Map.of());
    String data = DigitsCalibration.demoFile(folder, "digits-train.parquet").toString();
    spark
        .read()
        .parquet(data)
        .where("id % 7 = 0")
        .selectExpr(
            "id",
            "image",
            "label",
            "CASE WHEN id % 3 = 0 THEN NULL ELSE concat('c/', id % 2) END AS c")
        .repartition(3)
        .createOrReplaceTempView("digits");
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static CalibrationJob.Result calibrate(
      String query, ObservedParts parts, List<String> by) {
    CalibrationJob.Request plain = DigitsCalibration.request(folder, Optional.empty(), query);
    return CalibrationJob.run(
        spark,
        new CalibrationJob.Request(
            plain.label(),
            plain.prepared(),
            plain.types(),
            plain.observed(),
            plain.data(),
            plain.inputs(),
            plain.batch(),
            plain.badRows(),
            parts,
            Optional.empty(),
            by),
        line -> {});
  }

  private static ObservedParts channels(ChannelDetail detail) {
    CalibrationJob.Request request =
        DigitsCalibration.request(folder, Optional.empty(), "SELECT 1");
    return new ObservedParts(
        Map.of(), detail, ChannelAxes.of(request.prepared(), request.types(), request.observed()));
  }

  @Test
  void eachSliceHasTheStateOfItsRows() {
    String all = "SELECT * FROM digits";
    CalibrationJob.Result result =
        calibrate(all, channels(ChannelDetail.SUMMARY), List.of("c", "label"));
    CalibrationState whole = calibrate(all, channels(ChannelDetail.SUMMARY), List.of()).state();
    // Three values of c, one of them null, and ten labels.
    assertEquals(30, result.slices().size());
    CalibrationState sum = null;
    for (CalibrationState slice : result.slices().values()) {
      sum = sum == null ? slice : sum.merge(slice);
    }
    assertArrayEquals(whole.encode(), result.state().encode());
    assertArrayEquals(whole.encode(), sum.ofSlice("").encode());
    String name = "c=c%2F1,label=7";
    assertTrue(result.slices().containsKey(name), result.slices().keySet().toString());
    assertTrue(result.slices().containsKey("c=__HIVE_DEFAULT_PARTITION__,label=0"));
    CalibrationState alone =
        calibrate(
                "SELECT * FROM digits WHERE c = 'c/1' AND label = 7",
                channels(ChannelDetail.SUMMARY),
                List.of())
            .state();
    assertArrayEquals(alone.ofSlice(name).encode(), result.slices().get(name).encode());
  }

  @Test
  void channelsAreThoseOfTheTensor() {
    CalibrationState state =
        calibrate("SELECT * FROM digits LIMIT 200", channels(ChannelDetail.HISTOGRAM), List.of())
            .state();
    int withChannels = 0;
    for (Map.Entry<String, TensorStats> entry : state.tensors().entrySet()) {
      TensorStats stats = entry.getValue();
      if (stats.channels().isEmpty()) {
        continue;
      }
      withChannels++;
      ChannelStats channels = stats.channels().get();
      TensorStats sum = TensorStats.empty();
      for (int c = 0; c < channels.channels(); c++) {
        sum.merge(channels.channel(c));
      }
      TensorStats plain = TensorStats.empty();
      plain.merge(sum);
      assertEquals(stats.count(), plain.count(), entry.getKey());
      assertEquals(stats.min(), plain.min(), entry.getKey());
      assertEquals(stats.histogram(), plain.histogram(), entry.getKey());
    }
    assertEquals(state.tensors().size(), withChannels);
    assertEquals(1, state.tensor("image").channels().orElseThrow().channels());
  }

  @Test
  void movingAveragesFollowThePartitions() {
    Map<String, Float> averages = Map.of("image", 0.5f);
    ObservedParts parts = new ObservedParts(averages, ChannelDetail.NONE, Map.of());
    String ordered = "SELECT * FROM digits ORDER BY id";
    CalibrationState one = calibrate(ordered, parts, List.of()).state();
    CalibrationState again = calibrate(ordered, parts, List.of()).state();
    assertArrayEquals(one.encode(), again.encode());
    // A thousand rows in batches of 32, the last of each partition shorter.
    assertTrue(one.tensor("image").average().orElseThrow().batches() >= 31);
    assertEquals(1f, one.tensor("image").average().orElseThrow().max(0), 1e-6);
    TareException e = assertThrows(TareException.class, () -> one.merge(again));
    assertTrue(e.getMessage().startsWith("Tensor \"image\": Cannot merge moving averages"));
  }

  @Test
  void wrongColumnsAreNamed() {
    TareException missing =
        assertThrows(
            TareException.class,
            () -> calibrate("SELECT * FROM digits", ObservedParts.none(), List.of("country")));
    assertEquals(
        "Cannot calibrate digits by \"country\": there is no such column; the columns are id, image,"
            + " label, c",
        missing.getMessage());
    TareException binary =
        assertThrows(
            TareException.class,
            () -> calibrate("SELECT * FROM digits", ObservedParts.none(), List.of("image")));
    assertTrue(binary.getMessage().contains("the column is of type binary"), binary.getMessage());
  }
}
