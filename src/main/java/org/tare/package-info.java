/**
 * Calibration and quantization of float32 ONNX models on Apache Spark, as a library. {@link
 * org.tare.Tare} is the entrance: {@code Tare.on(spark).calibrate(model).data(rows).run()}.
 *
 * <p>A call is described first, by settings that are checked as they are given, and carried out by
 * {@code run()}. {@code dryRun()} checks the same and computes nothing. Results are values with a
 * JSON form; their warnings are part of them. Every failure that the caller can act on is a {@link
 * org.tare.TareException}, whose kind is also the exit status of the command.
 *
 * <p>Nothing here prints or ends the process. The caller's Spark settings and job group are as
 * before when a call has ended. May use every package below it, Spark, Hadoop's configuration, and
 * Jackson for the JSON forms.
 */
package org.tare;
