package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
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
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.RowSource;
import org.tare.spark.tasks.EvaluationJob.Compare;
import org.tare.spark.tasks.EvaluationJob.Compared;
import org.tare.spark.tasks.EvaluationJob.Partial;
import org.tare.spark.tasks.EvaluationJob.Request;
import org.tare.spark.tasks.EvaluationJob.Result;
import org.tare.stats.Samples;

/** Several evaluations on the same rows give what each gives alone. */
class EvaluationsTest {
  private static final OnnxModel FLOATS = model(0);
  private static final Map<String, TensorType> TYPES = TensorTypes.of(FLOATS, "texts");
  private static final int WORDS = 50;

  private static SparkSession spark;
  private static Dataset<Row> rows;

  /** Texts of several lengths; rows lie across in one output, and one is of integers. */
  private static OnnxModel model(double noise) {
    Random random = new Random(1);
    float[] embedding = Samples.normal(random, WORDS * 3);
    for (int i = 0; i < embedding.length; i++) {
      embedding[i] += (float) (noise * random.nextGaussian());
    }
    return TestModel.opset(17)
        .input("ids", ElementType.INT64, -1, -1)
        .constant("embedding", new long[] {WORDS, 3}, embedding)
        .node("Gather", List.of("embedding", "ids"), List.of("e"), "axis", 0L)
        .node("Transpose", List.of("e"), List.of("t"), "perm", new long[] {1, 0, 2})
        .node("ReduceMean", List.of("t"), List.of("y"), "axes", new long[] {0}, "keepdims", 0L)
        .node("ArgMax", List.of("y"), List.of("class"), "axis", 1L, "keepdims", 0L)
        .output("t", -1, -1, 3)
        .output("y", -1, 3)
        .output("class", ElementType.INT64, -1)
        .read();
  }

  @BeforeAll
  static void start() {
    spark = DigitsCalibration.local("local[2]", Map.of());
    Random random = new Random(2);
    List<Row> made = new ArrayList<>();
    for (long i = 0; i < 150; i++) {
      List<Long> ids = new ArrayList<>();
      int length = 1 + random.nextInt(3);
      for (int k = 0; k < length; k++) {
        // A few words are none.
        ids.add((long) random.nextInt(i % 50 == 7 ? 2 * WORDS : WORDS));
      }
      made.add(RowFactory.create(i, ids, (long) random.nextInt(3)));
    }
    made.set(3, RowFactory.create(3L, null, 0L));
    StructType schema =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("ids", new ArrayType(DataTypes.LongType, false))
            .add("label", DataTypes.LongType);
    rows = spark.createDataFrame(made, schema).repartition(3).persist();
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static Request request(OnnxModel quantized, boolean skips) {
    return new Request(
        "texts",
        FLOATS,
        quantized,
        TYPES,
        new DataSource(new DataSource.Frame(rows, "texts"), Optional.empty(), Optional.empty()),
        Optional.of("label"),
        Optional.empty(),
        Map.of(),
        8,
        new BadRows(skips, 1));
  }

  private static Map<String, String> figures(Result found) {
    Map<String, String> figures = new LinkedHashMap<>();
    figures.put("rows", found.rows() + " and " + found.skipped() + " " + found.reason());
    found
        .outputs()
        .forEach(
            (name, one) ->
                figures.put(
                    name,
                    String.join(
                        " ",
                        List.of(
                            Double.toString(one.sqnr()),
                            Double.toString(one.mse()),
                            Double.toString(one.cosine()),
                            Double.toString(one.quantizedTop1()),
                            Double.toString(one.agreement())))));
    found.integers().forEach((name, one) -> figures.put(name, Double.toString(one.agreement())));
    return figures;
  }

  @Test
  void severalGiveWhatEachGivesAlone() {
    int before = spark.sparkContext().getPersistentRDDs().size();
    try (Evaluations several = Evaluations.of(spark, request(FLOATS, true))) {
      for (double noise : new double[] {0.3, 0, 0.01, 0.3}) {
        OnnxModel other = model(noise);
        Map<String, String> alone =
            figures(EvaluationJob.run(spark, request(other, true), l -> {}));
        assertEquals(alone, figures(several.run(other, l -> {})), "noise " + noise);
        assertEquals(List.of("rows", "t", "y", "class"), List.copyOf(alone.keySet()));
      }
      assertEquals(before + 1, spark.sparkContext().getPersistentRDDs().size());
    }
    assertEquals(before, spark.sparkContext().getPersistentRDDs().size());
  }

  @Test
  void aBadRowIsToldAsAlone() {
    try (Evaluations several = Evaluations.of(spark, request(FLOATS, false))) {
      String alone =
          assertThrows(
                  TareException.class,
                  () -> EvaluationJob.run(spark, request(FLOATS, false), l -> {}))
              .getMessage();
      String found =
          assertThrows(TareException.class, () -> several.run(FLOATS, l -> {})).getMessage();
      assertTrue(found.startsWith("Cannot evaluate texts: "), found);
      assertTrue(found.contains(" in row id="), found);
      assertEquals(alone.replaceAll("(?s):.*", ""), found.replaceAll("(?s):.*", ""));
    }
  }

  /** What is recorded needs no model; what is not, or is of other values, is computed. */
  @Test
  void aRecordIsOfItsRowsAlone() {
    try (SessionSettings settings = new SessionSettings(spark);
        ShippedModel shipped = ShippedModel.ship(spark, FLOATS, "texts")) {
      Request request = request(FLOATS, true);
      BoundTable table = request.needs().bind(settings, request.data());
      Compared outputs = Compared.of(request);
      RowSource source = table.source();
      List<Row> some =
          table.rows().collectAsList().stream()
              .filter(row -> row.getLong(row.fieldIndex("id")) % 50 != 7)
              .toList();
      List<byte[]> all = record(source, shipped, outputs, some.iterator(), Long.MAX_VALUE);
      assertTrue(all.size() > 10, all.size() + " batches");

      FloatSide known = new FloatSide(source, null, outputs);
      known.take(all.iterator());
      FloatSide fresh = new FloatSide(source, shipped, outputs);
      source.run(
          some.iterator(),
          (batch, count) -> {
            FloatSide.Given x = known.of(batch, count);
            FloatSide.Given y = fresh.of(batch, count);
            assertEquals(y.places(), x.places());
            for (String output : outputs.floats()) {
              float[] floats = y.floats().get(output).floats();
              assertTrue(Arrays.equals(floats, x.floats().get(output).floats()), output);
              assertTrue(
                  Arrays.equals(y.floats().get(output).shape(), x.floats().get(output).shape()),
                  output);
            }
            assertTrue(
                Arrays.equals(
                    y.integers().get("class").values(), x.integers().get("class").values()));
          });

      // An evaluation that has the records runs without the float model.
      Compare compare = new Compare(source, null, shipped, outputs, "");
      List<byte[]> compared = spread(some).zipPartitions(spread(all), compare).collect();
      assertEquals(some.size() - 1, Partial.decode(compared.get(0)).rows(), "one has no ids");
      assertThrows(
          SparkException.class,
          () -> spread(some).zipPartitions(spread(List.<byte[]>of()), compare).collect());

      List<Row> others = new ArrayList<>(some);
      Collections.reverse(others);
      assertThrows(
          NullPointerException.class,
          () -> source.run(others.iterator(), (batch, count) -> known.of(batch, count)));

      assertEquals(List.of(), record(source, shipped, outputs, some.iterator(), 1));
      List<byte[]> first = record(source, shipped, outputs, some.iterator(), 1000);
      assertTrue(first.size() > 0 && first.size() < all.size(), first.size() + " batches");
      assertTrue(Arrays.equals(all.get(0), first.get(0)));
    }
  }

  private static <T> JavaRDD<T> spread(List<T> values) {
    return new JavaSparkContext(spark.sparkContext()).parallelize(values, 1);
  }

  private static List<byte[]> record(
      RowSource source, ShippedModel model, Compared outputs, Iterator<Row> rows, long most) {
    return new FloatSide(source, model, outputs).record(rows, most);
  }
}
