package org.tare.cli;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.tare.onnx.TestModel;
import org.tare.spark.tasks.DigitsCalibration;

/**
 * The files that the tests of the command give it: the demo's, a tiny model, tables of every form,
 * good and bad, and things that are in the way.
 */
record CommandFiles(Path folder) {
  String at(String name) {
    return folder.resolve(name).toString();
  }

  static CommandFiles make(Path folder) throws IOException {
    CommandFiles files = new CommandFiles(folder);
    for (String name :
        List.of("digits-mobilenet.onnx", "digits-train.parquet", "digits-validation.parquet")) {
      DigitsCalibration.demoFile(folder, name);
    }
    byte[] model = Files.readAllBytes(folder.resolve("digits-mobilenet.onnx"));
    Files.write(folder.resolve("cut.onnx"), Arrays.copyOf(model, model.length / 2));
    Files.writeString(folder.resolve("text.onnx"), "not a model at all");
    Files.writeString(folder.resolve("a-file"), "in the way");
    Files.createDirectories(folder.resolve("foreign"));
    Files.writeString(folder.resolve("foreign/thesis.txt"), "dear");
    TestModel.opset(17)
        .input("x", -1, 2)
        .constant("w", new long[] {2, 3}, 1, 2, 3, 4, 5, 6)
        .node("MatMul", List.of("x", "w"), List.of("y"))
        .output("y", -1, 3)
        .write(folder.resolve("tiny.onnx"));
    byte[] wide = png(40, 30);
    byte[] square = png(28, 28);
    TestTables.write(spark -> files.tables(spark, wide, square));
    return files;
  }

  private void tables(SparkSession spark, byte[] wide, byte[] square) {
    StructType images =
        new StructType()
            .add("id", DataTypes.LongType)
            .add("image", DataTypes.BinaryType)
            .add("label", DataTypes.IntegerType);
    table(spark, "empty", images);
    table(
        spark,
        "short",
        images,
        RowFactory.create(1L, new byte[784], 1),
        RowFactory.create(4711L, new byte[783], 1));
    table(spark, "all-short", images, RowFactory.create(1L, new byte[3], 1));
    table(spark, "null", images, RowFactory.create(9L, null, 1));
    table(spark, "label", images, RowFactory.create(1L, new byte[784], 10));
    Row[] many = new Row[300];
    for (int i = 0; i < many.length; i++) {
      many[i] = RowFactory.create((long) i, new byte[i == 77 ? 5 : 784], 1);
    }
    table(spark, "one-short", images, many);
    table(
        spark,
        "text",
        new StructType().add("image", DataTypes.StringType),
        RowFactory.create("seven"));
    StructType floats = vectors(DataTypes.FloatType);
    table(
        spark,
        "nan",
        floats,
        RowFactory.create(1L, List.of(1f, 2f)),
        RowFactory.create(2L, List.of(1f, Float.NaN)));
    table(spark, "floats", floats, rows(1f, 2f, -3f, 0.5f));
    table(spark, "doubles", vectors(DataTypes.DoubleType), rows(1.0, 2.0, -3.0, 0.5));
    table(spark, "ints", vectors(DataTypes.IntegerType), rows(1, 2, -3, 4));
    table(spark, "longs", vectors(DataTypes.LongType), rows(1L, 2L, -3L, 4L));
    ByteBuffer raw = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    raw.putFloat(1.5f).putFloat(-2.5f);
    table(
        spark,
        "raw",
        new StructType().add("id", DataTypes.LongType).add("x", DataTypes.BinaryType),
        RowFactory.create(1L, raw.array()));
    table(
        spark,
        "png",
        new StructType().add("id", DataTypes.LongType).add("image", DataTypes.BinaryType),
        RowFactory.create(1L, wide),
        RowFactory.create(2L, square));
  }

  private static byte[] png(int width, int height) throws IOException {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < width * height; i++) {
      image.setRGB(i % width, i / width, 0x010203 * (i % 80));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    return out.toByteArray();
  }

  private static StructType vectors(DataType element) {
    return new StructType().add("id", DataTypes.LongType).add("x", new ArrayType(element, false));
  }

  private static Row[] rows(Object... values) {
    return new Row[] {
      RowFactory.create(1L, List.of(values[0], values[1])),
      RowFactory.create(2L, List.of(values[2], values[3]))
    };
  }

  private void table(SparkSession spark, String name, StructType schema, Row... rows) {
    spark.createDataFrame(List.of(rows), schema).coalesce(1).write().parquet(at(name));
  }

  /** Arguments for the tiny model, with one setting. */
  String[] tiny(String setting) {
    return new String[] {
      "run",
      "--model",
      at("tiny.onnx"),
      "--data",
      at("floats"),
      "--output",
      at("o"),
      "--set",
      setting
    };
  }

  /** Arguments for the demo's model. */
  String[] digits(String command, String data, String output, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                command,
                "--model",
                at("digits-mobilenet.onnx"),
                "--data",
                at(data),
                "--output",
                at(output),
                "--set",
                "inputs.image.scale=0.00392156862745098"));
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  /** The files of a folder, by name. */
  static Map<String, byte[]> contents(Path output) throws IOException {
    Map<String, byte[]> contents = new TreeMap<>();
    try (Stream<Path> files = Files.list(output)) {
      for (Path file : files.toList()) {
        contents.put(file.getFileName().toString(), Files.readAllBytes(file));
      }
    }
    return contents;
  }
}
