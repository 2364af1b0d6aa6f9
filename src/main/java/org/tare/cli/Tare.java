package org.tare.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.apache.spark.SparkConf;
import org.tare.TareException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The {@code tare} command. */
@Command(
    name = "tare",
    description = "Calibrates float32 ONNX models on Apache Spark and writes quantized ones.",
    mixinStandardHelpOptions = true,
    versionProvider = Tare.Version.class,
    subcommands = {
      Tare.Demo.class,
      Tare.Run.class,
      Tare.Calibrate.class,
      Tare.Quantize.class,
      Tare.Evaluate.class,
      Tare.Observe.class,
      Tare.Merge.class,
      Tare.Inspect.class
    })
public final class Tare implements Callable<Integer> {
  /** The version of this build. */
  static String version() {
    String version = Tare.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  /** For {@code --version}. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"tare " + version()};
    }
  }

  /** Runs the command and ends the process with its exit status. */
  public static void main(String[] args) {
    Stop stop = Stop.watch(System.err);
    int status = execute(args);
    if (!Stop.isUnderWay()) {
      stop.ended();
    }
    System.exit(status);
  }

  /** Runs the command; returns its exit status. */
  static int execute(String... args) {
    CommandLine commandLine = new CommandLine(new Tare());
    commandLine.setOut(new PrintWriter(System.out, true, StandardCharsets.UTF_8));
    commandLine.setErr(new PrintWriter(System.err, true, StandardCharsets.UTF_8));
    commandLine.setParameterExceptionHandler(
        (exception, arguments) -> {
          String name = exception.getCommandLine().getCommandSpec().qualifiedName();
          commandLine
              .getErr()
              .println("tare: " + exception.getMessage() + "; see " + name + " --help");
          return TareException.Kind.USAGE.exitStatus();
        });
    commandLine.setExecutionExceptionHandler(
        (exception, command, result) ->
            Failures.report(exception, commandLine.getErr(), isVerbose(args)));
    try {
      return commandLine.execute(args);
    } catch (Throwable e) { // Errors, which picocli passes on
      return Failures.report(e, commandLine.getErr(), isVerbose(args));
    }
  }

  private static boolean isVerbose(String... args) {
    return java.util.Arrays.asList(args).contains("--verbose");
  }

  @Override
  public Integer call() {
    CommandLine.usage(this, System.err);
    return TareException.Kind.USAGE.exitStatus();
  }

  /** What is the same for all commands. */
  abstract static class JobCommand implements Callable<Integer> {
    @Mixin JobOptions options = new JobOptions();

    @CommandLine.Option(
        names = {"-h", "--help"},
        usageHelp = true,
        description = "show this help")
    boolean help;

    Settings settings() {
      return options.settings(sparkConf(), Map.of());
    }

    @Override
    public Integer call() {
      Settings settings = settings();
      try (Job job = new Job(settings)) {
        run(job);
      }
      return 0;
    }

    abstract void run(Job job);
  }

  private static Map<String, String> sparkConf() {
    Map<String, String> spark = new TreeMap<>();
    for (scala.Tuple2<String, String> entry : new SparkConf().getAll()) {
      spark.put(entry._1(), entry._2());
    }
    return spark;
  }

  @Command(
      name = "observe",
      description = "Prints qparams of the columns of a table: the observers without a model.")
  static final class Observe implements Callable<Integer> {
    @Mixin JobOptions options = new JobOptions();
    @Mixin ObserveOptions observe = new ObserveOptions();

    @CommandLine.Option(
        names = {"-h", "--help"},
        usageHelp = true,
        description = "show this help")
    boolean help;

    @Override
    public Integer call() {
      Map<String, String> given = new TreeMap<>();
      observe.addTo(given);
      new Observation(options.settings(sparkConf(), given)).run();
      return 0;
    }
  }

  @Command(
      name = "merge",
      mixinStandardHelpOptions = true,
      description = "Adds states: of slices, of days, of anything that one model saw.")
  static final class Merge implements Callable<Integer> {
    @CommandLine.Parameters(paramLabel = "STATE", arity = "1..*", description = "state files")
    List<String> states;

    @CommandLine.Option(
        names = "--output",
        paramLabel = "FILE",
        required = true,
        description = "where the sum goes")
    String output;

    @CommandLine.Option(names = "--overwrite", description = "replace the file if it is there")
    boolean overwrite;

    @CommandLine.Option(names = "--verbose", description = "show stack traces")
    boolean verbose;

    @Override
    public Integer call() {
      States.merge(states, output, overwrite);
      return 0;
    }
  }

  @Command(
      name = "inspect",
      mixinStandardHelpOptions = true,
      description = "Prints what a state holds, or what is quantized in an ONNX model.")
  static final class Inspect implements Callable<Integer> {
    @CommandLine.Parameters(paramLabel = "FILE", description = "a state, or an ONNX model")
    String file;

    @CommandLine.Option(names = "--json", description = "print JSON")
    boolean json;

    @CommandLine.Option(names = "--verbose", description = "show stack traces")
    boolean verbose;

    @Override
    public Integer call() {
      Inspection.print(file, json);
      return 0;
    }
  }

  @Command(
      name = "run",
      description = "Calibrates, quantizes, evaluates and reports: the whole job.")
  static final class Run extends JobCommand {
    @Override
    void run(Job job) {
      job.run();
    }
  }

  @Command(name = "calibrate", description = "Observes the model on the data; writes the state.")
  static final class Calibrate extends JobCommand {
    @Override
    void run(Job job) {
      job.calibrateOnly();
    }
  }

  @Command(
      name = "quantize",
      description = "Writes the quantized model from a state; needs no data.")
  static final class Quantize extends JobCommand {
    @Override
    void run(Job job) {
      job.quantizeOnly();
    }
  }

  @Command(
      name = "evaluate",
      description = "Compares the float and the quantized model on a table.")
  static final class Evaluate extends JobCommand {
    @Override
    void run(Job job) {
      job.evaluateOnly();
    }
  }

  @Command(
      name = "demo",
      description = "The whole job on a small model and data that come with Tare.")
  static final class Demo extends JobCommand {
    @Override
    public Integer call() {
      DemoFiles files = DemoFiles.extract();
      try {
        if (options.model == null) {
          options.model = files.model();
        }
        options.data = options.data == null ? files.data() : options.data;
        options.validation = options.validation == null ? files.validation() : options.validation;
        options.label = options.label == null ? "label" : options.label;
        options.sets.add(0, "inputs.image.dtype=uint8");
        options.sets.add(1, "inputs.image.scale=0.00392156862745098");
        if (options.output == null) {
          options.output = "out/demo";
          options.overwrite = true;
        }
        return super.call();
      } finally {
        files.delete();
      }
    }

    @Override
    void run(Job job) {
      job.run();
    }
  }
}
