/**
 * The report of a quantization as one HTML page: the summary, what stays float32 and why, for each
 * tensor its distribution with the chosen range, and what was measured of layers; and pictures of
 * single tensors. Pages need nothing from elsewhere: style and script are resources beside these
 * classes.
 *
 * <p>Texts from models and tables are escaped. May use {@code org.tare.plan}, {@code
 * org.tare.range}, {@code org.tare.stats} and {@code org.tare.quant}.
 */
package org.tare.report;
