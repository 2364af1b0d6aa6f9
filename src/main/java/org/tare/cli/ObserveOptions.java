package org.tare.cli;

import java.util.Map;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The options of {@code observe}; what is not given stays null. */
final class ObserveOptions {
  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "TABLE",
      description = "the files to observe; or --table, or --query")
  String path;

  @Option(
      names = "--column",
      paramLabel = "COLUMN[,COLUMN]",
      description = "the columns: numbers, arrays of numbers, or binary float32 values")
  String column;

  @Option(
      names = "--observer",
      paramLabel = "NAME",
      description =
          "histogram (default), minmax, moving-average, per-channel-minmax,"
              + " per-channel-moving-average, recording, placeholder, torch-1.13, torch-2.0,"
              + " torch-2.5")
  String observer;

  @Option(
      names = "--method",
      paramLabel = "METHOD",
      description = "how the range is chosen, as in mse or percentile(percentile=99.9)")
  String method;

  @Option(names = "--dtype", paramLabel = "TYPE", description = "the quantized type (quint8)")
  String dtype;

  @Option(names = "--scheme", paramLabel = "SCHEME", description = "per_tensor_affine, …")
  String scheme;

  @Option(
      names = "--rule",
      paramLabel = "pytorch|onnxruntime",
      description = "whose arithmetic (pytorch for types like quint8, else onnxruntime)")
  String rule;

  @Option(
      names = "--averaging-constant",
      paramLabel = "C",
      description = "of the moving averages (0.01)")
  String averagingConstant;

  @Option(names = "--reduce-range", description = "leave one bit unused")
  boolean reduceRange;

  @Option(names = "--json", description = "print JSON alone")
  boolean json;

  void addTo(Map<String, String> given) {
    put(given, "data.path", path);
    put(given, "observe.column", column);
    put(given, "observe.observer", observer);
    put(given, "observe.method", method);
    put(given, "observe.dtype", dtype);
    put(given, "observe.scheme", scheme);
    put(given, "observe.rule", rule);
    put(given, "observe.averaging-constant", averagingConstant);
    if (reduceRange) {
      given.put("observe.reduce-range", "true");
    }
    if (json) {
      given.put("observe.json", "true");
    }
  }

  private static void put(Map<String, String> given, String key, String value) {
    if (value != null) {
      given.put(key, value);
    }
  }
}
