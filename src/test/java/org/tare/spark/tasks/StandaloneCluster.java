package org.tare.spark.tasks;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Spark's standalone cluster on the loopback: a Master and Workers, each a process. */
public final class StandaloneCluster implements AutoCloseable {
  private static final long TIMEOUT_SECONDS = 480;

  private final Path folder;
  private final int port;
  private final List<Process> processes = new ArrayList<>();

  private StandaloneCluster(Path folder, int port) {
    this.folder = folder;
    this.port = port;
  }

  public static StandaloneCluster start(Path folder, int workers) throws Exception {
    // Workers look for jars there; all of Spark comes with the class path.
    Files.createDirectories(folder.resolve("spark-home/jars"));
    StandaloneCluster cluster = new StandaloneCluster(folder, freePort());
    cluster.daemon(
        "master",
        "127.0.0.1",
        List.of(
            "org.apache.spark.deploy.master.Master",
            "--host",
            "127.0.0.1",
            "--port",
            Integer.toString(cluster.port),
            "--webui-port",
            "0"));
    cluster.awaitMaster();
    for (int i = 0; i < workers; i++) {
      // Hosts of their own: Spark speculates on another host only.
      String host = "127.0.0." + (1 + i);
      cluster.daemon(
          "worker-" + i,
          host,
          List.of(
              "org.apache.spark.deploy.worker.Worker",
              "--host",
              host,
              "--cores",
              "1",
              "--memory",
              "2g",
              "--webui-port",
              "0",
              "--work-dir",
              folder.resolve("work-" + i).toString(),
              cluster.url()));
    }
    return cluster;
  }

  private String url() {
    return "spark://127.0.0.1:" + port;
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private void awaitMaster() throws Exception {
    for (int i = 0; i < 1500; i++) {
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
        return;
      } catch (IOException e) {
        Thread.sleep(200);
      }
    }
    throw new IllegalStateException("the master did not come up; see " + folder);
  }

  /** Runs a program as a driver on the cluster, and fails if it fails. */
  public void submit(Map<String, String> conf, Class<?> program, List<String> arguments)
      throws Exception {
    List<String> command = new ArrayList<>();
    command.add("-Dspark.master=" + url());
    command.add("-Dspark.driver.host=127.0.0.1");
    command.add("-Dspark.driver.bindAddress=127.0.0.1");
    command.add("-Dspark.ui.enabled=false");
    command.add("-Dspark.executor.memory=1g");
    command.add("-Dspark.executor.cores=1");
    command.add("-Dspark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1");
    command.add("-Dspark.executor.extraClassPath=" + System.getProperty("java.class.path"));
    conf.forEach((key, value) -> command.add("-D" + key + "=" + value));
    command.add(program.getName());
    command.addAll(arguments);
    Process driver = process("driver-" + processes.size(), "127.0.0.1", command);
    boolean ended = driver.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS);
    driver.destroyForcibly();
    if (!ended || driver.exitValue() != 0) {
      throw new AssertionError("the driver " + (ended ? "failed" : "did not end") + logs());
    }
  }

  /** The ends of all logs, those of the executors too. */
  private String logs() throws IOException {
    StringBuilder logs = new StringBuilder();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file :
          files
              .filter(f -> f.toString().endsWith(".log") || f.endsWith("stderr"))
              .sorted()
              .toList()) {
        String log = Files.readString(file);
        logs.append("\n== ")
            .append(folder.relativize(file))
            .append('\n')
            .append(log.substring(Math.max(0, log.length() - 2000)));
      }
    }
    return logs.toString();
  }

  private void daemon(String name, String host, List<String> command) throws IOException {
    processes.add(process(name, host, command));
  }

  private Process process(String name, String host, List<String> command) throws IOException {
    List<String> full = new ArrayList<>();
    full.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    full.add("-Xmx1g");
    full.addAll(List.of(System.getProperty("tare.test.jvm.flags").strip().split("\\s+")));
    full.add("-cp");
    full.add(System.getProperty("java.class.path"));
    full.addAll(command);
    ProcessBuilder builder = new ProcessBuilder(full);
    builder.environment().put("SPARK_HOME", folder.resolve("spark-home").toString());
    builder.environment().put("SPARK_LOCAL_IP", host);
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.redirectErrorStream(true);
    builder.redirectOutput(folder.resolve(name + ".log").toFile());
    return builder.start();
  }

  @Override
  public void close() throws Exception {
    for (Process process : processes) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly().waitFor(20, TimeUnit.SECONDS);
    }
  }
}
