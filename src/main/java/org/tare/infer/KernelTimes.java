package org.tare.infer;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tare.TareException;
import org.tare.files.TemporaryFolder;
import org.tare.files.TemporaryFolders;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.OnnxModel;

/**
 * How long the kernels of a model take on this machine, as ONNX Runtime's profile has it: on one
 * thread, with all optimisations, the median of runs on the same inputs. Other work on the machine
 * lengthens some runs; the median of each kernel by itself is hardly moved by it.
 */
public final class KernelTimes {
  /** The first runs also get memory, and are left out. */
  private static final int WARM_UP = 2;

  private static final int FEWEST_RUNS = 7;
  private static final int MOST_RUNS = 60;
  private static final long ENOUGH_NANOS = 500_000_000;

  private static final Pattern MICROSECONDS = Pattern.compile("\"dur\" ?: ?(\\d+)");
  private static final Pattern KERNEL = Pattern.compile("\"name\" ?: ?\"([^\"]*)_kernel_time\"");
  private static final Pattern END_OF_RUN = Pattern.compile("\"name\" ?: ?\"model_run\"");

  private KernelTimes() {}

  /**
   * A kernel.
   *
   * @param name ONNX Runtime's: made of the name of a node or tensor, or of the operator
   * @param seconds of one run
   */
  public record Kernel(String name, double seconds) {}

  /**
   * Runs a model.
   *
   * @param label what to call it in messages
   * @param inputs what it is run on
   * @return its kernels, in the order in which they ended first
   * @throws TareException if it does not load or run
   */
  public static List<Kernel> of(OnnxModel model, String label, Map<String, InputTensor> inputs) {
    try (TemporaryFolder folder = TemporaryFolders.create("profile");
        TemporaryModel file = TemporaryModel.of(model)) {
      Path profile;
      try (ModelSession session =
          ModelSession.openProfiled(file.file(), label, folder.resolve("runs"))) {
        long begun = System.nanoTime();
        for (int run = 0; run < MOST_RUNS; run++) {
          boolean isEnough = System.nanoTime() - begun > ENOUGH_NANOS;
          if (run >= WARM_UP + FEWEST_RUNS && isEnough) {
            break;
          }
          session.run(inputs, session.outputs().keySet(), (name, tensor) -> {});
        }
        profile = session.endProfile();
      }
      return medians(Files.readAllLines(profile, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot time %s: its profile cannot be read: %s", label, e)
          .causedBy(e);
    }
  }

  /** Each kernel's time, of the lines of a profile: an event on each, kernels before their run. */
  static List<Kernel> medians(List<String> lines) {
    Map<String, List<Long>> times = new LinkedHashMap<>();
    Map<String, Long> run = new LinkedHashMap<>();
    int runs = 0;
    for (String line : lines) {
      Matcher microseconds = MICROSECONDS.matcher(line);
      Matcher kernel = KERNEL.matcher(line);
      if (kernel.find() && microseconds.find()) {
        // In a loop, or in both branches of a choice, more than one has the name.
        run.merge(kernel.group(1), Long.parseLong(microseconds.group(1)), Long::sum);
      } else if (END_OF_RUN.matcher(line).find()) {
        if (++runs > WARM_UP) {
          run.forEach((name, one) -> times.computeIfAbsent(name, n -> new ArrayList<>()).add(one));
        }
        run.clear();
      }
    }
    List<Kernel> kernels = new ArrayList<>();
    times.forEach((name, all) -> kernels.add(new Kernel(name, 1e-6 * median(all))));
    return kernels;
  }

  private static double median(List<Long> values) {
    long[] sorted = values.stream().mapToLong(Long::longValue).toArray();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2.0;
  }
}
