package org.tare.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.tare.examples.BareInference;

/**
 * What whole commands take, of Tare and of the peers, alternately: the fastest of three, from the
 * start of the process to its end.
 *
 * @param home the project's folder
 * @param out where results and logs go
 */
record CommandTable(Path home, Path out, Peer peer) {
  private static final int RUNS = 3;

  /** Commands that read no rows. */
  void small(Path model) throws IOException, InterruptedException {
    System.out.println("\n| command | s | wanted |");
    System.out.println("|---|---:|---:|");
    Path demo = home.resolve("src/main/resources/org/tare/demo/digits-mobilenet.onnx");
    small("`--help`", 0.5, tare("help", "--help"));
    small("`inspect` of a model of 90 MB", 2, tare("inspect", "inspect", model.toString()));
    small(
        "`quantize` of the demo's model, dynamic",
        3,
        tare(
            "quantize",
            "quantize",
            "--model",
            demo.toString(),
            "--set",
            "quantize.mode=dynamic",
            "--output",
            out.resolve("quantized").toString(),
            "--overwrite"));
  }

  private static void small(String command, double wanted, TimedCommand run) {
    System.out.printf(Locale.ROOT, "| %s | %.2f | %.1f |%n", command, run.seconds(), wanted);
  }

  /**
   * Calibrators on the same rows.
   *
   * @param table the rows, in Parquet
   * @param arrays the same, as a NumPy file for each input
   */
  void calibrators(Path model, Path table, Path arrays) throws IOException, InterruptedException {
    System.out.println("\n| calibrator, 128 rows | s | CPU s | MB resident | of Tare |");
    System.out.println("|---|---:|---:|---:|---:|");
    TimedCommand tare = tare("all", calibrate(model, table));
    row("Tare, every method from one pass", tare.seconds(), tare);
    List<String> plain = new ArrayList<>(List.of(calibrate(model, table)));
    plain.addAll(List.of("--set", "quantize.smooth-quant=false"));
    row("… without SmoothQuant", tare.seconds(), tare("plain", plain.toArray(String[]::new)));
    if (!peer.has("onnx", "onnxruntime.quantization")) {
      System.out.println("No peers: set TARE_PYTHON to a Python that has onnx and onnxruntime.");
      return;
    }
    for (String method : List.of("minmax", "percentile", "entropy")) {
      peer(tare, "ONNX Runtime, " + method, method, model, arrays);
    }
    if (peer.has("torch")) {
      for (String observer : List.of("MinMaxObserver", "HistogramObserver")) {
        String what = "PyTorch's " + observer + " on what ONNX Runtime computes";
        peer(tare, what, observer, model, arrays);
      }
    }
  }

  /** One run; a peer that fails is told. */
  private void peer(TimedCommand tare, String what, String method, Path model, Path arrays)
      throws IOException, InterruptedException {
    Path log = out.resolve(method + ".log");
    String script = home.resolve("deploy/peers-calibrate.py").toString();
    List<String> command =
        List.of(peer.python(), script, method, model.toString(), arrays.toString());
    try {
      row(what, tare.seconds(), TimedCommand.run(log, command));
    } catch (IllegalStateException e) {
      System.out.printf("| %s | failed: see %s | | | |%n", what, log);
    }
  }

  /**
   * What a calibration takes beyond the model's own time.
   *
   * @param count how many rows the table has
   */
  void floor(Path model, Path table, Path arrays, int count)
      throws IOException, InterruptedException {
    BareInference bare = BareInference.of(model, arrays);
    double before = bare.seconds(count);
    TimedCommand tare = tare(1, "floor", calibrate(model, table));
    double alone = Math.min(before, bare.seconds(count));
    System.out.printf(Locale.ROOT, "%n| %,d rows | s | of bare inference |%n", count);
    System.out.println("|---|---:|---:|");
    System.out.printf(
        Locale.ROOT, "| ONNX Runtime alone, a session a core | %.1f | 1.00 |%n", alone);
    System.out.printf(
        Locale.ROOT,
        "| Tare's whole command | %.1f | %.2f |%n",
        tare.seconds(),
        tare.seconds() / alone);
  }

  /** Memory over rows, with a heap of 1 GB. */
  void memory(Path few, Path many) throws IOException, InterruptedException {
    Path demo = home.resolve("src/main/resources/org/tare/demo/digits-mobilenet.onnx");
    System.out.println("\n| rows of the demo | MB resident | s |");
    System.out.println("|---|---:|---:|");
    double first = 0;
    for (Path table : List.of(few, many)) {
      List<String> command =
          new ArrayList<>(List.of("env", "TARE_OPTS=-Xms1g -Xmx1g -XX:+AlwaysPreTouch"));
      command.add(home.resolve("deploy/tare").toString());
      command.addAll(List.of(calibrate(demo, table)));
      command.addAll(
          List.of(
              "--set",
              "inputs.image.dtype=uint8",
              "--set",
              "inputs.image.scale=0.00392156862745098"));
      TimedCommand run = TimedCommand.run(out.resolve("memory.log"), command);
      first = first == 0 ? run.residentMegabytes() : first;
      System.out.printf(
          Locale.ROOT,
          "| %s | %.0f (%+.1f %%) | %.1f |%n",
          table.getFileName(),
          run.residentMegabytes(),
          100 * (run.residentMegabytes() / first - 1),
          run.seconds());
    }
  }

  private String[] calibrate(Path model, Path table) {
    return new String[] {
      "calibrate",
      "--model",
      model.toString(),
      "--data",
      table.toString(),
      "--output",
      out.resolve("calibrated").toString(),
      "--overwrite"
    };
  }

  private TimedCommand tare(String log, String... arguments)
      throws IOException, InterruptedException {
    return tare(RUNS, log, arguments);
  }

  private TimedCommand tare(int runs, String log, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(home.resolve("deploy/tare").toString()));
    command.addAll(List.of(arguments));
    return TimedCommand.fastest(runs, out.resolve(log + ".log"), command);
  }

  private static void row(String what, double first, TimedCommand run) {
    System.out.printf(
        Locale.ROOT,
        "| %s | %.1f | %.1f | %.0f | %.2f |%n",
        what,
        run.seconds(),
        run.cpuSeconds(),
        run.residentMegabytes(),
        run.seconds() / first);
  }
}
