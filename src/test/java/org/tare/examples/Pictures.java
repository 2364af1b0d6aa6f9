package org.tare.examples;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Grey pictures of one size with their texts, for a model that reads three channels, which are all
 * the same. The table has the bytes; the NumPy file has what the model is given, {@code (byte / 255
 * - mean) / std} by channel, and {@code label.txt} beside it the texts.
 *
 * @param mean of each channel
 * @param std of each channel
 */
record Pictures(int height, int width, float[] mean, float[] std) {
  private static final int CHANNELS = 3;
  private static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.LongType)
          .add("label", DataTypes.StringType)
          .add("x", DataTypes.BinaryType);

  /** Writes {@code NAME.parquet}, {@code NAME/x.npy} and {@code NAME/label.txt}. */
  void write(Tables tables, Path folder, String name, List<String> labels, List<byte[]> pictures)
      throws IOException {
    int plane = height * width;
    Npy given = Npy.ofFloats(pictures.size(), CHANNELS, height, width);
    ByteBuffer values = given.bytes().duplicate().order(given.bytes().order());
    List<Row> rows = new ArrayList<>();
    for (byte[] pixels : pictures) {
      ByteBuffer x = ByteBuffer.allocate(CHANNELS * plane);
      for (int channel = 0; channel < CHANNELS; channel++) {
        x.put(pixels);
        for (byte pixel : pixels) {
          values.putFloat(((pixel & 0xff) / 255f - mean[channel]) / std[channel]);
        }
      }
      int row = rows.size();
      rows.add(RowFactory.create((long) row, labels.get(row), x.array()));
    }
    tables.write(folder.resolve(name + ".parquet"), SCHEMA, rows);
    given.write(folder.resolve(name).resolve("x.npy"));
    Files.write(folder.resolve(name).resolve("label.txt"), labels);
  }
}
