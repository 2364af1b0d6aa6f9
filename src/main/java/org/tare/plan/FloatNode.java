package org.tare.plan;

/**
 * A node that stays float32.
 *
 * @param name its name, or that of its first output if it has none; in a subgraph, behind the names
 *     of the nodes that lead there
 * @param reason why, as the end of a sentence: "its weight is not a constant"
 */
public record FloatNode(String opType, String name, String reason) {}
