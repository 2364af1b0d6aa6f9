package org.tare.examples;

import java.io.Serializable;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/** Ways in which the pictures of the demo's digits may change, each a kind of drift. */
final class PictureChanges {
  private static final int SIDE = 28;

  private PictureChanges() {}

  /** What is done to a picture. */
  interface Change extends Serializable {
    byte[] apply(byte[] picture);
  }

  /** What is done to a pixel, from 0 to 255. */
  private interface PixelChange extends Serializable {
    double apply(double pixel);
  }

  private static Change pixels(PixelChange change) {
    return picture -> {
      byte[] changed = new byte[picture.length];
      for (int i = 0; i < picture.length; i++) {
        changed[i] = pixel(change.apply(picture[i] & 0xff));
      }
      return changed;
    };
  }

  private static byte pixel(double value) {
    return (byte) Math.max(0, Math.min(255, Math.rint(value)));
  }

  private static byte[] noisy(byte[] picture) {
    Random random = new Random(Arrays.hashCode(picture));
    byte[] changed = new byte[picture.length];
    for (int i = 0; i < picture.length; i++) {
      changed[i] = pixel((picture[i] & 0xff) + 25.5 * random.nextGaussian());
    }
    return changed;
  }

  /** Bilinear, around the middle; black from outside. */
  private static byte[] rotated(byte[] picture, double degrees) {
    double cos = Math.cos(Math.toRadians(degrees));
    double sin = Math.sin(Math.toRadians(degrees));
    double middle = (SIDE - 1) / 2.0;
    byte[] changed = new byte[picture.length];
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++) {
        double fromX = cos * (x - middle) + sin * (y - middle) + middle;
        double fromY = -sin * (x - middle) + cos * (y - middle) + middle;
        changed[SIDE * y + x] = pixel(between(picture, fromX, fromY));
      }
    }
    return changed;
  }

  private static double between(byte[] picture, double x, double y) {
    double sum = 0;
    for (int j = (int) Math.floor(y); j <= Math.floor(y) + 1; j++) {
      for (int i = (int) Math.floor(x); i <= Math.floor(x) + 1; i++) {
        if (i >= 0 && i < SIDE && j >= 0 && j < SIDE) {
          double weight = (1 - Math.abs(x - i)) * (1 - Math.abs(y - j));
          sum += weight * (picture[SIDE * j + i] & 0xff);
        }
      }
    }
    return sum;
  }

  /** By name, as tables have it. */
  static Map<String, Change> all() {
    Map<String, Change> all = new LinkedHashMap<>();
    all.put("brightness x0.7", pixels(pixel -> 0.7 * pixel));
    all.put("contrast x0.6", pixels(pixel -> 127.5 + 0.6 * (pixel - 127.5)));
    all.put("noise, deviation 0.1", PictureChanges::noisy);
    all.put("rotation of 20°", picture -> rotated(picture, 20));
    all.put("inverted", pixels(pixel -> 255 - pixel));
    return all;
  }

  /** Rows with an id, a changed picture, and what else they have. */
  static Dataset<Row> apply(Change change, Dataset<Row> rows) {
    int image = rows.schema().fieldIndex("image");
    return rows.map(
        (MapFunction<Row, Row>)
            row -> {
              Object[] values = new Object[row.size()];
              for (int i = 0; i < values.length; i++) {
                values[i] = i == image ? change.apply((byte[]) row.get(i)) : row.get(i);
              }
              return RowFactory.create(values);
            },
        Encoders.row(rows.schema()));
  }
}
