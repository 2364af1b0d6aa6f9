package org.tare;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException.Kind;
import org.tare.job.MemoryNeed;
import org.tare.onnx.TestModel;
import org.tare.streams.CalibrateStream;

/** What a run would need, told from the model and a row of the table. */
class DryRunTest {
  private static final long COUNTERS = (40 + 4) << 10;
  private static final long LOOP = 1 << 20;
  private static final Map<String, Object> PLAIN = Map.of("quantize.smooth-quant", "false");

  private static SparkSession spark;
  private static NightlyFiles files;

  @TempDir static Path shared;
  @TempDir Path folder;

  @BeforeAll
  static void start() throws Exception {
    spark = LocalSpark.start();
    files = NightlyFiles.make(spark, shared);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static MemoryNeed need(int batch, Map<String, Object> settings) {
    return Tare.on(spark)
        .calibrate(files.model())
        .data(files.day(1))
        .batch(batch)
        .set(settings)
        .dryRun()
        .memory()
        .orElseThrow();
  }

  @Test
  void memoryIsThatOfTheObservedTensorsOfABatch() throws Exception {
    // Of x, with 8 values a row: half as much again, and two times the largest, which it is.
    MemoryNeed need = need(32, PLAIN);
    assertEquals(32 * (4 * 8 * 3 / 2 + 2 * 4 * 8), need.tensorBytes());
    assertEquals(1, need.tensors());
    assertEquals(Files.size(Path.of(files.model())), need.modelBytes());
    assertEquals(2, need.tasks(), "local[2]");
    assertEquals(need.sessionBytes() + 2 * need.tensorBytes(), need.outsideBytes());
    assertEquals(2 * need.counterBytes(), need.heapBytes());
    assertEquals(10 * need.tensorBytes(), need(320, PLAIN).tensorBytes());
    MemoryNeed smoothed = need(32, Map.of());
    assertEquals(2, smoothed.tensors(), "x, and x divided by SmoothQuant's factors");
    assertEquals(32 * (4 * 16 * 3 / 2 + 2 * 4 * 8), smoothed.tensorBytes());
  }

  @Test
  void countersOfChannelsAreAmongThem() {
    assertEquals(LOOP + COUNTERS + 8 * 232, need(32, PLAIN).counterBytes());
    MemoryNeed all =
        need(32, Map.of("quantize.smooth-quant", "false", "calibrate.channels", "histogram"));
    assertEquals(LOOP + COUNTERS + 8 * (COUNTERS + 232), all.counterBytes());
  }

  @Test
  void sizesThatOnlyDataTellAreThoseOfARow() throws Exception {
    TestModel.opset(17)
        .input("x", -1, 1, -1)
        .constant("w", new long[] {4, 1, 3}, new float[12])
        .node("Conv", List.of("x", "w"), List.of("y"))
        .output("y", -1, 4, -1)
        .write(folder.resolve("conv.onnx"));
    List<Float> signal = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      signal.add((float) i);
    }
    Dataset<Row> rows =
        spark.createDataFrame(
            List.of(RowFactory.create(signal)),
            new StructType().add("x", new ArrayType(DataTypes.FloatType, false)));
    DryRun plan =
        Tare.on(spark).calibrate(folder.resolve("conv.onnx").toString()).data(rows).dryRun();
    MemoryNeed need = plan.memory().orElseThrow();
    int values = 50 + 4 * 48;
    assertEquals(need.batch() * (4L * values * 3 / 2 + 2 * 4 * 4 * 48), need.tensorBytes());
    assertEquals(need.tensorBytes() + need.counterBytes(), plan.taskBytes());
  }

  /** 38 MB a row: no more than three fit what is looked at together, and two divide a batch. */
  @Test
  void aBatchIsNoLargerThanFits() throws Exception {
    TestModel.opset(17)
        .input("x", -1, 1, -1)
        .constant("w", new long[] {200_000, 1, 3}, new float[600_000])
        .node("Conv", List.of("x", "w"), List.of("y"))
        .output("y", -1, 200_000, -1)
        .write(folder.resolve("wide.onnx"));
    List<Float> signal = new ArrayList<>(Collections.nCopies(50, 1f));
    Dataset<Row> rows =
        spark.createDataFrame(
            List.of(RowFactory.create(signal)),
            new StructType().add("x", new ArrayType(DataTypes.FloatType, false)));
    String model = folder.resolve("wide.onnx").toString();
    MemoryNeed need = Tare.on(spark).calibrate(model).data(rows).dryRun().memory().orElseThrow();
    assertEquals(2, need.batch());
    long values = 50 + 200_000 * 48;
    assertEquals(2 * (4L * values * 3 / 2 + 2 * 4 * 200_000 * 48), need.tensorBytes());
    // A moving average takes one step for each batch: these stay as they are set.
    MemoryNeed average =
        Tare.on(spark)
            .calibrate(model)
            .data(rows)
            .set("quantize.activation.method", "moving-average")
            .dryRun()
            .memory()
            .orElseThrow();
    assertEquals(32, average.batch());
  }

  @Test
  void whatObservesNothingNeedsNothing() {
    DryRun plan = Tare.on(spark).quantize(files.model()).set("quantize.mode", "dynamic").dryRun();
    assertEquals(Optional.empty(), plan.memory());
    assertEquals(0, plan.taskBytes());
  }

  private CalibrateStream stream(String data) {
    return CalibrateStream.on(spark, files.model())
        .rows(data)
        .store(folder.resolve("states").toString());
  }

  @Test
  void streamIsLookedAtBeforeItRuns() throws Exception {
    DryRun plan = stream(files.day(1)).dryRun();
    assertEquals(need(plan.memory().orElseThrow().batch(), Map.of()), plan.memory().orElseThrow());
    assertTrue(plan.observed().containsKey("x"), plan.observed().toString());
    assertTrue(
        plan.settings().stream().anyMatch(one -> one.key().equals("store.path")),
        plan.settings().toString());
    assertEquals(List.of(), List.of(folder.toFile().list()), "nothing was written");

    // Nothing has come yet: the settings and the model are all there is to look at.
    Path none = Files.createDirectories(folder.resolve("none"));
    DryRun empty = stream(none.toString()).set("stream.schema", "x array<float>").dryRun();
    assertEquals(Optional.empty(), empty.memory());
  }

  @Test
  void streamThatCannotRunIsToldBefore() {
    assertMessage(
        "which is not there; the columns are id, x",
        stream(files.day(1)).set("inputs.x.column", "pixels"));
    assertMessage("a stream writes no output", stream(files.day(1)).set("output", "out"));
    assertMessage("/nothing: there is no such path", stream(folder.resolve("nothing").toString()));
    assertMessage(
        "model.onnx",
        CalibrateStream.on(spark, folder.resolve("model.onnx").toString())
            .rows(files.day(1))
            .store(folder.resolve("states").toString()));
  }

  private static void assertMessage(String part, CalibrateStream stream) {
    TareException failure = assertThrows(TareException.class, stream::dryRun);
    assertTrue(failure.getMessage().contains(part), failure.getMessage());
    assertTrue(failure.kind() != Kind.INTERNAL, failure.kind() + ": " + failure.getMessage());
  }
}
