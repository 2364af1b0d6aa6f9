package org.tare.examples;

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Fashion-MNIST's pictures: {@value #CALIBRATION_ROWS} of the training ones to calibrate on, all
 * test ones to evaluate on. A table has the bytes and the class; the NumPy file in the folder
 * beside it has what the model is given, {@code byte / 255}, and {@code label.txt} the classes.
 */
final class FashionData {
  static final String INPUT = "image";

  private static final int CALIBRATION_ROWS = 1024;
  private static final int SIDE = 28;

  /** What idx files of bytes begin with, by their number of dimensions. */
  private static final int IDX_BYTES = 0x800;

  private static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.LongType)
          .add(INPUT, DataTypes.BinaryType)
          .add("label", DataTypes.IntegerType);

  private FashionData() {}

  /**
   * Writes the tables.
   *
   * @param idx the folder of the dataset's four files
   */
  static void write(Path idx, Path folder) throws IOException {
    try (Tables tables = new Tables()) {
      write(tables, folder, "calibrate", idx, "train", CALIBRATION_ROWS);
      write(tables, folder, "evaluate", idx, "t10k", Integer.MAX_VALUE);
    }
  }

  /** Writes a table of all pictures to train on, and one to evaluate on. */
  static void writeForTraining(Path idx, Path folder) throws IOException {
    try (Tables tables = new Tables()) {
      write(tables, folder, "train", idx, "train", Integer.MAX_VALUE);
      write(tables, folder, "evaluate", idx, "t10k", Integer.MAX_VALUE);
    }
  }

  private static void write(
      Tables tables, Path folder, String name, Path idx, String part, int atMost)
      throws IOException {
    List<byte[]> pictures = items(idx.resolve(part + "-images-idx3-ubyte.gz"), atMost, SIDE, SIDE);
    List<byte[]> classes = items(idx.resolve(part + "-labels-idx1-ubyte.gz"), atMost);
    if (pictures.size() != classes.size()) {
      throw new IllegalArgumentException(
          String.format(
              "Cannot read %s: %d pictures for %d labels of %s; take the dataset's own files",
              idx, pictures.size(), classes.size(), part));
    }
    Npy given = Npy.ofFloats(pictures.size(), 1, SIDE, SIDE);
    ByteBuffer values = given.bytes().duplicate().order(given.bytes().order());
    List<Row> rows = new ArrayList<>();
    List<String> labels = new ArrayList<>();
    for (byte[] pixels : pictures) {
      for (byte pixel : pixels) {
        values.putFloat((pixel & 0xff) / 255f);
      }
      int row = rows.size();
      int label = classes.get(row)[0];
      rows.add(RowFactory.create((long) row, pixels, label));
      labels.add(Integer.toString(label));
    }
    tables.write(folder.resolve(name + ".parquet"), SCHEMA, rows);
    given.write(folder.resolve(name).resolve(INPUT + ".npy"));
    Files.write(folder.resolve(name).resolve("label.txt"), labels);
  }

  /** The first items of an idx file of bytes, of which each has the given dimensions. */
  private static List<byte[]> items(Path file, int atMost, int... dimensions) throws IOException {
    try (DataInputStream in =
        new DataInputStream(new GZIPInputStream(Files.newInputStream(file), 1 << 16))) {
      boolean fits = in.readInt() == IDX_BYTES + 1 + dimensions.length;
      int count = in.readInt();
      int bytes = 1;
      for (int dimension : dimensions) {
        fits = fits && in.readInt() == dimension;
        bytes *= dimension;
      }
      if (!fits) {
        throw new IOException("its head is not that of bytes of this shape");
      }
      List<byte[]> items = new ArrayList<>();
      while (items.size() < Math.min(count, atMost)) {
        byte[] item = new byte[bytes];
        in.readFully(item);
        items.add(item);
      }
      return items;
    } catch (IOException e) {
      throw new IOException(
          "Cannot read " + file + " as an idx file: " + e.getMessage() + "; take the dataset's own",
          e);
    }
  }
}
