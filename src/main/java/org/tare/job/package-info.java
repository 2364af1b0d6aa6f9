/**
 * What a run does, without a command line: reads and prepares the float model, calibrates,
 * corrects, quantizes, evaluates; and observes columns without a model.
 *
 * <p>The way of a model: prepared ({@code org.tare.prepare}), planned ({@code org.tare.plan}),
 * observed on rows ({@code org.tare.spark.tasks}), corrected and rewritten. Each correction that is
 * {@code auto} is measured on rows of the calibration data and left out unless the error is lower
 * with it. The error is noise over signal, the mean over the outputs:
 *
 * <pre>
 *   sum (y - y')^2 / sum y^2          SQNR in dB = -10 log10 of it
 * </pre>
 *
 * <p>Options come in as records, results go out as records. Nothing here prints or knows names of
 * options. May use Spark and the packages below, none of {@code org.tare.settings}.
 */
package org.tare.job;
