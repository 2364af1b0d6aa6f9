package org.tare.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;
import org.tare.job.ModelReader;
import org.tare.settings.Settings;

/** The session of a command: started when it is needed, or while a large model is read. */
final class CommandSpark implements AutoCloseable {
  private static final long LARGE_MODEL_BYTES = 20_000_000;

  /** With these settings a command needs Spark. */
  private static final List<String> ROWS =
      List.of(
          "data.path",
          "data.table",
          "data.query",
          "validation.path",
          "validation.table",
          "validation.query");

  /** With these settings Spark runs a user's SQL: a table may be a view. */
  static final List<String> SQL =
      List.of(
          "data.table", "data.query", "validation.table", "validation.query", "trials.metric-sql");

  private final Command command;
  private final Settings settings;
  private final SparkConf conf;
  private SparkSession spark;
  private Optional<FutureTask<SparkSession>> starting = Optional.empty();

  CommandSpark(Command command, Settings settings, SparkConf conf) {
    this.command = command;
    this.settings = settings;
    this.conf = conf;
  }

  /** To read and prepare a large model takes as long as to start Spark: both at once, then. */
  void startBesideReading() {
    boolean readsRows = ROWS.stream().anyMatch(key -> settings.find(key).isPresent());
    boolean isLarge = settings.find("model").filter(CommandSpark::isLarge).isPresent();
    if (readsRows && isLarge && !settings.flag("dry-run")) {
      FutureTask<SparkSession> task = new FutureTask<>(this::start);
      Thread thread = new Thread(task, "spark-start");
      thread.setDaemon(true);
      thread.start();
      starting = Optional.of(task);
    }
  }

  private static boolean isLarge(String model) {
    try {
      return Files.size(Path.of(model)) >= LARGE_MODEL_BYTES;
    } catch (IOException | InvalidPathException e) {
      // Another file system's, or none: whoever reads it tells.
      return false;
    }
  }

  private SparkSession start() {
    String subject =
        settings.find("model").map(ModelReader::nameOf).map(name -> " " + name).orElse("");
    boolean readsOnly = SQL.stream().allMatch(key -> settings.find(key).isEmpty());
    return Sessions.start(
        conf, "tare " + command.id() + subject, readsOnly, settings.flag("verbose"));
  }

  /** The session, once it has started. */
  SparkSession session() {
    if (spark == null) {
      spark = starting.isPresent() ? started(starting.get()) : start();
      // The active session is one of the thread that started it.
      SparkSession.setActiveSession(spark);
    }
    return spark;
  }

  private static SparkSession started(FutureTask<SparkSession> task) {
    try {
      return task.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    if (spark == null && starting.isPresent()) {
      try {
        spark = started(starting.get());
      } catch (RuntimeException e) {
        // Nobody has asked for it, and what was wrong before has been told.
        return;
      }
    }
    if (spark != null) {
      spark.stop();
    }
  }
}
