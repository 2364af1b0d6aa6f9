package org.tare;

/** Signal to quantization noise of what tests compute themselves. */
public final class Sqnr {
  private Sqnr() {}

  /** In decibels; infinite for equal values. */
  public static double of(float[] expected, float[] actual) {
    double signal = 0;
    double noise = 0;
    for (int i = 0; i < expected.length; i++) {
      double error = (double) expected[i] - actual[i];
      signal += (double) expected[i] * expected[i];
      noise += error * error;
    }
    return 10 * Math.log10(signal / noise);
  }
}
