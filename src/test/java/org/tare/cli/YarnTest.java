package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.stats.CalibrationState;

/**
 * The command on a real YARN: a ResourceManager and two NodeManagers in this process, Spark's
 * application masters and executors in processes that these start. {@code deploy/yarn} runs it.
 */
@Tag("yarn")
class YarnTest {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-";
  private static final long TIMEOUT_SECONDS = 500;

  @TempDir static Path folder;
  private static MiniYARNCluster cluster;

  @BeforeAll
  static void start() throws IOException {
    YarnConfiguration configuration = new YarnConfiguration();
    configuration.setInt(YarnConfiguration.RM_SCHEDULER_MINIMUM_ALLOCATION_MB, 128);
    configuration.setBoolean(YarnConfiguration.NM_PMEM_CHECK_ENABLED, false);
    configuration.setBoolean(YarnConfiguration.NM_VMEM_CHECK_ENABLED, false);
    // A disk that is nearly full would make a NodeManager unhealthy; its tests are no matter here.
    configuration.setFloat(YarnConfiguration.NM_MAX_PER_DISK_UTILIZATION_PERCENTAGE, 100);
    configuration.set("yarn.scheduler.capacity.root.queues", "default");
    configuration.set("yarn.scheduler.capacity.root.default.capacity", "100");
    configuration.set("yarn.scheduler.capacity.maximum-am-resource-percent", "1");
    configuration.setInt(YarnConfiguration.DEBUG_NM_DELETE_DELAY_SEC, 600);
    cluster = new MiniYARNCluster("tare", 2, 1, 1);
    cluster.init(configuration);
    cluster.start();
    try (OutputStream out =
        Files.newOutputStream(
            Files.createDirectories(folder.resolve("conf")).resolve("yarn-site.xml"))) {
      cluster.getConfig().writeXml(out);
    }
  }

  @AfterAll
  static void stop() {
    cluster.stop();
  }

  /** Runs {@code spark-submit} of the Spark that {@code deploy/yarn} fetched. */
  private static void submit(String log, List<String> options, List<String> command)
      throws Exception {
    Path spark = Path.of(System.getProperty("tare.test.yarn.spark")).toAbsolutePath();
    List<String> all = new ArrayList<>();
    all.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    all.addAll(List.of(System.getProperty("tare.test.jvm.flags").strip().split("\\s+")));
    all.addAll(List.of("-cp", folder.resolve("conf") + ":" + spark + "/jars/*"));
    all.add("org.apache.spark.deploy.SparkSubmit");
    all.addAll(options);
    all.addAll(List.of("--conf", "spark.yarn.jars=local:" + spark + "/jars/*"));
    all.addAll(List.of("--conf", "spark.yarn.stagingDir=" + folder.resolve("staging").toUri()));
    all.addAll(List.of("--conf", "spark.ui.enabled=false"));
    all.addAll(List.of("--class", Tare.class.getName()));
    all.add(Path.of(System.getProperty("tare.test.yarn.jar")).toAbsolutePath().toString());
    all.addAll(command);
    Path said = folder.resolve(log + ".log");
    ProcessBuilder builder = new ProcessBuilder(all);
    builder.redirectErrorStream(true).redirectOutput(said.toFile());
    builder.environment().put("HADOOP_CONF_DIR", folder.resolve("conf").toString());
    builder.environment().put("SPARK_HOME", spark.toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    Process process = builder.start();
    try {
      boolean ended = process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS);
      if (!ended || process.exitValue() != 0) {
        throw new AssertionError(
            log + (ended ? " failed: " + process.exitValue() : " did not end") + logs());
      }
    } finally {
      process.destroyForcibly();
    }
  }

  /** The ends of all that was said, by the containers too. */
  private static String logs() throws IOException {
    StringBuilder logs = new StringBuilder();
    for (Path root : List.of(folder, cluster.getTestWorkDir().toPath())) {
      try (Stream<Path> files = Files.walk(root)) {
        for (Path file : files.filter(YarnTest::isLog).sorted().toList()) {
          String log = Files.readString(file, StandardCharsets.ISO_8859_1);
          logs.append("\n== ").append(root.relativize(file)).append('\n');
          logs.append(log.substring(Math.max(0, log.length() - 3000)));
        }
      }
    }
    return logs.toString();
  }

  private static boolean isLog(Path file) {
    return Files.isRegularFile(file)
        && (file.toString().endsWith(".log") || file.endsWith("stderr") || file.endsWith("stdout"));
  }

  private static List<String> run(String output) {
    return List.of(
        "run",
        "--model",
        Path.of(DIGITS + "mobilenet.onnx").toAbsolutePath().toString(),
        "--data",
        Path.of(DIGITS + "train.parquet").toAbsolutePath().toString(),
        "--validation",
        Path.of(DIGITS + "validation.parquet").toAbsolutePath().toString(),
        "--label",
        "label",
        "--set",
        "inputs.image.dtype=uint8",
        "--set",
        "inputs.image.scale=0.00392156862745098",
        "--set",
        "data.sample=512",
        "--set",
        "validation.sample=512",
        "--output",
        folder.resolve(output).toString());
  }

  private static List<String> yarn(String mode) {
    return List.of(
        "--master",
        "yarn",
        "--deploy-mode",
        mode,
        "--num-executors",
        "2",
        "--executor-cores",
        "1",
        "--executor-memory",
        "1g",
        "--driver-memory",
        "1g");
  }

  private static byte[] state(String output) throws IOException {
    Path file = folder.resolve(output).resolve("state.tare");
    // The file says when and on which Spark it was made; this is what was observed.
    return CalibrationState.decode(Files.readAllBytes(file), output).encode();
  }

  private static byte[] model(String output) throws IOException {
    return Files.readAllBytes(folder.resolve(output).resolve("model.onnx"));
  }

  @Test
  void stateAndModelAreThoseOfLocalMode() throws Exception {
    submit("local", List.of("--master", "local[2]"), run("local"));
    submit("client", yarn("client"), run("client"));
    submit("cluster", yarn("cluster"), run("cluster"));
    for (String output : List.of("client", "cluster")) {
      assertArrayEquals(state("local"), state(output), output);
      assertArrayEquals(model("local"), model(output), output);
    }
    // One attempt each, and spark-submit names an application by its class.
    List<String> finished =
        cluster.getResourceManager().getRMContext().getRMApps().values().stream()
            .filter(app -> app.getFinalApplicationStatus() == FinalApplicationStatus.SUCCEEDED)
            .map(app -> app.getName() + ", attempts " + app.getAppAttempts().size())
            .toList();
    String once = Tare.class.getName() + ", attempts 1";
    assertEquals(List.of(once, once), finished);
  }

  /** In client mode the exit status is the command's; in cluster mode YARN shows it. */
  @Test
  void aWrongColumnIsToldInBothModes() throws Exception {
    List<String> wrong = new ArrayList<>(run("wrong"));
    wrong.addAll(List.of("--set", "inputs.image.column=picture"));
    AssertionError client =
        assertThrows(AssertionError.class, () -> submit("wrong", yarn("client"), wrong));
    assertTrue(client.getMessage().startsWith("wrong failed: 65"), client.getMessage());
    assertTrue(client.getMessage().contains("picture"), client.getMessage());

    List<String> once = new ArrayList<>(yarn("cluster"));
    once.addAll(List.of("--conf", "spark.yarn.maxAppAttempts=1"));
    AssertionError cluster = assertThrows(AssertionError.class, () -> submit("wrong", once, wrong));
    assertTrue(
        cluster.getMessage().contains("tare ended with the exit status 65"), cluster.getMessage());
    assertTrue(Files.notExists(folder.resolve("wrong")));
  }
}
