package org.tare.report;

/**
 * A quantized weight against its float values.
 *
 * @param sqnr in dB; infinite where there is no error
 * @param mse the mean squared difference
 * @param cosine of the angle between the two
 * @param greatest the greatest difference
 */
public record WeightError(double sqnr, double mse, double cosine, double greatest) {}
