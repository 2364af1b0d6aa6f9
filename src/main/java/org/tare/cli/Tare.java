package org.tare.cli;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.tare.TareException;
import picocli.CommandLine;

/** The {@code tare} command. */
public final class Tare {
  private Tare() {}

  /**
   * Runs the command and ends the process with its exit status; in a driver of YARN's cluster mode
   * it returns, or throws what tells Spark the status.
   */
  public static void main(String[] args) {
    Stop stop = Stop.watch(System.err);
    int status = execute(args);
    if (!Stop.isUnderWay()) {
      stop.ended();
    }
    if (!YarnMaster.isHere()) {
      System.exit(status);
    } else if (status != 0) {
      throw YarnMaster.failed(status);
    }
  }

  /** Runs the command; returns its exit status. */
  static int execute(String... args) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    PrintWriter messages = new PrintWriter(err, true, StandardCharsets.UTF_8);
    boolean isVerbose = Arrays.asList(args).contains("--verbose");
    Map<String, String> sparkConf = sparkConf();
    CommandLine commandLine =
        CommandLines.of(
            sparkConf,
            (command, given) -> {
              try (CommandRun run = new CommandRun(command, given, out, err)) {
                return run.execute();
              }
            });
    commandLine.setOut(new PrintWriter(out, true, StandardCharsets.UTF_8));
    commandLine.setErr(messages);
    commandLine.setExecutionStrategy(
        parsed -> {
          boolean asksForHelp = parsed.isUsageHelpRequested() || parsed.isVersionHelpRequested();
          if (parsed.subcommand() == null && !asksForHelp) {
            commandLine.usage(messages);
            return TareException.Kind.USAGE.exitStatus();
          }
          return new CommandLine.RunLast().execute(parsed);
        });
    commandLine.setParameterExceptionHandler(
        (exception, arguments) -> {
          String name = exception.getCommandLine().getCommandSpec().qualifiedName();
          messages.println("tare: " + exception.getMessage() + "; see " + name + " --help");
          return TareException.Kind.USAGE.exitStatus();
        });
    commandLine.setExecutionExceptionHandler(
        (exception, command, result) -> Failures.report(exception, messages, isVerbose));
    try {
      return commandLine.execute(args);
    } catch (Throwable e) { // Errors, which picocli passes on
      return Failures.report(e, messages, isVerbose);
    }
  }

  /** What a new SparkConf holds, without Spark's classes: help and usage errors need none. */
  private static Map<String, String> sparkConf() {
    Map<String, String> spark = new TreeMap<>();
    for (String name : System.getProperties().stringPropertyNames()) {
      if (name.startsWith("spark.")) {
        spark.put(name, System.getProperty(name));
      }
    }
    return spark;
  }
}
