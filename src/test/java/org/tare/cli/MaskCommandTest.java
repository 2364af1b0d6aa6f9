package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.ElementType;
import org.tare.onnx.TestModel;
import org.tare.stats.CalibrationState;
import org.tare.stats.Samples;
import org.tare.store.HadoopFiles;

/** Sequences that are filled up: what stands in the filling is neither observed nor evaluated. */
class MaskCommandTest {
  private static final int ROWS = 50;
  private static final int LENGTH = 5;
  private static final float FILLING = 1000;

  @TempDir static Path folder;
  private static long held;

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  @BeforeAll
  static void makeFiles() {
    Random random = new Random(4);
    TestModel.opset(17)
        .input("x", -1, LENGTH, 4)
        .input("attention_mask", ElementType.INT64, -1, LENGTH)
        .constant("w", new long[] {4, 8}, Samples.normal(random, 32))
        .constant("v", new long[] {8, 3}, Samples.normal(random, 24))
        .node("MatMul", List.of("x", "w"), List.of("h"))
        .node("Relu", List.of("h"), List.of("r"))
        .node("Erf", List.of("r"), List.of("s"))
        .node("LeakyRelu", List.of("s"), List.of("t"))
        .node("MatMul", List.of("t", "v"), List.of("y"))
        .output("y", -1, LENGTH, 3)
        .write(folder.resolve("model.onnx"));
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      int length = 1 + random.nextInt(LENGTH);
      held += length;
      List<Float> x = new ArrayList<>();
      List<Long> mask = new ArrayList<>();
      for (int place = 0; place < LENGTH; place++) {
        mask.add(place < length ? 1L : 0L);
        for (int k = 0; k < 4; k++) {
          x.add(place < length ? (float) random.nextGaussian() : FILLING);
        }
      }
      rows.add(RowFactory.create((long) i, x, mask));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("x", new ArrayType(DataTypes.FloatType, false))
            .add("attention_mask", new ArrayType(DataTypes.LongType, false));
    TestTables.write(
        spark -> {
          spark.createDataFrame(rows, schema).coalesce(1).write().parquet(at("rows"));
          spark.createDataFrame(rows, schema).repartition(3).write().parquet(at("parts"));
        });
  }

  private static Outcome run(String output, String table, String... sets) {
    List<String> args = new ArrayList<>(List.of("run", "--model", at("model.onnx")));
    args.addAll(List.of("--data", at(table), "--validation", at(table), "--output", at(output)));
    for (String set : sets) {
      args.addAll(List.of("--set", set));
    }
    Outcome outcome = Outcome.of(args.toArray(String[]::new));
    return outcome;
  }

  private static CalibrationState state(String output) {
    String file = at(output) + "/state.tare";
    return CalibrationState.decode(
        new HadoopFiles(new org.apache.hadoop.conf.Configuration()).read("state", file), file);
  }

  private static double decibel(String output) throws IOException {
    return new ObjectMapper()
        .readTree(folder.resolve(output).resolve("result.json").toFile())
        .at("/evaluation/outputs/y/sqnr_db")
        .asDouble();
  }

  @Test
  void fillingIsLeftOut() throws IOException {
    Outcome outcome = run("masked", "rows");
    assertEquals(0, outcome.status(), outcome.err());
    CalibrationState state = state("masked");
    assertEquals(ROWS, state.rows());
    assertEquals(held * 4, state.tensor("x").count());
    assertEquals(held * 8, state.tensor("t").count());
    assertTrue(state.tensor("x").max() < 6, "no filling");
    assertTrue(decibel("masked") > 35, decibel("masked") + " dB");
  }

  @Test
  void partitionsAreAllTheSame() {
    assertEquals(0, run("one", "rows", "calibrate.channels=summary").status());
    assertEquals(0, run("three", "parts", "calibrate.channels=summary").status());
    assertEquals(state("one").digest(), state("three").digest());
  }

  @Test
  void withoutAMaskAllPlacesCount() throws IOException {
    assertEquals(0, run("all", "rows", "mask=").status());
    CalibrationState state = state("all");
    assertEquals(ROWS * LENGTH * 4, state.tensor("x").count());
    assertEquals(FILLING, state.tensor("x").max());
  }

  /** The average is of the held values of each batch. */
  @Test
  void movingAveragesLeaveItOutToo() throws IOException {
    assertEquals(
        0, run("average", "rows", "quantize.activation.method=moving-average", "batch=8").status());
    String qparams =
        java.nio.file.Files.readString(folder.resolve("average").resolve("qparams.json"));
    double max = new ObjectMapper().readTree(qparams).at("/activations/x/max").asDouble();
    assertTrue(max > 1 && max < 6, qparams);
  }

  /** Between functions, axis 1 would be taken for channels; here it counts places. */
  @Test
  void placesAreNoChannels() {
    Outcome outcome = run("fbgemm", "rows", "quantize.backend=fbgemm");
    assertEquals(0, outcome.status(), outcome.err());
    assertEquals(held * 8, state("fbgemm").tensor("s").count());
  }

  @Test
  void maskThatIsNoInput() {
    Outcome outcome = run("none", "rows", "mask=msk");
    assertEquals(64, outcome.status());
    assertTrue(
        outcome.err().contains("cannot be \"msk\": it is an input of the model: x, attention_mask"),
        outcome.err());
  }
}
