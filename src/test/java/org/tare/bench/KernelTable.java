package org.tare.bench;

import java.io.IOException;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Observing, range search and merging on one thread, beside plain loops and the peers. */
final class KernelTable {
  private KernelTable() {}

  static void print(Peer peer) throws RunnerException, IOException, InterruptedException {
    Collection<RunResult> results =
        new Runner(
                new OptionsBuilder()
                    .include("org.tare.bench.(Observe|Range|Merge)Benchmark")
                    .verbosity(VerboseMode.SILENT)
                    .build())
            .run();
    Map<String, Double> tare = new LinkedHashMap<>();
    for (RunResult result : results) {
      String name = result.getPrimaryResult().getLabel();
      for (String parameter : result.getParams().getParamsKeys()) {
        name += " " + result.getParams().getParam(parameter);
      }
      tare.put(name, result.getPrimaryResult().getScore());
    }
    Map<String, String> peers = peer.figures("deploy/peers.py");
    System.out.println("| | normal | ReLU | |");
    System.out.println("|---|---|---|---|");
    observing("Tare: min, max, counts, histogram", tare, "tareMinMaxCountsAndHistogram");
    observing("… with the Vector API", tare, "tareWithVectorApi");
    observing("… min and max alone", tare, "tareMinMax");
    observing("… min, max and sums of 384 channels", tare, "tareChannels");
    observing("a plain loop of 2,048 equal bins", tare, "plainHistogramOf2048Bins");
    observing("a plain loop of min and max alone", tare, "plainMinMax");
    peer("PyTorch HistogramObserver, one thread", peers, "torch_histogram", "ns a value");
    peer("PyTorch MinMaxObserver, one thread", peers, "torch_minmax", "ns a value");
    peer("ONNX Runtime's histogram collector", peers, "onnxruntime_histogram", "ns a value");
    for (String method : new String[] {"percentile", "mse", "entropy", "lp3", "auto"}) {
      row(
          "Tare: range by " + method,
          tare.get(method + " normal"),
          tare.get(method + " relu"),
          "ms a tensor");
    }
    row(
        "Tare: all methods together",
        tare.get("allMethods normal"),
        tare.get("allMethods relu"),
        "ms a tensor");
    peer("ONNX Runtime's entropy, 2,048 bins", peers, "onnxruntime_entropy", "ms a tensor");
    for (String values : new String[] {"1000", "100000"}) {
      System.out.printf(
          Locale.ROOT,
          "| Tare: merge 500 tensors x 2,000 partitions of %s values, one thread | %.1f | | s |%n",
          values,
          tare.get("merge500TensorsOf2000Partitions " + values));
    }
    if (peers.isEmpty()) {
      System.out.printf(
          "%nNo figures of peers: %s has neither torch nor onnxruntime; set TARE_PYTHON to one that"
              + " has.%n",
          peer.python());
    } else {
      System.out.printf(
          "%nPeers in this run: torch %s, onnxruntime %s.%n",
          peers.getOrDefault("torch_version", "not there"),
          peers.getOrDefault("onnxruntime_version", "not there"));
    }
  }

  private static void observing(String what, Map<String, Double> tare, String benchmark) {
    row(what, tare.get(benchmark + " normal"), tare.get(benchmark + " relu"), "ns a value");
  }

  private static void peer(String what, Map<String, String> peers, String key, String unit) {
    String suffix = unit.startsWith("ns") ? "_ns" : "_ms";
    String normal = peers.get(key + "_normal" + suffix);
    String relu = peers.get(key + "_relu" + suffix);
    if (normal != null && relu != null) {
      row(what, Double.valueOf(normal), Double.valueOf(relu), unit);
    }
  }

  private static void row(String what, Double normal, Double relu, String unit) {
    System.out.printf(Locale.ROOT, "| %s | %.3g | %.3g | %s |%n", what, normal, relu, unit);
  }
}
