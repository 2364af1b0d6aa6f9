package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.plan.QuantizationPlan;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.DataSource;
import org.tare.stats.Samples;

/** Ids that the vocabulary lacks and labels that are no classes: only the model tells them. */
class OutOfRangeRowsTest {
  private static final String ROWS =
      "SELECT id, array(id % 50, IF(id IN (2, 30), 77L, 3L)) AS ids, CAST(id % 4 AS INT) AS label"
          + " FROM range(0, 60, 1, 3)";
  private static final String GOOD = "SELECT * FROM (" + ROWS + ") WHERE id NOT IN (2, 30)";

  private static SparkSession spark;
  private static OnnxModel model;

  @BeforeAll
  static void start() {
    spark = DigitsCalibration.local("local[1]", Map.of());
    Random random = new Random(1);
    model =
        FloatPasses.prepare(
            TestModel.opset(17)
                .input("ids", ElementType.INT64, -1, 2)
                .constant("embedding", new long[] {50, 8}, Samples.normal(random, 400))
                .constant("w", new long[] {8, 4}, Samples.normal(random, 32))
                .node("Gather", List.of("embedding", "ids"), List.of("e"), "axis", 0L)
                .node("MatMul", List.of("e", "w"), List.of("m"))
                .node(
                    "ReduceMean",
                    List.of("m"),
                    List.of("y"),
                    "axes",
                    new long[] {1},
                    "keepdims",
                    0L)
                .output("y", -1, 4)
                .read());
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static DataSource query(String text) {
    return new DataSource(new DataSource.Query(text), Optional.empty(), Optional.empty());
  }

  private static CalibrationJob.Result calibrate(String query, BadRows badRows) {
    Map<String, TensorType> types = TensorTypes.of(model, "texts");
    return CalibrationJob.run(
        spark,
        new CalibrationJob.Request(
            "texts",
            model,
            types,
            QuantizationPlan.of(model, types, new QConfigMapping(QConfig.standard(), List.of()))
                .observed(),
            query(query),
            Map.of(),
            8,
            badRows,
            ObservedParts.none(),
            Optional.empty(),
            List.of()),
        line -> {});
  }

  private static EvaluationJob.Result evaluate(String query, BadRows badRows) {
    return EvaluationJob.run(
        spark,
        new EvaluationJob.Request(
            "texts",
            model,
            model,
            TensorTypes.of(model, "texts"),
            query(query),
            Optional.of("label"),
            Optional.empty(),
            Map.of(),
            8,
            badRows),
        line -> {});
  }

  private static final String REASON =
      "the model does not take the values (indices element out of data bounds, idx=77 must be within"
          + " the inclusive range [-50,49]) in row id=2";

  @Test
  void idsOutsideOfTheVocabularyNameTheRow() {
    TareException e =
        assertThrows(TareException.class, () -> calibrate(ROWS, new BadRows(false, 0)));
    assertEquals(
        "Cannot calibrate texts: " + REASON + "; fix the row, or skip such rows with bad-rows=skip",
        e.getMessage());
  }

  @Test
  void idsOutsideOfTheVocabularyAreSkipped() {
    CalibrationJob.Result all = calibrate(ROWS, new BadRows(true, 0.1));
    CalibrationJob.Result good = calibrate(GOOD, new BadRows(false, 0));
    assertEquals(2, all.skipped());
    assertEquals(REASON, all.reason());
    assertEquals(58, all.state().rows());
    assertArrayEquals(good.state().encode(), all.state().encode());
  }

  @Test
  void labelsThatAreNoClassesAreSkipped() {
    String labels =
        GOOD.replace("CAST(id % 4 AS INT)", "CAST(IF(id IN (7, 8), 4 - id, id % 4) AS INT)");
    EvaluationJob.Result all = evaluate(labels, new BadRows(true, 0.1));
    EvaluationJob.Result good = evaluate(labels + " AND id NOT IN (7, 8)", new BadRows(false, 0));
    assertEquals(2, all.skipped());
    assertEquals(56, all.rows());
    assertEquals(
        "label -3 is none of the classes 0 to 3 of output \"y\" in row id=7", all.reason());
    assertEquals(good.rows(), all.rows());
    assertEquals(good.outputs().get("y").rows, all.outputs().get("y").rows);
    TareException e =
        assertThrows(TareException.class, () -> evaluate(labels, new BadRows(false, 0)));
    assertEquals(
        "Cannot evaluate texts: label -3 is none of the classes 0 to 3 of output \"y\" in row id=7;"
            + " fix the row, or skip such rows with bad-rows=skip",
        e.getMessage());
  }

  @Test
  void bothModelsSkipTheSameRows() {
    EvaluationJob.Result all = evaluate(ROWS, new BadRows(true, 0.1));
    assertEquals(2, all.skipped());
    assertEquals(58, all.rows());
    assertEquals(58, all.outputs().get("y").rows);
  }
}
