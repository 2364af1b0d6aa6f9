package org.tare.range;

/**
 * A range with how it came about.
 *
 * @param range as the method chose it, before it is widened to hold zero
 * @param method the method that chose it: of {@code auto}, the one that won
 * @param expectedError the mean squared error to be expected of the range over the finite values
 *     that are no mask; 0 of a range that needs no search and none was computed for
 * @param minMaxError the same for the range from the least to the greatest of them
 * @param masked how many values were taken for an attention mask and not for part of the range
 */
public record RangeChoice(
    Range range, String method, double expectedError, double minMaxError, long masked) {}
