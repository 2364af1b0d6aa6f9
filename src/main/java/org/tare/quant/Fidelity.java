package org.tare.quant;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.io.Serializable;

/**
 * How close quantized values are to the float ones, from sums that merge by addition. Values that
 * are added together are summed in float64, these sums exactly: what is added in which order, and
 * merged how, changes nothing.
 *
 * <p>Pairs of which one is NaN or infinite are counted apart and are in no other figure.
 */
public final class Fidelity implements Serializable {
  private static final long serialVersionUID = 2L;

  /** PyTorch's floor for each norm in a cosine. */
  private static final double SMALLEST_NORM = 1e-8;

  private long count;
  private long nonFinite;
  private long lost;
  private final ExactSum signal = new ExactSum();
  private final ExactSum noise = new ExactSum();
  private final ExactSum product = new ExactSum();
  private final ExactSum quantizedSignal = new ExactSum();

  /** Adds pairs of a float value and the quantized one, between the indexes. */
  public void add(float[] x, float[] y, int from, int length) {
    double ownSignal = 0;
    double ownQuantized = 0;
    double ownProduct = 0;
    double ownNoise = 0;
    for (int i = from; i < from + length; i++) {
      double a = x[i];
      double b = y[i];
      if (!Double.isFinite(a) || !Double.isFinite(b)) {
        nonFinite++;
        lost += Double.isFinite(a) ? 1 : 0;
        continue;
      }
      count++;
      ownSignal += a * a;
      ownQuantized += b * b;
      ownProduct += a * b;
      ownNoise += (a - b) * (a - b);
    }
    signal.add(ownSignal);
    quantizedSignal.add(ownQuantized);
    product.add(ownProduct);
    noise.add(ownNoise);
  }

  /** Adds what another one holds. */
  public void merge(Fidelity other) {
    count += other.count;
    nonFinite += other.nonFinite;
    lost += other.lost;
    signal.add(other.signal);
    noise.add(other.noise);
    product.add(other.product);
    quantizedSignal.add(other.quantizedSignal);
  }

  /** Writes it for {@link #read}. */
  public void write(DataOutput out) throws IOException {
    out.writeLong(count);
    out.writeLong(nonFinite);
    out.writeLong(lost);
    signal.write(out);
    noise.write(out);
    product.write(out);
    quantizedSignal.write(out);
  }

  /** Adds what {@link #write} wrote. */
  public void read(DataInput in) throws IOException {
    count += in.readLong();
    nonFinite += in.readLong();
    lost += in.readLong();
    signal.read(in);
    noise.read(in);
    product.read(in);
    quantizedSignal.read(in);
  }

  /** Finite pairs. */
  public long count() {
    return count;
  }

  /** Pairs of which one is NaN or infinite. */
  public long nonFinite() {
    return nonFinite;
  }

  /** Pairs of which the float value is finite and the quantized one is not. */
  public long lost() {
    return lost;
  }

  /**
   * Signal to quantization noise in dB: 10 log10 of the ratio of squares. Infinite for no noise,
   * -infinite for no signal, NaN for neither.
   */
  public double sqnr() {
    return 10 * Math.log10(signal.value() / noise.value());
  }

  /** The mean squared difference; NaN for no pairs. */
  public double mse() {
    return noise.value() / count;
  }

  /** The root of the squared differences over the squared values. */
  public double normalizedL2() {
    return Math.sqrt(noise.value() / signal.value());
  }

  /** The cosine of the angle between all values of the one and of the other; 0 for zeros. */
  public double cosine() {
    double x = Math.max(SMALLEST_NORM, Math.sqrt(signal.value()));
    double y = Math.max(SMALLEST_NORM, Math.sqrt(quantizedSignal.value()));
    return product.value() / (x * y);
  }
}
