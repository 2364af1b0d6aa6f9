package org.tare.cli;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.core.config.Configurator;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkFiles;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.spark.SessionSettings;
import org.tare.spark.SparkFailures;
import org.tare.spark.functions.TareExtensions;

/** Starts Spark as the command needs it. */
final class Sessions {
  private static final String EXTENSIONS = "spark.sql.extensions";
  private static final String WAREHOUSE = "spark.sql.warehouse.dir";

  private Sessions() {}

  /**
   * The session of spark-submit's configuration, or of {@code local[*]} if it names no master.
   *
   * @param conf spark-submit's, with what the settings say
   * @param name of the application, unless it has one
   * @param readsOnly whether it runs no SQL of a user's, in a query, a view or a metric
   * @param verbose leave Spark's log as it is configured
   */
  static SparkSession start(SparkConf conf, String name, boolean readsOnly, boolean verbose) {
    conf.setIfMissing("spark.app.name", name);
    if (!conf.contains("spark.master")) {
      conf.set("spark.master", "local[*]");
      conf.setIfMissing("spark.ui.enabled", "false");
      conf.setIfMissing("spark.driver.host", "127.0.0.1");
      conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1");
      if (readsOnly) {
        SessionSettings.interpret(conf);
      }
    }
    if (conf.get("spark.master").startsWith("local")) {
      // Here a task that takes all of the heap would end the command without a word.
      conf.setIfMissing("spark.executor.killOnFatalError.depth", "0");
      // Executors tell with it how many rows they have seen.
      conf.setIfMissing("spark.executor.heartbeatInterval", "2s");
    }
    conf.setIfMissing("spark.ui.showConsoleProgress", "false");
    // A task hands over few rows to many reducers: one file of it, not one for each of them.
    conf.setIfMissing("spark.shuffle.sort.bypassMergeThreshold", "1");
    // Rows that were dealt out lie where they were read. Spark would wait three seconds for a place
    // there, before each task, while other executors idle.
    conf.setIfMissing("spark.locality.wait", "0s");
    String functions = TareExtensions.class.getName();
    String extensions = conf.get(EXTENSIONS, "");
    if (!extensions.contains(functions)) {
      // So that a --query can use Tare's SQL functions.
      conf.set(EXTENSIONS, extensions.isEmpty() ? functions : extensions + "," + functions);
    }
    checkLocalDirs(conf);
    SparkContext context = null;
    try {
      context = SparkContext.getOrCreate(conf);
      boolean hasHive = conf.get("spark.sql.catalogImplementation", "in-memory").equals("hive");
      if (!conf.contains(WAREHOUSE) && !hasHive) {
        // Spark makes this folder even if no table is ever written; there it deletes it too.
        conf.set(WAREHOUSE, Path.of(SparkFiles.getRootDirectory(), "warehouse").toString());
      }
      SparkSession spark = session(conf);
      // Spark reads its SQL settings when they are first needed: a wrong one shall be told here.
      spark.conf().getAll();
      if (!verbose) {
        context.setLogLevel("OFF");
        Configurator.setLevel("org.tare", Level.WARN);
      }
      return spark;
    } catch (Throwable e) { // Scala throws checked exceptions unchecked
      if (context != null && context.isStopped()) {
        // A cluster that nobody answers for ends the context, and whatever comes next fails.
        throw TareException.tryAgain(
                "Cannot start Spark: the master %s does not answer, or ended the application",
                conf.get("spark.master"))
            .causedBy(e);
      }
      if (context != null) {
        context.stop();
      }
      throw SparkFailures.ofStart(conf, e);
    }
  }

  /**
   * The session of the context that runs. Spark 4's own way to it asks Scala's reflection which of
   * its classes to take, and to load that takes half a second.
   */
  private static SparkSession session(SparkConf conf) throws Throwable {
    Class<?> classic;
    try {
      classic = Class.forName("org.apache.spark.sql.classic.SparkSession");
    } catch (ClassNotFoundException e) {
      return SparkSession.builder().config(conf).getOrCreate(); // Spark 3 has but one
    }
    try {
      Object builder = classic.getMethod("builder").invoke(null);
      Class<?> type = builder.getClass();
      type.getMethod("config", SparkConf.class).invoke(builder, conf);
      return (SparkSession) type.getMethod("getOrCreate").invoke(builder);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  /** Where no temporary file can be written Spark ends the process without a word. */
  private static void checkLocalDirs(SparkConf conf) {
    String named = System.getenv("SPARK_LOCAL_DIRS");
    if (named == null) {
      named = conf.get("spark.local.dir", System.getProperty("java.io.tmpdir"));
    }
    List<String> failures = new ArrayList<>();
    String[] folders = named.split(",");
    for (String folder : folders) {
      try {
        Files.createDirectories(Path.of(folder.strip()));
        Files.delete(Files.createTempFile(Path.of(folder.strip()), "tare-", null));
      } catch (IOException e) {
        failures.add(e.toString());
      }
    }
    if (failures.size() == folders.length) {
      throw TareException.cannotWrite(
          "Cannot start Spark: no folder of spark.local.dir (%s) can be written: %s",
          named, failures.get(0));
    }
  }
}
