package org.tare.examples;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import org.tare.TareException;

/**
 * Models side by side on one set of rows, in batches; the first is the float model that the others
 * are held against.
 */
final class Comparison implements AutoCloseable {
  /** Times are medians of this many rounds; a round runs the same on every model in turn. */
  static final int ROUNDS = 15;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final String model;
  private final int batchSize;
  private final List<Contender> contenders = new ArrayList<>();
  private final Map<Contender.Name, String> refused = new LinkedHashMap<>();
  private final Map<String, Npy> rows = new LinkedHashMap<>();

  /**
   * Loads models and rows.
   *
   * @param folder where each input's rows are, as a NumPy file of its name
   */
  Comparison(String model, List<String> arguments, Path folder, List<String> inputs, int batchSize)
      throws IOException {
    this(model, arguments, batchSize);
    for (String input : inputs) {
      rows.put(input, Npy.read(folder.resolve(input + ".npy")));
    }
  }

  /**
   * Loads models alone, for inputs that are made while they run.
   *
   * @param model what the float model is called in the table
   * @param arguments the models, the float one first; a file that ends with {@code .refused} is a
   *     model that a tool refused to make, and holds why; a model that ONNX Runtime does not load
   *     is a refused one too
   */
  Comparison(String model, List<String> arguments, int batchSize) throws IOException {
    this.model = model;
    this.batchSize = batchSize;
    for (String argument : arguments) {
      Contender.Name name = Contender.Name.parse(argument);
      if (name.file().toString().endsWith(".refused")) {
        refused.put(name, Files.readString(name.file()).strip());
        continue;
      }
      try {
        contenders.add(new Contender(name));
      } catch (TareException e) {
        if (contenders.isEmpty()) {
          throw e;
        }
        refused.put(name, e.getMessage());
      }
    }
  }

  List<Contender> contenders() {
    return contenders;
  }

  int batches() {
    int all = rows.values().iterator().next().rows();
    return (all + batchSize - 1) / batchSize;
  }

  /** The inputs of one batch; the last may be shorter. */
  Map<String, Npy> batch(int index) {
    Map<String, Npy> batch = new LinkedHashMap<>();
    rows.forEach(
        (input, values) -> {
          int from = index * batchSize;
          batch.put(input, values.slice(from, Math.min(batchSize, values.rows() - from)));
        });
    return batch;
  }

  /**
   * Measures every model's time for a batch and prints one line of JSON a model.
   *
   * @param figures what is known of each model besides, in the order of the models
   */
  void print(List<Map<String, Object>> figures) throws IOException {
    print(
        figures,
        1,
        round -> {
          Map<String, Npy> batch = batch(round % Math.max(1, batches() - 1));
          return contender -> contender.runOnly(batch);
        });
  }

  /**
   * The same where a round is more than one batch.
   *
   * @param batches how many a round is
   * @param round what runs that many on a model, by the number of the round
   */
  void print(List<Map<String, Object>> figures, int batches, IntFunction<Consumer<Contender>> round)
      throws IOException {
    double[] milliseconds = milliseconds(round);
    for (int i = 0; i < contenders.size(); i++) {
      Contender contender = contenders.get(i);
      Map<String, Object> line = line(contender.name());
      line.putAll(figures.get(i));
      line.put("batch", batchSize);
      line.put("bytes", contender.bytes());
      line.put("ms_a_batch", milliseconds[i] / batches);
      System.out.println(json(line));
    }
    for (Map.Entry<Contender.Name, String> each : refused.entrySet()) {
      Map<String, Object> line = line(each.getKey());
      line.put("refused", each.getValue());
      System.out.println(json(line));
    }
  }

  private Map<String, Object> line(Contender.Name name) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("model", model);
    line.put("tool", name.tool());
    line.put("mode", name.mode());
    line.put("file", name.file().toString());
    return line;
  }

  private double[] milliseconds(IntFunction<Consumer<Contender>> rounds) {
    double[][] times = new double[contenders.size()][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      Consumer<Contender> run = rounds.apply(round);
      for (int i = 0; i < times.length; i++) {
        long start = System.nanoTime();
        run.accept(contenders.get(i));
        times[i][round] = (System.nanoTime() - start) / 1e6;
      }
    }
    return Arrays.stream(times)
        .mapToDouble(each -> Arrays.stream(each).sorted().toArray()[ROUNDS / 2])
        .toArray();
  }

  /** One line of JSON; figures that are not finite are null, since JSON has none. */
  private static String json(Map<String, Object> line) throws JsonProcessingException {
    Map<String, Object> finite = new LinkedHashMap<>(line);
    finite.replaceAll((key, v) -> v instanceof Double d && !Double.isFinite(d) ? null : v);
    return JSON.writeValueAsString(finite);
  }

  @Override
  public void close() {
    contenders.forEach(Contender::close);
  }
}
