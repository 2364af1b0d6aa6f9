package org.tare.examples;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Sound that is made here for a detector of voices: pulses of a voice's pitch with changing
 * overtones, in noise, with pauses.
 */
final class SileroSound {
  static final int RATE = 16000;

  /** Values that the model takes at once. */
  static final int CHUNK = 512;

  private static final int SECONDS = 60;

  private SileroSound() {}

  static float[] ofAMinute() {
    float[] sound = new float[SECONDS * RATE];
    Random random = new Random(1);
    for (int i = 0; i < sound.length; i++) {
      double t = (double) i / RATE;
      double value = 0.003 * random.nextGaussian();
      if (t % 2 < 1.2) {
        double pitch = 120 + 20 * Math.sin(2 * Math.PI * 0.4 * t);
        for (int k = 1; k < 25; k++) {
          double loudness = 1 + 0.8 * Math.sin(2 * Math.PI * 3 * t + k);
          value += 0.1 * loudness * Math.sin(2 * Math.PI * pitch * k * t) / k;
        }
      }
      sound[i] = (float) value;
    }
    return sound;
  }

  /** Writes the chunks of every other second to one table, the others to another. */
  static void write(Path out) {
    StructType schema =
        new StructType()
            .add("id", DataTypes.IntegerType)
            .add("input", DataTypes.createArrayType(DataTypes.FloatType, false));
    float[] sound = ofAMinute();
    List<Row> calibrate = new ArrayList<>();
    List<Row> evaluate = new ArrayList<>();
    for (int i = 0; (i + 1) * CHUNK <= sound.length; i++) {
      List<Float> chunk = new ArrayList<>();
      for (int k = i * CHUNK; k < (i + 1) * CHUNK; k++) {
        chunk.add(sound[k]);
      }
      boolean isEven = i * CHUNK / RATE % 2 == 0;
      (isEven ? calibrate : evaluate).add(RowFactory.create(i, chunk));
    }
    try (Tables tables = new Tables()) {
      tables.write(out.resolve("calibrate.parquet"), schema, calibrate);
      tables.write(out.resolve("evaluate.parquet"), schema, evaluate);
    }
  }
}
