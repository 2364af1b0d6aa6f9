package org.tare.job.trials;

/**
 * A layer whose type can be chosen.
 *
 * @param name for people
 * @param output the tensor that it writes; overrides name it, since no two layers have one
 * @param weights how many values its weight has
 */
public record Layer(String name, String output, String opType, long weights) {}
