/**
 * The {@code tare} command. Options, job files and {@code spark.tare.*} become {@link
 * org.tare.settings.Settings}; one call of the library does the work; the result is printed.
 *
 * <p>Protocol: the summary goes to standard output, progress, warnings and errors to standard
 * error, an error in one line. The exit status is that of the {@link org.tare.TareException.Kind};
 * 130 and 143 are stops by a signal. {@code --json} prints the result and nothing else on standard
 * output.
 *
 * <p>The only package that prints, ends the process, starts Spark, or knows names of options. May
 * use picocli and all of Tare.
 */
package org.tare.cli;
