/**
 * Calibration of rows that keep coming. Spark cuts a stream into batches, each with a number, and
 * gives a batch again after a crash. The state of each batch goes into a state store as a slice
 * whose name has the stream's name and the batch's number, so a batch that comes again is found
 * there and counts once. States add up exactly, so those of all batches are, byte for byte, the
 * state of one run over all rows. May use the library, settings and the store.
 */
package org.tare.streams;
