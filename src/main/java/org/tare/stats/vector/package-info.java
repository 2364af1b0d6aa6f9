/**
 * The loop that fills a histogram, with the JDK's Vector API. It is loaded by reflection, where the
 * JVM has the module {@code jdk.incubator.vector}; the plain loop of {@code org.tare.stats} gives
 * the same counts. Uses that package and the JDK.
 */
package org.tare.stats.vector;
