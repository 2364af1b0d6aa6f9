package org.tare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskKilled;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.SparkListenerTaskStart;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException.Kind;
import org.tare.job.TrainingRun;
import org.tare.onnx.ElementType;
import org.tare.onnx.TestModel;
import org.tare.spark.tasks.DigitsCalibration;

/** Training for quantization, on a net of a few weights. */
class FinetuneTest {
  private static final int ROWS = 256;
  private static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.LongType)
          .add("x", new ArrayType(DataTypes.FloatType, false))
          .add("label", DataTypes.LongType);

  @TempDir Path folder;

  private static float[] random(Random random, int count, double factor) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (factor * random.nextGaussian());
    }
    return values;
  }

  private String model() {
    Random random = new Random(3);
    Path file = folder.resolve("net.onnx");
    TestModel.opset(17)
        .input("x", -1, 2, 6, 6)
        .constant("w1", new long[] {8, 2, 3, 3}, random(random, 144, 0.4))
        .constant("b1", new long[] {8}, random(random, 8, 0.2))
        .constant("w2", new long[] {8, 1, 3, 3}, random(random, 72, 0.6))
        .constant("w3", new long[] {8, 5}, random(random, 40, 0.8))
        .constant("b3", new long[] {5}, random(random, 5, 0.2))
        .node("Conv", List.of("x", "w1", "b1"), List.of("c1"), "pads", new long[] {1, 1, 1, 1})
        .node("Relu", List.of("c1"), List.of("r1"))
        .node("Conv", List.of("r1", "w2"), List.of("c2"), "group", 8L)
        .node("Relu", List.of("c2"), List.of("r2"))
        .node("GlobalAveragePool", List.of("r2"), List.of("p"))
        .node("Flatten", List.of("p"), List.of("f"))
        .node("Gemm", List.of("f", "w3", "b3"), List.of("y"))
        .output("y", -1, 5)
        .write(file);
    return file.toString();
  }

  private static List<Row> rows(long labels) {
    Random random = new Random(7);
    List<Row> rows = new ArrayList<>();
    for (long id = 0; id < ROWS; id++) {
      List<Float> x = new ArrayList<>();
      for (int i = 0; i < 72; i++) {
        x.add((float) random.nextGaussian());
      }
      rows.add(RowFactory.create(id, x, id % labels));
    }
    return rows;
  }

  private static SparkSession session(String master) {
    SparkSession spark =
        SparkSession.builder()
            .master(master)
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate();
    spark.sparkContext().setLogLevel("OFF");
    return spark;
  }

  private static Finetune finetune(SparkSession spark, String model, Dataset<Row> rows) {
    return finetune(Tare.on(spark), model, rows);
  }

  private static Finetune finetune(Tare tare, String model, Dataset<Row> rows) {
    return tare.finetune(model)
        .data(rows)
        .set("quantize.weight.bits", 3)
        .set("quantize.measure-rows", 0)
        .set("train.batch", 16)
        .set("train.workers", 2)
        .set("train.epochs", 6)
        .set("train.round-steps", 12)
        .set("train.evaluate-every", 2)
        .set("train.learning-rate", 0.01)
        .set("train.loss", "mse");
  }

  @Test
  void trainsToTheSameBytesOnAnyClusterAndPublishesWhatIsBetter() throws Exception {
    String model = model();
    List<Row> rows = rows(5);
    String out = folder.resolve("out").toString();
    RunResult two;
    SparkSession spark = session("local[2]");
    try {
      two = finetune(spark, model, spark.createDataFrame(rows, SCHEMA)).output(out).run();
    } finally {
      spark.stop();
    }
    TrainingRun.Result training = two.training().orElseThrow();
    assertTrue(training.bestStep() > 0, "training did not help");
    assertTrue(
        training.measured().sqnr() > training.before().sqnr() + 2,
        training.before() + " became " + training.measured());
    assertEquals(ROWS, training.rows());
    assertEquals(48, training.steps());
    assertEquals(
        List.of(12L, 24L, 36L, 48L), training.curve().stream().map(point -> point.step()).toList());
    assertEquals(
        List.of(false, true, false, true),
        training.curve().stream().map(point -> point.measured().isPresent()).toList());
    JsonNode result = new ObjectMapper().readTree(Path.of(out, "result.json").toFile());
    assertEquals("finetune", result.path("command").asText());
    assertEquals(4, result.path("training").path("curve").size());
    assertTrue(Files.exists(Path.of(out, "_SUCCESS")));
    String report = Files.readString(Path.of(out, "report.html"));
    assertTrue(report.contains("\"losses\":[{\"step\":0,\"loss\":null,\"sqnr\":"), "no curve");
    assertTrue(report.contains("{\"step\":12,\"loss\":"), "no point after the first round");

    List<Row> shuffled = new ArrayList<>(rows);
    Collections.shuffle(shuffled, new Random(11));
    spark = session("local[1]");
    try {
      Dataset<Row> other = spark.createDataFrame(shuffled, SCHEMA).repartition(3);
      RunResult one = finetune(spark, model, other).run();
      assertArrayEquals(
          Files.readAllBytes(Path.of(out, "model.onnx")), TestModel.bytes(one.quantized().model()));
      assertStops(finetune(spark, model, other));
      assertRefuses(spark, model);
      assertFreezes(spark);
      assertTakesSequences(spark);
    } finally {
      spark.stop();
    }
  }

  /** Kills the first attempt of every task that takes steps of training. */
  private static final class Killer extends SparkListener {
    private final SparkContext context;
    private final AtomicInteger killed = new AtomicInteger();
    private final Set<Integer> stages = ConcurrentHashMap.newKeySet();

    Killer(SparkContext context) {
      this.context = context;
    }

    @Override
    public void onStageSubmitted(SparkListenerStageSubmitted submitted) {
      String description = submitted.properties().getProperty("spark.job.description", "");
      if (description.contains(": steps ")) {
        stages.add(submitted.stageInfo().stageId());
      }
    }

    @Override
    public void onTaskStart(SparkListenerTaskStart start) {
      if (stages.contains(start.stageId()) && start.taskInfo().attemptNumber() == 0) {
        context.killTaskAttempt(start.taskInfo().taskId(), false, "by the test");
      }
    }

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
      if (stages.contains(end.stageId()) && end.reason() instanceof TaskKilled) {
        killed.incrementAndGet();
      }
    }
  }

  private static TareException refusal(Finetune finetune) {
    return assertThrows(TareException.class, finetune::run);
  }

  @Test
  void goesOnFromItsCheckpointToTheSameBytesThoughTasksAreKilled() throws Exception {
    String model = model();
    Path file = folder.resolve("net.checkpoint");
    SparkSession spark = session("local[2]");
    try {
      Dataset<Row> rows = spark.createDataFrame(rows(5), SCHEMA);
      RunResult whole = finetune(spark, model, rows).run();
      Tare broken =
          Tare.on(spark)
              .withProgress(
                  line -> {
                    if (line.startsWith("Training: step 36 ")) {
                      throw new IllegalStateException("the driver is gone");
                    }
                  });
      assertThrows(
          IllegalStateException.class,
          () -> finetune(broken, model, rows).set("train.checkpoint", file.toString()).run());
      byte[] reached = Files.readAllBytes(file);

      Killer killer = new Killer(spark.sparkContext());
      spark.sparkContext().addSparkListener(killer);
      List<String> lines = Collections.synchronizedList(new ArrayList<>());
      Finetune again =
          finetune(Tare.on(spark).withProgress(lines::add), model, rows)
              .set("train.checkpoint", file.toString());
      RunResult resumed = again.run();
      assertTrue(
          lines.contains("Training goes on after step 24, from its checkpoint"), lines.toString());
      assertTrue(killer.killed.get() > 0, "no task was killed");
      assertArrayEquals(
          TestModel.bytes(whole.quantized().model()), TestModel.bytes(resumed.quantized().model()));
      assertEquals(
          whole.training().orElseThrow().curve(), resumed.training().orElseThrow().curve());
      assertEquals(whole.training().orElseThrow().bestStep(), resumed.training().get().bestStep());

      // What has ended is not trained again.
      lines.clear();
      again.run();
      assertTrue(lines.stream().noneMatch(line -> line.startsWith("Training: ")), lines.toString());

      assertDoesNotGoOn(spark, model, file, reached);
    } finally {
      spark.stop();
    }
  }

  @Test
  void scalesThatAreObservedOrLearnedDoNoHarm() {
    String model = model();
    SparkSession spark = session("local[2]");
    try {
      Dataset<Row> rows = spark.createDataFrame(rows(5), SCHEMA);
      for (String scales : List.of("observed", "learned")) {
        // libtorch sums in another order on each CPU: after 6 epochs learned scales had gained 1.5
        // dB
        // with AVX-512 and more than 2 without; 12 leave a margin.
        RunResult result =
            finetune(spark, model, rows).set("train.epochs", 12).set("train.scales", scales).run();
        TrainingRun.Result training = result.training().orElseThrow();
        assertTrue(
            training.measured().sqnr() > training.before().sqnr() + 2,
            scales + ": " + training.before() + " became " + training.measured());
        assertTrue(
            result.quantized().qparams().values().stream()
                .anyMatch(one -> one.method().equals("trained")),
            scales);
      }
      Finetune both =
          finetune(spark, model, rows)
              .set("train.scales", "learned")
              .set("train.zero-points", "learned");
      TrainingRun.Result training = both.run().training().orElseThrow();
      assertTrue(
          training.measured().sqnr() > training.before().sqnr() + 1,
          training.before() + " became " + training.measured());
      TareException alone = refusal(both.set("train.scales", "observed"));
      assertEquals(Kind.USAGE, alone.kind());
      assertEquals(
          "train.zero-points=learned cannot be used with train.scales=observed: zero points are"
              + " trained with their scales; set train.scales=learned",
          alone.getMessage());
    } finally {
      spark.stop();
    }
  }

  /** Its running statistics are those of the rows, which are normal numbers. */
  private String normalized() {
    Random random = new Random(5);
    Path file = folder.resolve("norm.onnx");
    float[] w = random(random, 108, 0.4);
    float[] variance = new float[6];
    for (int i = 0; i < w.length; i++) {
      variance[i / 18] += w[i] * w[i];
    }
    TestModel.opset(17)
        .input("x", -1, 2, 6, 6)
        .constant("w1", new long[] {6, 2, 3, 3}, w)
        .constant("g", new long[] {6}, random(random, 6, 1))
        .constant("b", new long[] {6}, random(random, 6, 0.5))
        .constant("m", new long[] {6}, new float[6])
        .constant("v", new long[] {6}, variance)
        .constant("w2", new long[] {6, 5}, random(random, 30, 0.8))
        .node("Conv", List.of("x", "w1"), List.of("c"))
        .node("BatchNormalization", List.of("c", "g", "b", "m", "v"), List.of("n"))
        .node("Relu", List.of("n"), List.of("r"))
        .node("GlobalAveragePool", List.of("r"), List.of("p"))
        .node("Flatten", List.of("p"), List.of("f"))
        .node("MatMul", List.of("f", "w2"), List.of("y"))
        .output("y", -1, 5)
        .write(file);
    return file.toString();
  }

  private static Finetune normalizing(Tare tare, String model, Dataset<Row> rows) {
    return finetune(tare, model, rows)
        .set("train.epochs", 3)
        .set("train.round-steps", 6)
        .set("train.batch-normalization", "trained")
        .set("train.freeze-batch-normalization-after", 15);
  }

  /** Its statistics are in the checkpoint, and are the same on any cluster. */
  @Test
  void batchNormalizationIsTrainedToTheSameBytesThoughTheDriverIsGoneInBetween() throws Exception {
    String model = normalized();
    String file = folder.resolve("norm.checkpoint").toString();
    byte[] whole;
    SparkSession spark = session("local[2]");
    try {
      Dataset<Row> rows = spark.createDataFrame(rows(5), SCHEMA);
      RunResult trained = normalizing(Tare.on(spark), model, rows).run();
      TrainingRun.Result training = trained.training().orElseThrow();
      assertTrue(
          training.measured().sqnr() > training.before().sqnr() + 2,
          training.before() + " became " + training.measured());
      assertTrue(
          trained.warnings().stream().noneMatch(line -> line.contains("batch-normalization")),
          trained.warnings().toString());
      whole = TestModel.bytes(trained.quantized().model());
      Tare broken =
          Tare.on(spark)
              .withProgress(
                  line -> {
                    if (line.startsWith("Training: step 18 ")) {
                      throw new IllegalStateException("the driver is gone");
                    }
                  });
      assertThrows(
          IllegalStateException.class,
          () -> normalizing(broken, model, rows).set("train.checkpoint", file).run());
    } finally {
      spark.stop();
    }
    List<Row> shuffled = new ArrayList<>(rows(5));
    Collections.shuffle(shuffled, new Random(12));
    spark = session("local[1]");
    try {
      Dataset<Row> rows = spark.createDataFrame(shuffled, SCHEMA);
      assertEquals(
          "Cannot go on from the checkpoint "
              + file
              + ": train.batch-normalization is \"FOLDED\", and was \"TRAINED\"; give another"
              + " train.checkpoint, or remove it to begin anew",
          refusal(
                  normalizing(Tare.on(spark), model, rows)
                      .set("train.batch-normalization", "folded")
                      .set("train.checkpoint", file))
              .getMessage());
      List<String> lines = Collections.synchronizedList(new ArrayList<>());
      RunResult resumed =
          normalizing(Tare.on(spark).withProgress(lines::add), model, rows)
              .set("train.checkpoint", file)
              .run();
      assertTrue(
          lines.contains("Training goes on after step 12, from its checkpoint"), lines.toString());
      assertArrayEquals(whole, TestModel.bytes(resumed.quantized().model()));
    } finally {
      spark.stop();
    }
  }

  private void assertDoesNotGoOn(SparkSession spark, String model, Path file, byte[] good)
      throws Exception {
    Dataset<Row> rows = spark.createDataFrame(rows(5), SCHEMA);
    // Of the same values, and so with the same scales.
    Dataset<Row> twice = rows.union(rows);
    String begin = "Cannot go on from the checkpoint " + file + ": ";
    String end = "; give another train.checkpoint, or remove it to begin anew";
    Files.write(file, good);
    Finetune plain = finetune(spark, model, rows).set("train.checkpoint", file.toString());
    assertEquals(
        begin + "train.batch is \"32\", and was \"16\"" + end,
        refusal(
                finetune(spark, model, rows)
                    .set("train.checkpoint", file.toString())
                    .set("train.batch", 32))
            .getMessage());
    assertEquals(
        begin + "it was trained on other rows" + end,
        refusal(finetune(spark, model, twice).set("train.checkpoint", file.toString()))
            .getMessage());
    String other = DigitsCalibration.demoFile(folder, "digits-mobilenet.onnx").toString();
    assertEquals(
        begin + "it is of another model" + end,
        refusal(finetune(spark, other, rows).set("train.checkpoint", file.toString()))
            .getMessage());
    byte[] flipped = good.clone();
    flipped[good.length / 2] ^= 1;
    Files.write(file, flipped);
    assertEquals(
        begin + "its checksum does not fit, it is damaged or cut short",
        refusal(plain).getMessage());
    Files.write(file, Arrays.copyOf(good, good.length - 1));
    assertEquals(
        begin + "its checksum does not fit, it is damaged or cut short",
        refusal(plain).getMessage());
    byte[] newer = good.clone();
    newer[7] = 9;
    Files.write(file, newer);
    assertEquals(
        begin + "it is of version 9, this Tare reads version 2", refusal(plain).getMessage());
    Files.writeString(file, "notes of mine");
    TareException foreign = refusal(plain);
    assertEquals(
        begin + "it is no checkpoint, it does not begin with the letters TTRN",
        foreign.getMessage());
    assertEquals(Kind.BAD_INPUT, foreign.kind());
    assertEquals("notes of mine", Files.readString(file));
  }

  /** A weight that leaves the finite ends training; what is given out is the model without it. */
  private static void assertStops(Finetune finetune) {
    RunResult wild =
        finetune.set("train.learning-rate", 1000).set("train.weight-decay", 1000).run();
    TrainingRun.Result training = wild.training().orElseThrow();
    assertEquals(0, training.bestStep());
    assertTrue(
        wild.warnings().stream()
            .anyMatch(
                warning ->
                    warning.startsWith("Training stopped: ")
                        && warning.contains("a weight is not finite after step 12; ")
                        && warning.endsWith("set train.learning-rate lower than 1000.0")),
        wild.warnings().toString());
    assertTrue(
        wild.warnings().stream()
            .anyMatch(warning -> warning.startsWith("Training made the model no better (")),
        wild.warnings().toString());
  }

  /** What comes before a node that cannot be trained through stays, if that is asked for. */
  private void assertFreezes(SparkSession spark) {
    Random random = new Random(4);
    Path file = folder.resolve("normalized.onnx");
    float[] first = random(random, 16, 0.5);
    TestModel.opset(17)
        .input("x", -1, 2, 6, 6)
        .constant("w1", new long[] {8, 2, 1, 1}, first)
        .constant("w2", new long[] {8, 5}, random(random, 40, 0.8))
        .node("Conv", List.of("x", "w1"), List.of("c1"))
        .node("LRN", List.of("c1"), List.of("n"), "size", 3L)
        .node("GlobalMaxPool", List.of("n"), List.of("p"))
        .node("Flatten", List.of("p"), List.of("f"))
        .node("MatMul", List.of("f", "w2"), List.of("y"))
        .output("y", -1, 5)
        .write(file);
    Dataset<Row> rows = spark.createDataFrame(rows(5), SCHEMA);
    TareException refused = refusal(finetune(spark, file.toString(), rows));
    assertEquals(Kind.BAD_INPUT, refused.kind());
    assertTrue(
        refused.getMessage().contains("; set train.freeze-before-untrainable=true "),
        refused.getMessage());
    RunResult result =
        finetune(spark, file.toString(), rows)
            .set("train.freeze-before-untrainable", true)
            .set("train.batch-normalization", "trained")
            .set("train.epochs", 3)
            .run();
    assertTrue(
        result
            .warnings()
            .contains(
                "train.batch-normalization=trained changes nothing: normalized.onnx has no"
                    + " BatchNormalization after a Conv, ConvTranspose or Gemm with constant"
                    + " weights"),
        result.warnings().toString());
    TrainingRun.Result training = result.training().orElseThrow();
    double begin = training.curve().get(0).loss();
    double end = training.curve().get(training.curve().size() - 1).loss();
    assertTrue(end < begin, begin + " became " + end);
  }

  /** A layer for each place of sequences of 2 to 5 places, of which the last may be filling. */
  private void assertTakesSequences(SparkSession spark) throws Exception {
    Random random = new Random(5);
    Path file = folder.resolve("sequences.onnx");
    TestModel.opset(17)
        .input("x", -1, -1, 4)
        .input("attention_mask", ElementType.INT64, -1, -1)
        .longs("last", 2)
        .constant("w1", new long[] {4, 16}, random(random, 64, 0.5))
        .constant("b1", new long[] {16}, random(random, 16, 0.2))
        .constant("w2", new long[] {16, 3}, random(random, 48, 0.5))
        .node("Cast", List.of("attention_mask"), List.of("m"), "to", 1L)
        .node("Unsqueeze", List.of("m", "last"), List.of("k"))
        .node("Mul", List.of("x", "k"), List.of("xk"))
        .node("MatMul", List.of("xk", "w1"), List.of("p1"))
        .node("Add", List.of("p1", "b1"), List.of("a1"))
        .node("Relu", List.of("a1"), List.of("r1"))
        .node("MatMul", List.of("r1", "w2"), List.of("y"))
        .output("y", -1, -1, 3)
        .write(file);
    StructType schema =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("x", new ArrayType(new ArrayType(DataTypes.FloatType, false), false))
            .add("attention_mask", new ArrayType(DataTypes.LongType, false));
    List<Row> rows = new ArrayList<>();
    for (long id = 0; id < ROWS; id++) {
      List<List<Float>> x = new ArrayList<>();
      List<Long> mask = new ArrayList<>();
      for (int place = 0; place < 2 + id % 4; place++) {
        float[] values = random(random, 4, 1);
        x.add(List.of(values[0], values[1], values[2], values[3]));
        mask.add(place == 4 ? 0L : 1L);
      }
      rows.add(RowFactory.create(id, x, mask));
    }
    RunResult trained = finetune(spark, file.toString(), spark.createDataFrame(rows, schema)).run();
    TrainingRun.Result training = trained.training().orElseThrow();
    assertTrue(
        training.measured().sqnr() > training.before().sqnr() + 0.2,
        training.before() + " became " + training.measured());
    Collections.shuffle(rows, new Random(11));
    Dataset<Row> other = spark.createDataFrame(rows, schema).repartition(3);
    assertArrayEquals(
        TestModel.bytes(trained.quantized().model()),
        TestModel.bytes(finetune(spark, file.toString(), other).run().quantized().model()));
  }

  private static void assertRefuses(SparkSession spark, String model) {
    Dataset<Row> wide = spark.createDataFrame(rows(9), SCHEMA);
    TareException label =
        assertThrows(
            TareException.class,
            () -> finetune(spark, model, wide).set("train.label", "label").run());
    assertEquals(Kind.BAD_INPUT, label.kind());
    assertTrue(label.getMessage().contains("is none of the classes 0 to 4"), label.getMessage());
    TareException mode =
        assertThrows(
            TareException.class,
            () -> finetune(spark, model, wide).set("quantize.mode", "dynamic").run());
    assertEquals(Kind.USAGE, mode.kind());
    assertFalse(mode.getMessage().isEmpty());
  }
}
