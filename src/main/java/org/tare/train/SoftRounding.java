package org.tare.train;

/** The weights of one layer between their lower and their upper integer, see LearnedRounding. */
final class SoftRounding {
  private static final double STRETCH = 1.2;
  private static final double MARGIN = 0.1;
  private static final double FIRST = 0.9;
  private static final double SECOND = 0.999;
  private static final double EPS = 1e-8;

  private final Grids.Grid grid;
  private final int inner;
  private final double[] floor;
  private final double[] v;
  private final double[] first;
  private final double[] second;

  SoftRounding(Grids.Grid grid, float[] values, long[] shape) {
    this.grid = grid;
    this.inner = grid.inner(values.length, shape);
    this.floor = new double[values.length];
    this.v = new double[values.length];
    this.first = new double[values.length];
    this.second = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      double place = (double) values[i] / scale(i);
      floor[i] = Math.floor(place);
      double h = (place - floor[i] + MARGIN) / STRETCH;
      v[i] = Math.log(h / (1 - h));
    }
  }

  int size() {
    return v.length;
  }

  private float scale(int i) {
    return grid.scales()[i / inner % grid.scales().length];
  }

  private double sigmoid(int i) {
    return 1 / (1 + Math.exp(-v[i]));
  }

  /** How far up each weight lies, from 0 to 1. */
  private double up(int i) {
    return Math.min(1, Math.max(0, STRETCH * sigmoid(i) - MARGIN));
  }

  private float value(int i, double up) {
    int zero = grid.zeroPoints()[i / inner % grid.zeroPoints().length];
    double least = (double) grid.quantMin() - zero;
    double greatest = (double) grid.quantMax() - zero;
    return (float) Math.min(greatest, Math.max(least, floor[i] + up)) * scale(i);
  }

  /** The weights, between their integers. */
  float[] values() {
    float[] values = new float[v.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = value(i, up(i));
    }
    return values;
  }

  /** The weights at the integers that they are nearer to. */
  float[] hardValues() {
    float[] values = new float[v.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = value(i, up(i) >= 0.5 ? 1 : 0);
    }
    return values;
  }

  /**
   * One step of Adam.
   *
   * @param gradient of the weights
   * @param factor what it is multiplied by
   * @param share of the term that brings weights to their integers
   * @param step counted from 1
   */
  void step(float[] gradient, double factor, double share, double beta, double rate, int step) {
    double firstBias = 1 - Math.pow(FIRST, step);
    double secondBias = 1 - Math.pow(SECOND, step);
    for (int i = 0; i < v.length; i++) {
      double sigmoid = sigmoid(i);
      double free = STRETCH * sigmoid - MARGIN;
      if (free <= 0 || free >= 1) {
        continue;
      }
      int zero = grid.zeroPoints()[i / inner % grid.zeroPoints().length];
      double q = floor[i] + free + zero;
      boolean isInside = q >= grid.quantMin() && q <= grid.quantMax();
      double g = isInside ? gradient[i] * factor * scale(i) : 0;
      double fromMiddle = 2 * free - 1;
      g -=
          share
              / v.length
              * 2
              * beta
              * Math.pow(Math.abs(fromMiddle), beta - 1)
              * Math.signum(fromMiddle);
      g *= STRETCH * sigmoid * (1 - sigmoid);
      first[i] = FIRST * first[i] + (1 - FIRST) * g;
      second[i] = SECOND * second[i] + (1 - SECOND) * g * g;
      v[i] -= rate * first[i] / firstBias / (Math.sqrt(second[i] / secondBias) + EPS);
    }
  }
}
