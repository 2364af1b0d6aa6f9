/**
 * Which method, type and scheme a tensor gets: by default, by operator, by name; what the kernels
 * of a backend take; the modes static, dynamic and weight-only.
 *
 * <p>Of the overrides that fit a node, a name is stronger than a pattern of names, that than an
 * operator; of one kind the last wins. May use {@code org.tare.range} and {@code org.tare.quant}.
 */
package org.tare.qconfig;
