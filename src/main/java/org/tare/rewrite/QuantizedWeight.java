package org.tare.rewrite;

import java.util.Optional;
import org.tare.quant.BlockQParams;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;

/**
 * How one constant of the float model is stored.
 *
 * @param dtype its integers' type
 * @param channels its qparams, unless it has blocks
 * @param blocks its qparams, if it has blocks
 * @param elements how many values it has
 * @param bytes what integers, scales and zero points take
 */
public record QuantizedWeight(
    DType dtype,
    Optional<ChannelQParams> channels,
    Optional<BlockQParams> blocks,
    long elements,
    long bytes) {
  static QuantizedWeight of(ChannelQParams qparams, long elements, boolean withZeroPoint) {
    int count = qparams.channels().size();
    long perQParams = 4L + (withZeroPoint ? qparams.dtype().bits() / 8 : 0);
    return new QuantizedWeight(
        qparams.dtype(),
        Optional.of(qparams),
        Optional.empty(),
        elements,
        elements * qparams.dtype().bits() / 8 + perQParams * count);
  }

  static QuantizedWeight of(BlockQParams qparams, long elements, boolean withZeroPoint) {
    int count = qparams.scales().length;
    return new QuantizedWeight(
        qparams.dtype(),
        Optional.empty(),
        Optional.of(qparams),
        elements,
        (elements + 1) / 2 + 4L * count + (withZeroPoint ? (count + 1) / 2 : 0));
  }
}
