/**
 * Which way to quantize a model: what it is made of says which ways fit ({@link
 * org.tare.job.advice.Traits}); those are measured on sample rows, the cheapest first, until one
 * keeps the target ({@link org.tare.job.advice.AdviceRun}).
 *
 * <p>The rules are those of the field. Layers of products and recurrent layers are first quantized
 * dynamically, convolutions statically. Corrections cost time when the model is made, wider types
 * cost time whenever it runs. Training comes last.
 *
 * <p>May use the packages that quantization, evaluation and trials of layers may.
 */
package org.tare.job.advice;
