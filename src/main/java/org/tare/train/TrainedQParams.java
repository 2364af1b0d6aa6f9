package org.tare.train;

import java.util.Map;
import org.tare.quant.ChannelQParams;
import org.tare.quant.QParams;

/**
 * Qparams that were trained, which the written model takes as they are.
 *
 * @param weights by name
 * @param activations by root; empty where they did not change
 */
public record TrainedQParams(
    Map<String, ChannelQParams> weights, Map<String, QParams> activations) {}
