/**
 * The forms of results: {@code result.json} and {@code qparams.json}, what {@code inspect} and
 * {@code drift} print for machines, the summary in lines, the files of an output folder. What a
 * result was made of is a {@link org.tare.results.Provenance}. Decides nothing.
 */
package org.tare.results;
