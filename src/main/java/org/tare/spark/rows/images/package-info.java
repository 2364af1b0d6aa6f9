/**
 * Pictures in columns: PNG and JPEG files, and the pixels of Spark's image source, as red, green
 * and blue of 8 bits each.
 *
 * <p>A file's samples are taken as it holds them. What is damaged, cut short or of another format
 * is refused with what it is.
 *
 * <p>May use Spark's rows and the JDK's readers of images.
 */
package org.tare.spark.rows.images;
