package org.tare.job;

import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization;

/**
 * How a model is quantized.
 *
 * @param mapping mode, backend, and types, schemes and methods of every node
 * @param form of the written model
 * @param declaresShapes whether shapes of residual additions are written down
 * @param storesHalf whether large constants that stay float32 are stored as float16
 */
public record QuantizeOptions(
    QConfigMapping mapping,
    Quantization.Form form,
    CorrectionOptions corrections,
    boolean declaresShapes,
    boolean storesHalf,
    Exports exports) {}
