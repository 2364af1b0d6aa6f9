package org.tare.job;

import java.util.Optional;
import org.tare.train.TrainingOptions;

/**
 * How a training is led.
 *
 * @param label the column of class numbers in the data
 * @param evaluateEvery after how many rounds the quantized model is measured
 * @param measureRows rows to measure on
 */
public record TrainingSettings(
    TrainingOptions options, Optional<String> label, int evaluateEvery, int measureRows) {}
