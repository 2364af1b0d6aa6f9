package org.tare.stats;

import java.math.BigInteger;
import java.util.Arrays;

/**
 * Exact sums of float64 numbers that are sums of float32 numbers, one for each of several channels:
 * fixed-point numbers wide enough for all of float32's range. Adding and merging are exact, so the
 * result depends on neither order nor grouping.
 *
 * <p>A sum has {@value #LIMBS} limbs of 32 bits in 64-bit words; the lowest bit is worth 2^-{@value
 * #FRACTION_BITS}. The spare bits take carries, which are settled before they run out.
 *
 * <p>Rows have sums of few digits, so that float64 holds the sum of many of them exactly. They wait
 * in one until it does not.
 *
 * <p>Addends must be finite, multiples of 2^-149 as every sum of float32 values is, and below 2^180
 * in magnitude.
 */
final class ExactSums {
  /** How many bytes a sum takes at most, as a two's complement number. */
  static final int MAX_BYTES = 48;

  private static final int LIMBS = 11;
  private static final int FRACTION_BITS = 160;
  private static final int ADDITIONS_BEFORE_CARRY = 1 << 28;
  private static final long MASK = 0xffffffffL;

  /** What is added up while it waits stays below that. */
  private static final double LARGEST_WAITING = 0x1p179;

  private final long[] limbs;

  /** What is not in the limbs yet. */
  private final double[] waiting;

  private int additions;

  ExactSums(int channels) {
    limbs = new long[Math.multiplyExact(channels, LIMBS)];
    waiting = new double[channels];
  }

  int channels() {
    return limbs.length / LIMBS;
  }

  void add(int channel, double value) {
    double before = waiting[channel];
    double sum = before + value;
    // What rounding took from the sum (Knuth's TwoSum).
    double second = sum - before;
    double lost = (before - (sum - second)) + (value - second);
    if (lost == 0 && Math.abs(sum) < LARGEST_WAITING) {
      waiting[channel] = sum;
    } else {
      waiting[channel] = value;
      add(limbs, channel * LIMBS, before);
      if (++additions >= ADDITIONS_BEFORE_CARRY) {
        carry();
      }
    }
  }

  /** Adds to the sum whose lowest limb is the {@code first}. */
  private static void add(long[] limbs, int first, double value) {
    if (value == 0) {
      return;
    }
    long bits = Double.doubleToRawLongBits(value);
    // Every addend is a multiple of 2^-149, far above float64's subnormals.
    int exponent = (int) (bits >>> 52 & 0x7ff) - 1075;
    long mantissa = (bits & 0xfffffffffffffL) | 0x10000000000000L;
    int position = exponent + FRACTION_BITS;
    if (position < 0) {
      mantissa >>>= -position;
      position = 0;
    }
    int limb = first + (position >>> 5);
    int shift = position & 31;
    long low = (mantissa & MASK) << shift;
    long high = (mantissa >>> 32) << shift;
    long middle = (low >>> 32) + (high & MASK);
    if (bits >= 0) {
      limbs[limb] += low & MASK;
      limbs[limb + 1] += middle;
      limbs[limb + 2] += high >>> 32;
    } else {
      limbs[limb] -= low & MASK;
      limbs[limb + 1] -= middle;
      limbs[limb + 2] -= high >>> 32;
    }
  }

  /** Adds each of the other's sums the given number of times. */
  void addTimes(ExactSums other, long times) {
    if (times == 1) {
      settle();
      other.settle();
      for (int i = 0; i < limbs.length; i++) {
        limbs[i] += other.limbs[i];
      }
      carry();
    } else {
      for (int c = 0; c < channels(); c++) {
        set(c, exact(c).add(other.exact(c).multiply(BigInteger.valueOf(times))));
      }
    }
  }

  /** Moves what waits to the limbs, and brings these to one form. */
  private void settle() {
    for (int c = 0; c < waiting.length; c++) {
      double value = waiting[c];
      waiting[c] = 0;
      add(limbs, c * LIMBS, value);
    }
    carry();
  }

  private void carry() {
    carry(limbs);
    additions = 0;
  }

  /** Brings all limbs but the highest of each sum to 32 bits, not below zero. */
  private static void carry(long[] limbs) {
    for (int first = 0; first < limbs.length; first += LIMBS) {
      for (int i = first; i < first + LIMBS - 1; i++) {
        limbs[i + 1] += limbs[i] >> 32;
        limbs[i] &= MASK;
      }
    }
  }

  /** The limbs of a sum with all that waits: the highest with its sign, the others of 32 bits. */
  private long[] settled(int channel) {
    long[] sum = Arrays.copyOfRange(limbs, channel * LIMBS, (channel + 1) * LIMBS);
    add(sum, 0, waiting[channel]);
    carry(sum);
    return sum;
  }

  /** The sum as a whole number of 2^-{@value #FRACTION_BITS}. */
  BigInteger exact(int channel) {
    return new BigInteger(digits(channel));
  }

  /** The same as bytes, as {@link BigInteger#toByteArray} gives them: the highest first. */
  byte[] digits(int channel) {
    long[] sum = settled(channel);
    int sign = (int) (sum[LIMBS - 1] >> 63);
    int count = MAX_BYTES;
    // A byte that only repeats the sign of the one below is one too many.
    while (count > 1 && digit(sum, count - 1) == sign && digit(sum, count - 2) >> 7 == sign) {
      count--;
    }
    byte[] digits = new byte[count];
    for (int i = 0; i < count; i++) {
      digits[count - 1 - i] = digit(sum, i);
    }
    return digits;
  }

  /** A byte of a settled sum; the lowest is the first. */
  private static byte digit(long[] sum, int place) {
    int limb = Math.min(place >>> 2, LIMBS - 1);
    return (byte) (sum[limb] >> (8 * (place - 4 * limb)));
  }

  private void set(int channel, BigInteger exact) {
    byte[] digits = exact.toByteArray();
    if (!isInRange(digits)) {
      throw new ArithmeticException("sum overflows");
    }
    set(channel, digits);
  }

  /** Whether a sum is from -2^382 to below 2^382: its negative is then a sum too. */
  static boolean isInRange(byte[] digits) {
    int highest = digits[0] >> 6;
    return digits.length < MAX_BYTES
        || (digits.length == MAX_BYTES && (highest == 0 || highest == -1));
  }

  /**
   * Sets a sum.
   *
   * @param digits as {@link BigInteger#toByteArray} gives them, at most {@value #MAX_BYTES}
   */
  void set(int channel, byte[] digits) {
    int low = channel * LIMBS;
    int top = low + LIMBS - 1;
    long sign = digits[0] >> 7;
    waiting[channel] = 0;
    Arrays.fill(limbs, low, top, sign & MASK);
    limbs[top] = sign;
    for (int i = 0; i < digits.length; i++) {
      int place = Math.min(i >>> 2, LIMBS - 1);
      int shift = 8 * (i - 4 * place);
      limbs[low + place] &= ~(0xffL << shift);
      limbs[low + place] |= (digits[digits.length - 1 - i] & 0xffL) << shift;
    }
  }

  /** A finite float32 number as a whole number of 2^-{@value #FRACTION_BITS}. */
  static BigInteger exact(float value) {
    int bits = Float.floatToRawIntBits(value);
    int exponent = Math.max(1, bits >>> 23 & 0xff);
    int fraction = bits & 0x7fffff;
    int mantissa = (bits >>> 23 & 0xff) == 0 ? fraction : fraction | 0x800000;
    return BigInteger.valueOf(bits < 0 ? -mantissa : mantissa)
        .shiftLeft(exponent - 150 + FRACTION_BITS);
  }

  /** The float64 nearest to the sum; of two the even one. */
  double value(int channel) {
    long[] sum = settled(channel);
    boolean isNegative = sum[LIMBS - 1] < 0;
    if (isNegative) {
      for (int i = 0; i < LIMBS; i++) {
        sum[i] = -sum[i];
      }
      carry(sum);
    }
    // The highest 63 bits, of which the last says too whether any are set below: to round these is
    // to round all.
    long bits = sum[LIMBS - 1];
    int place = 32 * (LIMBS - 1);
    for (int i = LIMBS - 2; i >= 0; i--) {
      int room = Math.min(32, Long.numberOfLeadingZeros(bits) - 1);
      bits = (bits << room) | (sum[i] >>> (32 - room));
      place -= room;
      if ((sum[i] & (MASK >>> room)) != 0) {
        bits |= 1;
      }
    }
    double magnitude = Math.scalb((double) bits, place - FRACTION_BITS);
    return isNegative ? -magnitude : magnitude;
  }

  @Override
  public boolean equals(Object other) {
    if (!(other instanceof ExactSums that)) {
      return false;
    }
    settle();
    that.settle();
    return Arrays.equals(limbs, that.limbs);
  }

  @Override
  public int hashCode() {
    settle();
    return Arrays.hashCode(limbs);
  }
}
