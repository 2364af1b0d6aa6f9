/**
 * The report of a quantization as one HTML page: the summary, what stays float32 and why, and for
 * each tensor its distribution with the chosen range. The page needs no script and nothing from
 * elsewhere.
 *
 * <p>Texts from models and tables are escaped. May use {@code org.tare.plan}, {@code
 * org.tare.range}, {@code org.tare.stats} and {@code org.tare.quant}.
 */
package org.tare.report;
