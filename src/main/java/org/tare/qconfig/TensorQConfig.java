package org.tare.qconfig;

import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

/**
 * How one kind of tensor, activation or weight, is quantized: PyTorch's observer with its
 * arguments.
 */
public record TensorQConfig(RangeMethod method, DType dtype, QScheme scheme) {}
