package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.ElementType;
import org.tare.onnx.Float16;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.stats.Samples;

/** Models whose inputs count rows on another axis than the first, or on none. */
class InputsCommandTest {
  private static final int ROWS = 21;

  @TempDir static Path folder;

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  /** Rows of x, 8 values, of a state of 2 layers with 8 values, and of a scalar. */
  @BeforeAll
  static void makeFiles() {
    Random random = new Random(6);
    float[] weight = Samples.normal(random, 64);
    TestModel.opset(17)
        .namedInput("x", "batch", "8")
        .namedInput("state", "2", "batch", "8")
        .input("s")
        .constant("w", new long[] {8, 8}, weight)
        .scalar("one", 1)
        .node("Gather", List.of("state", "one"), List.of("h"), "axis", 0L)
        .node("Add", List.of("x", "h"), List.of("a"))
        .node("Mul", List.of("a", "s"), List.of("b"))
        .node("MatMul", List.of("b", "w"), List.of("y"))
        .node("Mul", List.of("state", "s"), List.of("next"))
        .output("y", -1, 8)
        .namedOutput("next", "2", "batch", "8")
        .write(folder.resolve("recurrent.onnx"));
    TestModel.opset(17)
        .input("x", 8)
        .constant("w", new long[] {8, 8}, weight)
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", 8)
        .write(folder.resolve("vector.onnx"));
    TestModel.opset(17)
        .namedInput("x", "batch", "8")
        .constant("w", new long[] {4, 8}, Samples.normal(random, 32))
        .longs("shape", 1, 2, 4)
        .node("Reshape", List.of("x", "shape"), List.of("r"))
        .node("MatMul", List.of("r", "w"), List.of("y"))
        .output("y", 1, 2, 8)
        .write(folder.resolve("traced.onnx"));
    TestModel.opset(17)
        .namedInput("x", "batch", "8")
        .constant("w", new long[] {8, 8}, weight)
        .node("MatMul", List.of("x", "w"), List.of("m"))
        .node("ArgMax", List.of("m"), List.of("class"), "axis", 1L, "keepdims", 0L)
        .output("class", ElementType.INT64, -1)
        .write(folder.resolve("classes.onnx"));
    TestModel.opset(17)
        .namedInput("x", "batch", "8")
        .constant("w", new long[] {8, 8}, weight)
        .node("MatMul", List.of("x", "w"), List.of("m"))
        .node("Cast", List.of("m"), List.of("wide"), "to", (long) ElementType.UINT64.code())
        .output("wide", ElementType.UINT64, -1, 8)
        .write(folder.resolve("wide.onnx"));
    TestModel.opset(17)
        .input("x", ElementType.FLOAT16, -1, 8)
        .initializer(halves("w", new long[] {8, 8}, weight))
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .node("Cast", List.of("y"), List.of("wide"), "to", (long) ElementType.FLOAT64.code())
        .output("y", ElementType.FLOAT16, -1, 8)
        .output("wide", ElementType.FLOAT64, -1, 8)
        .write(folder.resolve("half.onnx"));
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      float[] x = Samples.normal(random, 8);
      rows.add(
          RowFactory.create(
              (long) i,
              list(x),
              list(Samples.normal(random, 16)),
              i % 3 == 0 ? 2f : 1f,
              "cat",
              greatest(x, weight)));
    }
    StructType schema =
        StructType.fromDDL(
            "id bigint, x array<float>, state array<float>, s float, label string, class bigint");
    TestTables.write(
        spark -> spark.createDataFrame(rows, schema).coalesce(1).write().parquet(at("rows")));
  }

  private static Tensor halves(String name, long[] shape, float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(2 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putShort(Float16.bits(value));
    }
    return Tensor.ofBytes(name, ElementType.FLOAT16, shape, bytes.array());
  }

  /** The column of the product that is greatest. */
  private static long greatest(float[] x, float[] weight) {
    float[] sums = new float[8];
    for (int i = 0; i < x.length * 8; i++) {
      sums[i % 8] += x[i / 8] * weight[i];
    }
    int best = 0;
    for (int i = 1; i < 8; i++) {
      best = sums[i] > sums[best] ? i : best;
    }
    return best;
  }

  private static List<Float> list(float[] values) {
    List<Float> list = new ArrayList<>();
    for (float value : values) {
      list.add(value);
    }
    return list;
  }

  private static Outcome run(String model, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of("run", "--model", at(model), "--data", at("rows"), "--validation", at("rows")));
    args.addAll(List.of("--batch", "4", "--overwrite", "--output", at("out-" + model)));
    args.addAll(Arrays.asList(more));
    return Outcome.of(args.toArray(String[]::new));
  }

  private static double decibels(Outcome outcome, String output) {
    Matcher line = Pattern.compile("(?m)^" + output + " +SQNR ([^ ]+) dB").matcher(outcome.out());
    assertTrue(line.find(), outcome.out() + outcome.err());
    return Double.parseDouble(line.group(1));
  }

  @Test
  void statesAndScalarsGoWhereTheModelHasThem() throws Exception {
    Outcome outcome = run("recurrent.onnx");
    assertEquals(0, outcome.status(), outcome.err());
    String evaluated = outcome.out().replaceAll(" +", " ");
    assertTrue(evaluated.contains("\nEvaluated 21 rows\n"), outcome.out());
    assertTrue(decibels(outcome, "y") > 25, outcome.out());
    String result = Files.readString(folder.resolve("out-recurrent.onnx/result.json"));
    assertTrue(result.contains("\"next\""), result);
    // Each row alone gives the same figures: no row was put together with another's state.
    Outcome alone = run("recurrent.onnx", "--batch", "1");
    assertEquals(0, alone.status(), alone.err());
    assertEquals(decibels(outcome, "y"), decibels(alone, "y"), 0.5);
    assertTrue(alone.out().contains("\nnext "), alone.out());
  }

  @Test
  void settingsSayAxesAndValues() {
    Outcome said =
        run("recurrent.onnx", "--set", "inputs.s.value=2", "--set", "inputs.state.value=0");
    assertEquals(0, said.status(), said.err());
    Outcome wrong = run("recurrent.onnx", "--set", "inputs.state.axis=3");
    assertEquals(64, wrong.status(), wrong.err());
    assertTrue(wrong.err().contains("inputs.state.axis cannot be 3"), wrong.err());
    Outcome word = run("recurrent.onnx", "--set", "inputs.state.axis=second");
    assertEquals(64, word.status(), word.err());
    assertTrue(word.err().contains("an axis, counted from 0, or none"), word.err());
    Outcome fraction = run("recurrent.onnx", "--set", "inputs.s.value=1,2");
    assertEquals(64, fraction.status(), fraction.err());
    assertTrue(fraction.err().contains("it takes one, or the 1"), fraction.err());
  }

  @Test
  void modelsWithoutABatchAxisRunRowByRow() {
    Outcome outcome = run("vector.onnx");
    assertEquals(0, outcome.status(), outcome.err());
    assertTrue(
        outcome
            .err()
            .contains("vector.onnx has no axis for the rows of a batch: it runs row by row"),
        outcome.err());
    assertTrue(decibels(outcome, "y") > 25, outcome.out());
  }

  @Test
  void modelsThatWereTracedWithOneRowRunRowByRow() {
    Outcome outcome = run("traced.onnx");
    assertEquals(0, outcome.status(), outcome.err());
    assertTrue(outcome.err().contains("traced.onnx fails on two rows at once"), outcome.err());
    assertTrue(decibels(outcome, "y") > 25, outcome.out());
    assertEquals(0, run("traced.onnx", "--batch", "1").status());
  }

  @Test
  void outputsThatAreNotComparedAreNamedBeforeAnyWork() {
    Outcome outcome = run("wide.onnx");
    assertEquals(65, outcome.status(), outcome.err());
    assertTrue(
        outcome
            .err()
            .contains(
                "Cannot evaluate wide.onnx: no output of it is of floats or of integers, and only those"
                    + " are compared: \"wide\" is uint64 [N,8]; leave the validation out"),
        outcome.err());
    assertTrue(!outcome.err().contains("Calibrating"), outcome.err());
  }

  @Test
  void floatsOfOtherWidthsAreFilledAndCompared() throws Exception {
    Outcome outcome = run("half.onnx");
    assertEquals(0, outcome.status(), outcome.err());
    assertTrue(decibels(outcome, "y") > 25, outcome.out());
    assertEquals(decibels(outcome, "y"), decibels(outcome, "wide"), 0.2);
    OnnxModel written = OnnxModel.read(folder.resolve("out-half.onnx/model.onnx"));
    assertEquals(
        TestModel.inputsOf(OnnxModel.read(folder.resolve("half.onnx"))),
        TestModel.inputsOf(written));
    Outcome large = run("half.onnx", "--set", "inputs.x.scale=100000");
    assertEquals(65, large.status(), large.err());
    assertTrue(large.err().contains("which float16 does not hold in row id=0"), large.err());
  }

  /** The distance of two class numbers says nothing. */
  @Test
  void outputsOfIntegersAgreeOrDoNot() {
    Outcome outcome = run("classes.onnx", "--label", "class");
    assertEquals(0, outcome.status(), outcome.err());
    Matcher same =
        Pattern.compile("(?m)^class +the same integer in ([0-9.]+) of values, all of a row in ")
            .matcher(outcome.out());
    assertTrue(same.find(), outcome.out());
    assertTrue(Double.parseDouble(same.group(1)) > 0.8, outcome.out());
    // The labels are the float model's own classes.
    assertTrue(
        outcome
            .out()
            .contains("top1                     float32 1.0000, quantized " + same.group(1)),
        outcome.out());
    assertTrue(!outcome.out().contains("SQNR"), outcome.out());
    Outcome gate = run("classes.onnx", "--label", "id", "--set", "evaluate.max-top1-drop=0.5");
    assertEquals(0, gate.status(), gate.err());
  }

  @Test
  void labelsAreWholeNumbers() {
    Outcome outcome = run("vector.onnx", "--label", "label");
    assertEquals(65, outcome.status(), outcome.err());
    assertTrue(
        outcome
            .err()
            .contains("the label column \"label\" is of type string, not of whole numbers"),
        outcome.err());
  }
}
