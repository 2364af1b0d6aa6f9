package org.tare.report;

import java.util.List;
import java.util.Optional;
import org.tare.quant.QParams;

/**
 * One quantized constant of the model.
 *
 * @param op the type of the first node that reads it; empty if none does
 * @param dtype the integers' type
 * @param values how many it has
 * @param bytes what integers, scales and zero points take
 * @param layout how many qparams it has and along what, as in {@code 32 along axis 0}
 * @param qparams one for each channel or block
 * @param error against the float values, if it was measured
 */
public record Weight(
    String name,
    String op,
    String dtype,
    long values,
    long bytes,
    String layout,
    List<QParams> qparams,
    Optional<WeightError> error) {
  public Weight {
    qparams = List.copyOf(qparams);
  }

  /** The same with its error. */
  public Weight with(WeightError measured) {
    return new Weight(name, op, dtype, values, bytes, layout, qparams, Optional.of(measured));
  }
}
