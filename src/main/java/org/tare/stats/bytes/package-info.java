/**
 * The bytes of state files: numbers in little endian and varints, the pages of histograms, and
 * checksums. Whatever {@link org.tare.stats.bytes.ByteReader} accepts, {@link
 * org.tare.stats.bytes.ByteWriter} writes to the same bytes.
 *
 * <p>May use nothing but the JDK.
 */
package org.tare.stats.bytes;
