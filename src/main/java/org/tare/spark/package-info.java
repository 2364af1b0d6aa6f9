/**
 * How Tare behaves in a Spark session that may belong to somebody else: settings that a job needs
 * otherwise come back when it is done, jobs have a description and a tag, and failures are told in
 * one line with their kind.
 *
 * <p>{@link org.tare.spark.SparkFailures} is the one table from what Spark throws to exit statuses.
 * What no rule knows is a defect, so that a scheduler does not repeat it for ever.
 *
 * <p>May use Spark. The packages below do the work: {@code rows}, {@code tasks}, {@code functions}.
 */
package org.tare.spark;
