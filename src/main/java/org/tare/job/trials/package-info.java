/**
 * Trials of many assignments of types to layers: one layer at a time ({@link
 * org.tare.job.trials.SensitivityRun}), and the cheapest assignment that keeps a target ({@link
 * org.tare.job.trials.MixRun}). All run as forms of one switched model ({@link
 * org.tare.onnx.beside.SwitchedModel}) on the same rows; each form is what the quantizer writes for
 * the overrides of its assignment.
 *
 * <p>The error of a form is noise over signal, the mean over the outputs. Errors of layers are
 * taken to add, as squares of independent errors do: that gives the order in which layers get wider
 * types, and what is measured decides.
 */
package org.tare.job.trials;
