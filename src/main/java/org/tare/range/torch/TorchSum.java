package org.tare.range.torch;

/**
 * {@code torch.sum} of float32 values as PyTorch's AVX2 kernel adds them: in vectors of eight, four
 * of them side by side, with sums of sixteen cascading upwards. What it rounds decides where the
 * range search of {@code HistogramObserver} cuts when counts are fractions.
 */
final class TorchSum {
  private static final int LANES = 8;
  private static final int SIDE_BY_SIDE = 4;
  private static final int LEVELS = 4;
  private static final int WIDTH = LANES * SIDE_BY_SIDE;

  private TorchSum() {}

  static float of(float[] values) {
    int rows = values.length / WIDTH;
    float[] columns = columnSums(values, rows);
    float[] lanes = new float[LANES];
    System.arraycopy(columns, 0, lanes, 0, LANES);
    int vectors = values.length / LANES;
    for (int v = rows * SIDE_BY_SIDE; v < vectors; v++) {
      addTo(lanes, values, v * LANES);
    }
    for (int k = 1; k < SIDE_BY_SIDE; k++) {
      addTo(lanes, columns, k * LANES);
    }
    float sum = 0;
    for (int i = vectors * LANES; i < values.length; i++) {
      sum += values[i];
    }
    for (float lane : lanes) {
      sum += lane;
    }
    return sum;
  }

  private static void addTo(float[] lanes, float[] values, int from) {
    for (int i = 0; i < LANES; i++) {
      lanes[i] += values[from + i];
    }
  }

  private static float[] columnSums(float[] values, int rows) {
    float[][] levels = new float[LEVELS][WIDTH];
    int log = rows <= 1 ? 0 : 32 - Integer.numberOfLeadingZeros(rows - 1);
    int power = Math.max(4, log / LEVELS);
    int step = 1 << power;
    int row = 0;
    while (row + step <= rows) {
      for (int end = row + step; row < end; row++) {
        addRow(levels[0], values, row * WIDTH);
      }
      for (int level = 1; level < LEVELS; level++) {
        addRow(levels[level], levels[level - 1], 0);
        java.util.Arrays.fill(levels[level - 1], 0f);
        if ((row & (step - 1) << (level * power)) != 0) {
          break;
        }
      }
    }
    for (; row < rows; row++) {
      addRow(levels[0], values, row * WIDTH);
    }
    for (int level = 1; level < LEVELS; level++) {
      addRow(levels[0], levels[level], 0);
    }
    return levels[0];
  }

  private static void addRow(float[] sums, float[] values, int from) {
    for (int i = 0; i < WIDTH; i++) {
      sums[i] += values[from + i];
    }
  }
}
