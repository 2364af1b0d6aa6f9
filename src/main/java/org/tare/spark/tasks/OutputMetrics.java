package org.tare.spark.tasks;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.io.Serializable;
import java.util.Map;
import org.tare.quant.ExactSum;
import org.tare.quant.Fidelity;

/**
 * Sums over rows that say how close one output of the quantized model is to the float model's. They
 * merge by addition.
 */
public final class OutputMetrics implements Serializable {
  private static final long serialVersionUID = 1L;

  long rows;
  final Fidelity fidelity = new Fidelity();
  long agree;
  long labelled;
  long floatTop1;
  long quantizedTop1;
  long floatTop5;
  long quantizedTop5;
  boolean classes;
  private final ExactSum divergence = new ExactSum();
  private long ranked;
  private long undefined;
  private boolean otherShape;

  void merge(OutputMetrics other) {
    rows += other.rows;
    fidelity.merge(other.fidelity);
    agree += other.agree;
    labelled += other.labelled;
    floatTop1 += other.floatTop1;
    quantizedTop1 += other.quantizedTop1;
    floatTop5 += other.floatTop5;
    quantizedTop5 += other.quantizedTop5;
    classes |= other.classes;
    divergence.add(other.divergence);
    ranked += other.ranked;
    undefined += other.undefined;
    otherShape |= other.otherShape;
  }

  /** Writes them for {@link #read}. */
  public void write(DataOutput out) throws IOException {
    for (long one : new long[] {rows, agree, labelled, floatTop1, quantizedTop1}) {
      out.writeLong(one);
    }
    for (long one : new long[] {floatTop5, quantizedTop5, ranked, undefined}) {
      out.writeLong(one);
    }
    out.writeBoolean(classes);
    out.writeBoolean(otherShape);
    fidelity.write(out);
    divergence.write(out);
  }

  /** What {@link #write} wrote. */
  public static OutputMetrics read(DataInput in) throws IOException {
    OutputMetrics read = new OutputMetrics();
    read.rows = in.readLong();
    read.agree = in.readLong();
    read.labelled = in.readLong();
    read.floatTop1 = in.readLong();
    read.quantizedTop1 = in.readLong();
    read.floatTop5 = in.readLong();
    read.quantizedTop5 = in.readLong();
    read.ranked = in.readLong();
    read.undefined = in.readLong();
    read.classes = in.readBoolean();
    read.otherShape = in.readBoolean();
    read.fidelity.read(in);
    read.divergence.read(in);
    return read;
  }

  /** The models gave values of different shapes, which cannot be compared. */
  void markOtherShape() {
    otherShape = true;
  }

  boolean hasOtherShape() {
    return otherShape;
  }

  /**
   * Adds a row of an output, or a part of one: float and quantized values. Rows are counted apart.
   */
  void add(float[] x, float[] y, int from, int length) {
    fidelity.add(x, y, from, length);
  }

  /** Adds the ranking of one row of class scores. */
  void addRanking(float[] x, float[] y, int from, int length, long label) {
    classes = true;
    ranked++;
    double own = divergence(x, y, from, length);
    if (Double.isFinite(own)) {
      divergence.add(own);
    } else {
      undefined++;
    }
    agree += argmax(x, from, length) == argmax(y, from, length) ? 1 : 0;
    if (label >= 0) {
      labelled++;
      floatTop1 += rank(x, from, length, label) == 0 ? 1 : 0;
      quantizedTop1 += rank(y, from, length, label) == 0 ? 1 : 0;
      floatTop5 += rank(x, from, length, label) < 5 ? 1 : 0;
      quantizedTop5 += rank(y, from, length, label) < 5 ? 1 : 0;
    }
  }

  /** The Kullback-Leibler divergence of softmax(y) from softmax(x), in nats; NaN for no numbers. */
  private static double divergence(float[] x, float[] y, int from, int length) {
    double logX = logSum(x, from, length);
    double logY = logSum(y, from, length);
    double sum = 0;
    for (int i = from; i < from + length; i++) {
      double p = x[i] - logX;
      sum += Math.exp(p) * (p - (y[i] - logY));
    }
    return Math.max(0, sum);
  }

  /** log sum exp, around the greatest, so that nothing overflows. */
  private static double logSum(float[] values, int from, int length) {
    double greatest = values[from + argmax(values, from, length)];
    double sum = 0;
    for (int i = from; i < from + length; i++) {
      sum += Math.exp(values[i] - greatest);
    }
    return greatest + Math.log(sum);
  }

  private static int argmax(float[] values, int from, int length) {
    int best = 0;
    for (int i = 1; i < length; i++) {
      if (values[from + i] > values[from + best]) {
        best = i;
      }
    }
    return best;
  }

  /** How many classes score above the label, or as high with a lower number. */
  private static int rank(float[] values, int from, int length, long label) {
    float own = values[from + (int) label];
    int rank = 0;
    for (int i = 0; i < length; i++) {
      float other = values[from + i];
      rank += other > own || (other == own && i < label) ? 1 : 0;
    }
    return Float.isNaN(own) ? length : rank;
  }

  /**
   * Noise over signal, the mean over the outputs; infinite where no value of one is finite in both
   * models, NaN without outputs.
   */
  public static double error(Map<String, OutputMetrics> outputs) {
    return outputs.values().stream().mapToDouble(OutputMetrics::error).average().orElse(Double.NaN);
  }

  private double error() {
    if (Double.isNaN(mse()) && nonFinite() > 0) {
      return Double.POSITIVE_INFINITY;
    }
    double error = Math.pow(10, sqnr() / -10);
    return Double.isFinite(error) ? error : 0;
  }

  public long rows() {
    return rows;
  }

  /** Values that are NaN or infinite in either model; they are in no other figure. */
  public long nonFinite() {
    return fidelity.nonFinite();
  }

  /** Values that are finite in the float model and are not in the quantized one. */
  public long lost() {
    return fidelity.lost();
  }

  /** Signal to quantization noise, in dB; infinite if there is no noise. */
  public double sqnr() {
    return fidelity.sqnr();
  }

  /** The mean squared difference. */
  public double mse() {
    return fidelity.mse();
  }

  /** The cosine of the angle between all values of the one and of the other. */
  public double cosine() {
    return fidelity.cosine();
  }

  /** Whether the output ranks classes, so that the figures below mean something. */
  public boolean hasClasses() {
    return classes;
  }

  /** The share of rows whose first class is the same. */
  public double agreement() {
    return (double) agree / rows;
  }

  /**
   * How far the quantized classes are from the float ones: the mean Kullback-Leibler divergence of
   * their softmaxes, in nats a row; NaN if a row has scores that are NaN or infinite.
   */
  public double divergence() {
    return undefined > 0 ? Double.NaN : divergence.value() / ranked;
  }

  /** Whether there were labels. */
  public boolean isLabelled() {
    return labelled > 0;
  }

  public double floatTop1() {
    return (double) floatTop1 / labelled;
  }

  public double quantizedTop1() {
    return (double) quantizedTop1 / labelled;
  }

  public double floatTop5() {
    return (double) floatTop5 / labelled;
  }

  public double quantizedTop5() {
    return (double) quantizedTop5 / labelled;
  }
}
