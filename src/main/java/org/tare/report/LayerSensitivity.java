package org.tare.report;

/**
 * What one layer costs where it alone is quantized, or all but it.
 *
 * @param type how it was quantized, as in {@code int4 per channel}
 * @param sqnr of the model's outputs in dB; NaN where it was not measured
 * @param metric the value of the metric that was asked for; NaN where it was not measured
 */
public record LayerSensitivity(String layer, String type, double sqnr, double metric) {}
