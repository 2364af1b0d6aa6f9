/**
 * SQL functions: observe columns, add states, choose qparams. {@link
 * org.tare.spark.functions.TareExtensions} brings them into a session, {@link
 * org.tare.spark.functions.TareFunctions} registers them in one that runs.
 *
 * <p>A state is BINARY: the bytes of one {@link org.tare.stats.TensorStats}. Literal arguments are
 * checked when the query is analysed. NULL is left out by the aggregates; the other functions
 * answer NULL with NULL.
 *
 * <p>May use Spark with Catalyst, {@code org.tare.range}, {@code org.tare.stats} and {@code
 * org.tare.quant}.
 */
package org.tare.spark.functions;
