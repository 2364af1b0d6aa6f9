package org.tare.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.tare.infer.ConstantFolding;
import org.tare.infer.TensorTypes;
import org.tare.onnx.ElementType;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.QConfigMapping;

/**
 * What a step of training costs beside PyTorch: the same step in this process and in one of Python,
 * by turns, each on one thread. A step is the float model's outputs, those with rounding (weights
 * of 4 bits by channel, activations of 8), the loss, its gradients, and Adam. {@code
 * deploy/train-cost} runs it.
 */
final class StepCost {
  private static final int BATCH = 64;
  private static final int BATCHES = 8;
  private static final int ALL_STEPS = 10_000;
  private static final int STEPS_A_TURN = 5;
  private static final int WARM_UP_TURNS = 3;

  /** First losses differ by this share at most, or it is not the same step. */
  private static final double SAME_LOSS = 1e-3;

  private static final TrainingOptions OPTIONS =
      new TrainingOptions(
          TrainingOptions.Loss.MSE,
          0,
          Optimizer.Kind.ADAM,
          1,
          1,
          BATCH,
          25,
          0.001,
          0,
          1,
          0,
          TrainingOptions.Scales.FIXED,
          0,
          TrainingOptions.Normalization.FOLDED,
          0,
          TrainingOptions.ZeroPoints.FIXED);

  private StepCost() {}

  /**
   * What some steps took.
   *
   * @param seconds a step by the clock
   * @param cpu seconds a step of all threads of the process, those that compile and collect too
   * @param loss of the first of them
   */
  private record Turn(double seconds, double cpu, double loss) {}

  /** The arguments: the Python to run, the script for it, how many turns, a folder, and models. */
  public static void main(String[] args) throws Exception {
    Path folder = Files.createDirectories(Path.of(args[3]));
    for (String model : Arrays.asList(args).subList(4, args.length)) {
      OurSide ours = new OurSide(Path.of(model), folder);
      try (PythonSide peer = new PythonSide(args[0], args[1], folder)) {
        compare(Path.of(model), ours, peer, Integer.parseInt(args[2]));
      }
    }
  }

  private static void compare(Path model, OurSide ours, PythonSide peer, int turns)
      throws IOException {
    List<Turn> of = new ArrayList<>();
    List<Turn> beside = new ArrayList<>();
    for (int turn = 0; turn < WARM_UP_TURNS + turns; turn++) {
      Turn our = ours.steps(STEPS_A_TURN);
      Turn other = peer.steps(STEPS_A_TURN);
      if (turn == 0) {
        System.out.printf(
            Locale.ROOT,
            "%s: loss of the first step %.6g, PyTorch %.6g%n",
            model.getFileName(),
            our.loss(),
            other.loss());
        if (!(Math.abs(our.loss() - other.loss()) <= SAME_LOSS * other.loss())) {
          throw new IllegalStateException("the first losses differ: it is not the same step");
        }
      }
      if (turn >= WARM_UP_TURNS) {
        of.add(our);
        beside.add(other);
      }
    }
    print("by the clock", of, beside, Turn::seconds);
    print("of CPU time", of, beside, Turn::cpu);
  }

  private static void print(
      String what, List<Turn> of, List<Turn> beside, ToDoubleFunction<Turn> figure) {
    double[] ours = of.stream().mapToDouble(figure).sorted().toArray();
    double[] others = beside.stream().mapToDouble(figure).sorted().toArray();
    double our = ours[ours.length / 2];
    double other = others[others.length / 2];
    System.out.printf(
        Locale.ROOT,
        "  seconds a step %s, median of %d turns of %d steps: Tare %.4f, PyTorch %.4f, ratio %.3f;"
            + " least %.4f, %.4f, ratio %.3f%n",
        what,
        ours.length,
        STEPS_A_TURN,
        our,
        other,
        our / other,
        ours[0],
        others[0],
        ours[0] / others[0]);
  }

  /** Steps of Tare's trainer. */
  private static final class OurSide {
    private final Trainer trainer;
    private final Grids grids;
    private final List<TrainingBatch> batches = new ArrayList<>();
    private TrainingState state;

    /** Writes what the other side needs to the folder. */
    OurSide(Path file, Path folder) throws IOException {
      String name = file.getFileName().toString();
      OnnxModel model = OnnxModel.read(file);
      OnnxModel prepared =
          FloatPasses.prepare(
              ConstantFolding.apply(model, name),
              FloatPasses.Options.none(),
              older -> TensorTypes.of(older, name));
      Map<String, TensorType> types = TensorTypes.of(prepared, name);
      QConfigMapping mapping = SimulationTest.mapping(4, 8);
      TrainedModel trained = TrainedModel.of(name, prepared, types, mapping);
      String input = trained.model().graph().inputNames().get(0);
      long[] shape = types.get(input).shape();
      long[] row = Arrays.copyOfRange(shape, 1, shape.length);
      int size = (int) Arrays.stream(row).reduce(1, (a, b) -> a * b);
      shape[0] = BATCH;
      float[] values = random(BATCHES * BATCH * size);
      float[] calibrated = Arrays.copyOf(values, BATCH * size);
      this.grids =
          trained.grids(
              TestModel.quantize(model, Map.of(input, new Values(shape, calibrated)), mapping));
      for (int i = 0; i < BATCHES; i++) {
        int from = i * BATCH * size;
        batches.add(batch(input, row, Arrays.copyOfRange(values, from, from + BATCH * size)));
      }
      this.trainer = Trainer.of(trained, OPTIONS);
      this.state = trained.initialState();
      trained.model().write(folder.resolve("model.onnx"));
      ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(values);
      Files.write(folder.resolve("values.f32"), bytes.array());
      Map<String, Object> step = new LinkedHashMap<>();
      step.put("input", input);
      step.put("shape", shape);
      step.put("batches", BATCHES);
      step.put("all_steps", ALL_STEPS);
      step.put("places", trained.places());
      step.put("activations", grids.activations());
      step.put("constants", grids.constants());
      step.put("options", OPTIONS);
      new ObjectMapper().writeValue(folder.resolve("step.json").toFile(), step);
    }

    Turn steps(int count) {
      OperatingSystemMXBean system =
          (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
      long cpu = system.getProcessCpuTime();
      long begun = System.nanoTime();
      Trainer.Round round =
          trainer.run(
              state, grids, step -> List.of(batches.get((int) (step % BATCHES))), count, ALL_STEPS);
      state = round.state();
      return new Turn(
          (System.nanoTime() - begun) / 1e9 / count,
          (system.getProcessCpuTime() - cpu) / 1e9 / count,
          round.losses()[0]);
    }

    private static float[] random(int count) {
      Random random = new Random(1);
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = random.nextFloat();
      }
      return values;
    }

    private static TrainingBatch batch(String input, long[] shape, float[] values) {
      List<TrainingRow> rows = new ArrayList<>();
      int size = values.length / BATCH;
      for (int row = 0; row < BATCH; row++) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * size).order(ByteOrder.nativeOrder());
        bytes.asFloatBuffer().put(values, row * size, size);
        TrainingRow.Value value =
            new TrainingRow.Value(input, ElementType.FLOAT32, shape, bytes.array());
        rows.add(new TrainingRow(new TrainingRow.Value[] {value}, -1));
      }
      return new TrainingBatch(rows);
    }
  }

  /** Steps of PyTorch: the script gets a number of steps a line, and answers with a line. */
  private static final class PythonSide implements AutoCloseable {
    private final Process process;
    private final PrintStream commands;
    private final BufferedReader answers;

    PythonSide(String python, String script, Path folder) throws IOException {
      this.process =
          new ProcessBuilder(python, script, folder.toString())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      this.commands = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
      this.answers =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    Turn steps(int count) throws IOException {
      commands.println(count);
      String answer = answers.readLine();
      if (answer == null) {
        throw new IOException("Python has ended; its message is above");
      }
      String[] words = answer.split(" ");
      return new Turn(
          Double.parseDouble(words[0]) / count,
          Double.parseDouble(words[1]) / count,
          Double.parseDouble(words[2]));
    }

    @Override
    public void close() throws IOException {
      commands.close();
      process.destroy();
    }
  }
}
