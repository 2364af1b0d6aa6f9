package org.tare.spark;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.function.BiPredicate;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkThrowable;
import org.tare.TareException;
import org.tare.TareException.Kind;

/**
 * Says in one line what went wrong in Spark, and of which kind it is: whether another try may help,
 * or the data, a setting or something missing is to blame. What no rule knows is internal: a
 * scheduler must not repeat a defect for ever.
 *
 * <p>The rules are tried in their order on a failure and all its causes, since Spark wraps what a
 * task threw, and wraps connections that broke as files that cannot be read.
 */
public final class SparkFailures {
  private static final long MEGABYTE = 1L << 20;
  private static final long GIGABYTE = 1L << 30;

  private SparkFailures() {}

  /**
   * One kind of failure.
   *
   * @param matches whether one of the causes, with its message, is of this kind
   * @param text what to say of that cause
   */
  private record Rule(
      Kind kind, BiPredicate<Throwable, String> matches, Function<Throwable, String> text) {}

  private static final Pattern FORMAT =
      Pattern.compile("Failed to find (?:the )?data source: (.+?)\\. ");
  private static final Pattern UNREGISTERED = Pattern.compile("Class is not registered: (\\S+)");
  private static final Pattern SETTING = Pattern.compile("spark(?:\\.[a-zA-Z][a-zA-Z0-9]*)+");

  private static final List<Rule> RULES =
      List.of(
          new Rule(
              Kind.TRY_AGAIN,
              (t, message) ->
                  t instanceof InterruptedException
                      || hasCondition(t, "SPARK_JOB_CANCELLED")
                      || message.contains("cancelled because SparkContext was shut down")
                      || message.contains("stopped SparkContext")
                      || message.contains("SparkContext has been shutdown"),
              t ->
                  t instanceof InterruptedException
                      ? "it was interrupted"
                      : "Spark stopped the job: " + firstLine(t)),
          new Rule(
              Kind.TRY_AGAIN,
              (t, message) ->
                  message.contains("No space left on device")
                      || message.contains("Disk quota exceeded")
                      || message.contains("There is not enough space on the disk"),
              t ->
                  "no space is left on a disk ("
                      + firstLine(t)
                      + "); Spark's temporary files are in "
                      + localDirs()
                      + ": free some space there, or set spark.local.dir"),
          new Rule(
              Kind.USAGE,
              (t, message) ->
                  condition(t).startsWith("INVALID_CONF_VALUE")
                      || condition(t).startsWith("INVALID_SPARK_CONFIG")
                      || condition(t).startsWith("CODEC_NOT_AVAILABLE"),
              SparkFailures::firstLine),
          new Rule(
              Kind.USAGE,
              (t, message) ->
                  t instanceof BindException && message.contains("Cannot assign requested address"),
              t -> "this machine has no such address; set spark.driver.bindAddress to one it has"),
          new Rule(
              Kind.USAGE,
              (t, message) -> message.contains("Cannot find catalog plugin class"),
              t -> firstLine(t) + " It is named by spark.sql.catalog.*; add its jar"),
          new Rule(
              Kind.USAGE,
              (t, message) -> message.contains("bigger than spark.driver.maxResultSize"),
              t -> firstLine(t) + "; set spark.driver.maxResultSize higher"),
          new Rule(
              Kind.USAGE,
              (t, message) -> message.contains("number of cores per executor"),
              t -> firstLine(t) + "; set spark.task.cpus lower or spark.executor.cores higher"),
          new Rule(
              Kind.USAGE,
              (t, message) ->
                  message.contains("Could not parse Master URL")
                      || message.contains("Master must either be")
                      || message.contains("Asked to run locally with 0 threads"),
              t ->
                  firstLine(t)
                      + "; spark.master is local[N], spark://HOST:PORT, yarn or k8s://URL, the last"
                      + " two if Spark has their classes"),
          new Rule(
              Kind.USAGE,
              (t, message) -> message.contains("Positive number of partitions required"),
              t -> firstLine(t) + "; set spark.default.parallelism to a number above 0"),
          new Rule(
              Kind.USAGE,
              (t, message) ->
                  message.contains("Hive classes are not found")
                      || message.contains("HiveSessionStateBuilder"),
              t ->
                  "spark.sql.catalogImplementation is hive, and this Spark has no classes of Hive;"
                      + " leave the setting out or add them"),
          new Rule(
              Kind.USAGE,
              (t, message) -> UNREGISTERED.matcher(message).find(),
              t ->
                  "Spark sends objects of the class "
                      + first(UNREGISTERED, t)
                      + ", and spark.kryo.registrationRequired is true: name it in"
                      + " spark.kryo.classesToRegister, or set the former to false"),
          new Rule(
              Kind.USAGE,
              (t, message) -> message.contains("spark.kryoserializer.buffer.max"),
              SparkFailures::firstLine),
          new Rule(Kind.USAGE, (t, message) -> FORMAT.matcher(message).find(), t -> format(t)),
          new Rule(
              Kind.USAGE,
              (t, message) ->
                  t.getClass().getSimpleName().equals("UnsupportedFileSystemException")
                      || (t instanceof ClassNotFoundException && message.contains("FileSystem")),
              t ->
                  firstLine(t)
                      + "; Spark needs the jar of this file system: name its package in"
                      + " spark.jars.packages"),
          new Rule(
              Kind.USAGE,
              (t, message) ->
                  t instanceof ClassNotFoundException || t instanceof NoClassDefFoundError,
              t ->
                  "the class "
                      + firstLine(t).replace('/', '.')
                      + " is missing; name the package that has it in spark.jars.packages"),
          new Rule(
              Kind.MISSING_INPUT,
              (t, message) ->
                  hasCondition(t, "PATH_NOT_FOUND")
                      || hasCondition(t, "TABLE_OR_VIEW_NOT_FOUND")
                      || hasCondition(t, "SCHEMA_NOT_FOUND"),
              t -> "there is no such path or table"),
          new Rule(
              Kind.MISSING_INPUT,
              (t, message) -> t instanceof UnknownHostException,
              t -> "the host " + firstLine(t) + " is not known"),
          new Rule(
              Kind.MISSING_INPUT,
              (t, message) ->
                  t instanceof FileNotFoundException
                      || t instanceof NoSuchFileException
                      || t instanceof AccessDeniedException
                      || t.getClass().getSimpleName().equals("AccessControlException"),
              SparkFailures::named),
          new Rule(Kind.TRY_AGAIN, SparkFailures::isOfTheNetwork, SparkFailures::named),
          new Rule(
              Kind.TRY_AGAIN,
              (t, message) ->
                  message.contains("ExecutorLostFailure")
                      || message.contains("FetchFailed")
                      || message.contains("Failed to get broadcast")
                      || message.contains("failed the maximum allowable number of times")
                      || message.contains("Master removed our application")
                      || message.contains("All masters are unresponsive"),
              SparkFailures::firstLine),
          new Rule(
              Kind.BAD_INPUT,
              (t, message) -> t.getClass().getSimpleName().equals("PythonException"),
              t -> "a Python function of the query failed: " + lastLine(t)),
          new Rule(Kind.BAD_INPUT, SparkFailures::isOfTheData, SparkFailures::named));

  /** Conditions whose SQL states say that values, or the query, are wrong. */
  private static final Set<String> STATES_OF_DATA =
      // Data, constraints, syntax and names, external routines, external data, raised on purpose.
      Set.of("22", "23", "42", "39", "38", "KD", "P0");

  /**
   * The failure in one line, with the exception that led to it.
   *
   * @param what could not be done; it begins the line
   */
  public static TareException translate(String what, Throwable failure) {
    return translate(what, failure, 0);
  }

  /**
   * The failure in one line.
   *
   * @param modelBytes what the models of the job take, for a hint if memory was short
   */
  public static TareException translate(String what, Throwable failure, long modelBytes) {
    List<Throwable> causes = causes(failure);
    for (Throwable cause : causes) {
      if (cause instanceof TareException known) {
        return TareException.of(known.kind(), known.getMessage()).causedBy(failure);
      }
    }
    Optional<String> memory = memory(causes, modelBytes);
    if (memory.isPresent()) {
      return TareException.of(Kind.TRY_AGAIN, what + ": " + memory.get()).causedBy(failure);
    }
    List<Throwable> innermostFirst = new ArrayList<>(causes);
    Collections.reverse(innermostFirst);
    for (Rule rule : RULES) {
      // What is wrong with data is known where it was read; the rest is told better further out.
      boolean isData = rule.kind() == Kind.BAD_INPUT;
      for (Throwable cause : isData ? innermostFirst : causes) {
        if (rule.matches().test(cause, String.valueOf(cause.getMessage()))) {
          if (cause instanceof InterruptedException) {
            Thread.currentThread().interrupt();
          }
          return TareException.of(rule.kind(), what + ": " + rule.text().apply(cause))
              .causedBy(failure);
        }
      }
    }
    if (SparkEnv.get() != null) {
      for (Throwable cause : causes) {
        if (!namedSettings(SparkEnv.get().conf(), cause).isEmpty()) {
          // Spark names a setting only to blame it.
          return TareException.of(Kind.USAGE, what + ": " + firstLine(cause)).causedBy(failure);
        }
      }
    }
    return TareException.of(
            Kind.INTERNAL, what + ": internal error: " + named(causes.get(causes.size() - 1)))
        .causedBy(failure);
  }

  /** The settings of a message that have been set. */
  private static List<String> namedSettings(SparkConf conf, Throwable failure) {
    return SETTING
        .matcher(String.valueOf(failure.getMessage()))
        .results()
        .map(MatchResult::group)
        .filter(conf::contains)
        .distinct()
        .toList();
  }

  /** Why Spark did not start; names the setting that is to blame where one is. */
  public static TareException ofStart(SparkConf conf, Throwable failure) {
    TareException known = translate("Cannot start Spark", failure);
    Set<String> blamed = new LinkedHashSet<>();
    for (Throwable cause : causes(failure)) {
      String message = String.valueOf(cause.getMessage());
      blamed.addAll(namedSettings(conf, cause));
      for (scala.Tuple2<String, String> entry : conf.getAll()) {
        boolean isValue =
            (entry._2().length() > 5 && message.contains(entry._2()))
                || (cause instanceof ClassNotFoundException && entry._2().contains(message));
        if (isValue) {
          blamed.add(entry._1());
        }
      }
    }
    if (blamed.isEmpty()) {
      return known;
    }
    Kind kind = known.kind() == Kind.INTERNAL ? Kind.USAGE : known.kind();
    String message = known.getMessage().replace(": internal error: ", ": ");
    boolean isNamed = message.contains(blamed.iterator().next());
    String advice = isNamed ? "" : "; see the setting " + String.join(", ", blamed);
    return TareException.of(kind, message + advice).causedBy(failure);
  }

  /** What the pattern's group is in the message. */
  private static String first(Pattern pattern, Throwable failure) {
    Matcher matcher = pattern.matcher(failure.getMessage());
    return matcher.find() ? matcher.group(1) : "";
  }

  private static String format(Throwable failure) {
    if (first(FORMAT, failure).equals("kafka")) {
      return "Spark has no format \"kafka\" without its connector: name it in spark.jars.packages, as"
          + " org.apache.spark:spark-sql-kafka-0-10_2.13:"
          + org.apache.spark.package$.MODULE$.SPARK_VERSION();
    }
    return "Spark has no format \""
        + first(FORMAT, failure)
        + "\"; it brings parquet, orc, csv, json, text, binaryFile and, with its MLlib, image; other"
        + " formats need their package in spark.jars.packages";
  }

  /** What to say if memory was short, and how much more to give. */
  private static Optional<String> memory(List<Throwable> causes, long modelBytes) {
    for (Throwable cause : causes) {
      String message = String.valueOf(cause.getMessage());
      boolean isDead = message.contains("ExecutorLostFailure");
      if (isDead
          && (message.contains("code 137")
              || message.contains("OOMKilled")
              || message.contains("beyond the 'PHYSICAL' memory limit")
              || message.contains("exceeding memory limits"))) {
        return Optional.of(
            "an executor was killed because it took more memory than it may; set"
                + " spark.executor.memoryOverhead to at least "
                + megabytes(GIGABYTE + 2 * modelBytes)
                + ": the runtime holds the model outside of the heap");
      }
      if (isDead && message.contains("code 52")) {
        return Optional.of(heap("spark.executor.memory", "an executor", modelBytes));
      }
      if (cause instanceof OutOfMemoryError) {
        boolean isTask = causes.get(0) != cause && isOnCluster();
        return Optional.of(
            isTask
                ? heap("spark.executor.memory", "an executor", modelBytes)
                : heap("spark.driver.memory", "the driver", modelBytes));
      }
    }
    return Optional.empty();
  }

  private static String heap(String setting, String whose, long modelBytes) {
    // A model is held as read and as rewritten, and once more while it is written.
    long needed = GIGABYTE + 4 * modelBytes;
    long now = setting.equals("spark.driver.memory") ? Runtime.getRuntime().maxMemory() : 0;
    return "the heap of "
        + whose
        + " is exhausted; set "
        + setting
        + " to at least "
        + megabytes(Math.max(needed, 2 * now))
        + (now > 0 ? ", it has " + megabytes(now) : "");
  }

  private static String megabytes(long bytes) {
    return String.format(Locale.ROOT, "%dm", (bytes + MEGABYTE - 1) / MEGABYTE);
  }

  private static boolean isOnCluster() {
    return SparkEnv.get() != null
        && !SparkEnv.get().conf().get("spark.master", "local").startsWith("local");
  }

  private static String localDirs() {
    String named = System.getenv("SPARK_LOCAL_DIRS");
    if (named != null) {
      return named;
    }
    String temporary = System.getProperty("java.io.tmpdir");
    return SparkEnv.get() == null
        ? temporary
        : SparkEnv.get().conf().get("spark.local.dir", temporary);
  }

  private static boolean isOfTheNetwork(Throwable t, String message) {
    String name = t.getClass().getName();
    return t instanceof ConnectException
        || t instanceof NoRouteToHostException
        || t instanceof SocketException
        || t instanceof SocketTimeoutException
        || t instanceof ClosedChannelException
        || t instanceof InterruptedIOException
        || t instanceof TimeoutException
        || name.equals("org.apache.spark.rpc.RpcTimeoutException")
        || name.equals("org.apache.hadoop.ipc.StandbyException")
        || name.equals("org.apache.hadoop.ipc.RetriableException")
        || name.equals("org.apache.hadoop.hdfs.BlockMissingException")
        || name.equals("org.apache.hadoop.hdfs.server.namenode.SafeModeException")
        || name.equals("org.apache.hadoop.fs.s3a.AWSServiceThrottledException")
        || name.equals("org.apache.hadoop.fs.s3a.AWSStatus500Exception")
        || (t instanceof IOException
            && (message.contains("Connection reset") || message.contains("Broken pipe")));
  }

  private static boolean isOfTheData(Throwable t, String message) {
    String name = t.getClass().getName();
    if (t instanceof SparkThrowable known && !condition(t).isEmpty()) {
      String state = String.valueOf(known.getSqlState());
      return condition(t).startsWith("FAILED_READ_FILE")
          || condition(t).startsWith("CANNOT_READ_FILE")
          || (state.length() == 5 && STATES_OF_DATA.contains(state.substring(0, 2)))
          || name.endsWith("AnalysisException");
    }
    return name.endsWith("AnalysisException")
        || name.startsWith("org.apache.parquet.")
        || name.startsWith("org.apache.orc.")
        || message.contains("is not a Parquet file");
  }

  private static boolean hasCondition(Throwable t, String condition) {
    return condition.equals(condition(t));
  }

  /**
   * The name of Spark's error condition, or an empty text. Spark 4 calls it getCondition; Spark 3.5
   * has only the older name, which both know.
   */
  @SuppressWarnings("deprecation")
  private static String condition(Throwable t) {
    return t instanceof SparkThrowable known && known.getErrorClass() != null
        ? known.getErrorClass()
        : "";
  }

  /** The failure and what it was caused by, the innermost last. */
  public static List<Throwable> causes(Throwable failure) {
    Set<Throwable> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    List<Throwable> causes = new ArrayList<>();
    for (Throwable t = failure; t != null && seen.add(t); t = t.getCause()) {
      causes.add(t);
    }
    return causes;
  }

  /** The first line of a message; with the exception's name where Spark gives no condition. */
  private static String named(Throwable failure) {
    String line = firstLine(failure);
    String name = failure.getClass().getSimpleName();
    return failure instanceof SparkThrowable || line.startsWith(name) ? line : name + ": " + line;
  }

  /** What all the others were caused by. */
  public static Throwable innermost(Throwable failure) {
    List<Throwable> causes = causes(failure);
    return causes.get(causes.size() - 1);
  }

  /** Where a Python traceback says what happened. */
  private static String lastLine(Throwable failure) {
    return String.valueOf(failure.getMessage())
        .lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .reduce(failure.getClass().getSimpleName(), (before, line) -> line);
  }

  /** The first line of the message that says anything: some of Spark's begin with an empty one. */
  public static String firstLine(Throwable failure) {
    return Objects.toString(failure.getMessage(), "")
        .lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .findFirst()
        .orElse(failure.getClass().getSimpleName());
  }
}
