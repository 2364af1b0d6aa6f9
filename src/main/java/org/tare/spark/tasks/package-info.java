/**
 * The jobs on executors: calibration, observation of columns, evaluation.
 *
 * <p>Protocol: the model is broadcast in pieces; an executor writes them into files, checks their
 * SHA-256 and loads the model once. A task fills one {@link org.tare.stats.TensorStats} for each
 * tensor and emits each once, as bytes. Spark groups them by slice and tensor and adds them. Spark
 * counts the result of a task once under retries, failed fetches and speculation, and adding is
 * exact, so the state is the same for any partitioning and order. Accumulators only show progress.
 *
 * <p>May use Spark, {@code org.tare.spark.rows}, {@code org.tare.infer}, {@code org.tare.files} and
 * what lies below them.
 */
package org.tare.spark.tasks;
