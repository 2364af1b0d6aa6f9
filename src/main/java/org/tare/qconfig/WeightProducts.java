package org.tare.qconfig;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.quant.PairLimit;

/** On which CPUs the products of int8 weights are exact. */
public enum WeightProducts {
  /**
   * On every CPU: weights whose products are added in 16 bits, where there is no VNNI, keep to
   * {@link PairLimit}.
   */
  PORTABLE(PairLimit.Which.NEIGHBOURS),
  /**
   * On x86 with VNNI and on ARM, and on whatever else adds in 32 bits: weights take the whole
   * range. On other CPUs products saturate, and results are bad.
   */
  FULL(PairLimit.Which.NONE),
  /** On every CPU, and for runtimes that add products in another order than ONNX Runtime. */
  ANY_ORDER(PairLimit.Which.ANY_TWO);

  private final PairLimit.Which limited;

  WeightProducts(PairLimit.Which limited) {
    this.limited = limited;
  }

  /** The weights that are held to the limit. */
  public PairLimit.Which limited() {
    return limited;
  }

  /** The name in settings: {@code any-order}. */
  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /**
   * The products of the given name.
   *
   * @throws TareException if there are none
   */
  public static WeightProducts of(String name) {
    for (WeightProducts products : values()) {
      if (products.id().equals(name)) {
        return products;
      }
    }
    throw TareException.usage(
        "quantize.weight.products cannot be \"%s\": it is %s",
        name, Arrays.stream(values()).map(WeightProducts::id).collect(Collectors.joining(", ")));
  }
}
