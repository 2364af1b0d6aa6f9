/**
 * Trials of many assignments of types to layers: one layer at a time ({@link
 * org.tare.job.trials.SensitivityRun}), and the cheapest assignment that keeps a target ({@link
 * org.tare.job.trials.MixRun}). All run as forms in switched models ({@link
 * org.tare.onnx.beside.SwitchedModel}) on the same rows; each form is what the quantizer writes for
 * the overrides of its assignment.
 *
 * <p>The error of a form is noise over signal, the mean over the outputs, or what is nearer to the
 * metric. What steps of single layers change in it is taken to add: that gives the order in which
 * layers get wider types, and what is measured decides.
 */
package org.tare.job.trials;
