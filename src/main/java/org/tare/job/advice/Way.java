package org.tare.job.advice;

import java.util.Locale;
import java.util.Map;

/** A way to quantize, in the order of what it costs to make. */
public enum Way {
  /** Activations are quantized as the model runs; needs no calibration. */
  DYNAMIC(
      "dynamic quantization", Map.of("quantize.mode", "dynamic", "quantize.smooth-quant", "false")),
  /** Calibrated ranges, and nothing that has to be measured. */
  STATIC(
      "static quantization",
      Map.of(
          "quantize.mode", "static",
          "quantize.smooth-quant", "false",
          "quantize.bias-correction", "false",
          "quantize.weight.rounding", "nearest",
          "quantize.float-below", "0")),
  /** The same with the corrections that the settings ask for, each measured. */
  CORRECTED("static quantization with corrections", Map.of("quantize.mode", "static")),
  /** Wider types for the layers that cost most. */
  MIXED(
      "static quantization with mixed types",
      Map.of(
          "quantize.mode", "static",
          "quantize.smooth-quant", "false",
          "quantize.float-below", "0")),
  /** Weights alone are integers; products are computed in floats. */
  WEIGHT_ONLY("integers for weights alone", Map.of("quantize.mode", "weight-only"));

  private final String description;

  @SuppressWarnings("ImmutableEnumChecker") // Map.of cannot be changed.
  private final Map<String, String> settings;

  Way(String description, Map<String, String> settings) {
    this.description = description;
    this.settings = settings;
  }

  public String id() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** As part of a sentence. */
  public String description() {
    return description;
  }

  /** What it sets, by the names of settings. */
  public Map<String, String> settings() {
    return settings;
  }
}
