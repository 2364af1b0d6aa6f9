package org.tare.quant;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.io.Serializable;
import java.math.BigInteger;

/**
 * The exact sum of products of float32 numbers, and of float64 sums of such: a fixed-point number
 * wide enough for all of them. It depends on neither order nor grouping.
 *
 * <p>It has {@value #LIMBS} limbs of 32 bits in 64-bit words; the lowest bit is worth 2^-{@value
 * #FRACTION_BITS}. The spare bits take carries, which are settled before they run out. Addends must
 * be finite, multiples of 2^-298 as every product of float32 values is, and below 2^300.
 */
public final class ExactSum implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final int LIMBS = 22;
  private static final int FRACTION_BITS = 320;
  private static final int ADDITIONS_BEFORE_CARRY = 1 << 28;
  private static final long MASK = 0xffffffffL;

  private final long[] limbs = new long[LIMBS];
  private int additions;

  /** Adds a number; of one that is no multiple of 2^-320, what is below that is left out. */
  public void add(double value) {
    if (value == 0) {
      return;
    }
    long bits = Double.doubleToRawLongBits(value);
    // No addend is one of float64's subnormals, so all have the leading one.
    long mantissa = (bits & 0xfffffffffffffL) | 0x10000000000000L;
    int position = (int) (bits >>> 52 & 0x7ff) - 1075 + FRACTION_BITS;
    if (position < 0) {
      // What falls out is zero: the value is a multiple of more.
      mantissa >>>= -position;
      position = 0;
    }
    int limb = position >>> 5;
    int shift = position & 31;
    long low = (mantissa & MASK) << shift;
    long high = (mantissa >>> 32) << shift;
    long sign = bits < 0 ? -1 : 1;
    limbs[limb] += sign * (low & MASK);
    limbs[limb + 1] += sign * ((low >>> 32) + (high & MASK));
    limbs[limb + 2] += sign * (high >>> 32);
    if (++additions >= ADDITIONS_BEFORE_CARRY) {
      carry();
    }
  }

  /** Adds what another one holds. */
  public void add(ExactSum other) {
    carry();
    other.carry();
    for (int i = 0; i < LIMBS; i++) {
      limbs[i] += other.limbs[i];
    }
    carry();
  }

  /** Writes it for {@link #read}. */
  public void write(DataOutput out) throws IOException {
    carry();
    for (long limb : limbs) {
      out.writeLong(limb);
    }
  }

  /** Adds what {@link #write} wrote. */
  public void read(DataInput in) throws IOException {
    ExactSum written = new ExactSum();
    for (int i = 0; i < LIMBS; i++) {
      written.limbs[i] = in.readLong();
    }
    add(written);
  }

  /** Brings all limbs but the highest to 32 bits, not below zero. */
  private void carry() {
    for (int i = 0; i < LIMBS - 1; i++) {
      limbs[i + 1] += limbs[i] >> 32;
      limbs[i] &= MASK;
    }
    additions = 0;
  }

  /** The float64 nearest to the sum. */
  public double value() {
    BigInteger sum = BigInteger.ZERO;
    for (int i = LIMBS - 1; i >= 0; i--) {
      sum = sum.shiftLeft(32).add(BigInteger.valueOf(limbs[i]));
    }
    return Math.scalb(sum.doubleValue(), -FRACTION_BITS);
  }
}
