package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.spark.tasks.DigitsCalibration;
import org.tare.stats.CalibrationState;

/** The commands where HDFS is the default: a path without a scheme is of HDFS in all of them. */
class HdfsCommandTest {
  private static final String SCALE = "inputs.image.scale=0.00392156862745098";

  @TempDir static java.nio.file.Path folder;
  private static MiniDFSCluster cluster;
  private static FileSystem hdfs;

  @BeforeAll
  static void start() throws IOException {
    Configuration configuration = new Configuration();
    configuration.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, folder.resolve("hdfs").toString());
    cluster = new MiniDFSCluster.Builder(configuration).build();
    hdfs = cluster.getFileSystem();
    for (String name : List.of("digits-mobilenet.onnx", "digits-train.parquet")) {
      DigitsCalibration.demoFile(folder, name);
      hdfs.copyFromLocalFile(new Path(folder.resolve(name).toUri()), new Path("/in/" + name));
    }
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  private static Outcome tare(String... args) {
    List<String> all = new ArrayList<>(Arrays.asList(args));
    all.addAll(List.of("--set", "spark.hadoop.fs.defaultFS=" + cluster.getURI()));
    return Outcome.of(all.toArray(String[]::new));
  }

  private static void succeeds(String... args) {
    Outcome outcome = tare(args);
    assertEquals(0, outcome.status(), outcome.err());
  }

  private static byte[] bytes(String file) throws IOException {
    try (var in = hdfs.open(new Path(file))) {
      return in.readAllBytes();
    }
  }

  @Test
  void pathsWithoutASchemeAreOfOneFileSystem() throws IOException {
    String model = "/in/digits-mobilenet.onnx";
    String data = "/in/digits-train.parquet";
    succeeds(
        "calibrate",
        "--model",
        model,
        "--data",
        data,
        "--sample",
        "64",
        "--output",
        "/out/c",
        "--set",
        SCALE);
    succeeds(
        "run",
        "--model",
        model,
        "--data",
        data,
        "--sample",
        "64",
        "--output",
        "/out/run",
        "--set",
        SCALE);
    // Without the data no correction can be measured.
    succeeds("quantize", "--model", model, "--state", "/out/c/state.tare", "--output", "/out/q");
    succeeds("merge", "/out/c/state.tare", "--output", "/out/merged.tare");
    assertArrayEquals(
        CalibrationState.decode(bytes("/out/c/state.tare"), "c").encode(),
        CalibrationState.decode(bytes("/out/merged.tare"), "merged").encode());
    assertTrue(tare("inspect", "/out/merged.tare").out().startsWith("State of 64 rows"));
    for (String output : List.of("/out/run", "/out/q")) {
      assertTrue(hdfs.exists(new Path(output, "_SUCCESS")), output);
      Outcome inspected = tare("inspect", output + "/model.onnx");
      assertTrue(inspected.out().startsWith("Model in QDQ form"), inspected.err());
    }
    assertFalse(java.nio.file.Files.exists(java.nio.file.Path.of("/out")));
    Outcome missing = tare("inspect", "/in/none.tare");
    assertEquals(66, missing.status());
    assertEquals(
        "tare: Cannot read file /in/none.tare: there is no such file", missing.err().strip());
  }

  /** A folder whose quota is used up is a full disk. */
  @Test
  void aFullFolderLeavesNothing() throws Exception {
    Path full = new Path("/full");
    hdfs.mkdirs(full);
    ((DistributedFileSystem) hdfs).setQuota(full, HdfsConstants.QUOTA_DONT_SET, 1 << 10);
    Outcome outcome =
        tare(
            "quantize",
            "--model",
            "/in/digits-mobilenet.onnx",
            "--mode",
            "weight-only",
            "--output",
            "/full/q");
    assertEquals(73, outcome.status(), outcome.err());
    assertTrue(outcome.err().contains("Cannot write output /full/q: "), outcome.err());
    assertTrue(outcome.err().contains("quota"), outcome.err());
    assertEquals(1, outcome.err().lines().filter(line -> line.startsWith("tare:")).count());
    assertEquals(List.of(), List.of(hdfs.listStatus(full)), outcome.err());
  }

  /** States of days, what is deployed, and a DataNode that comes and goes. */
  @Test
  void nightsOfADeployedModel() throws Exception {
    hdfs.copyFromLocalFile(
        new Path(DigitsCalibration.demoFile(folder, "digits-validation.parquet").toUri()),
        new Path("/in/digits-validation.parquet"));
    Outcome none = tare("states", "ls", "--store", "/states");
    assertEquals("No states yet.", none.out().strip(), none.err());
    succeeds(night("1", "digits-train.parquet"));
    byte[] former = bytes("/deployed/model.onnx");
    assertTrue(cluster.restartDataNode(0, true));
    cluster.waitActive();
    // A bound that nothing meets; then a candidate that may be worse.
    Outcome held = tare(night("2", "digits-validation.parquet", "--set", "evaluate.min-sqnr=200"));
    assertEquals(20, held.status(), held.err());
    assertTrue(held.out().contains("gate-not-met"), held.out());
    assertArrayEquals(former, bytes("/deployed/model.onnx"));
    Outcome published = tare(night("2", "digits-validation.parquet", "--margin", "-200"));
    assertEquals(0, published.status(), published.err());
    assertTrue(published.out().contains("published"), published.out());
    assertFalse(Arrays.equals(former, bytes("/deployed/model.onnx")));
    succeeds("rollback", "--output", "/deployed");
    assertArrayEquals(former, bytes("/deployed/model.onnx"));
    Outcome verified = tare("states", "verify", "--store", "/states");
    assertEquals("2 slices, all whole", verified.out().strip(), verified.err());
    succeeds(
        "merge",
        "--store",
        "/states",
        "--window",
        "2d",
        "--as-of",
        "2026-11-02",
        "--output",
        "/sum");
    assertTrue(tare("inspect", "/sum").out().startsWith("State of 128 rows"));
    Outcome missing =
        tare("merge", "--store", "/states", "--window", "3d", "--as-of", "2026-11-02");
    assertEquals(66, missing.status());
    assertTrue(missing.err().contains("no slice of 2026-10-31"), missing.err());
  }

  private static String[] night(String day, String data, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "recalibrate",
                "--model",
                "/in/digits-mobilenet.onnx",
                "--data",
                "/in/" + data,
                "--sample",
                "64",
                "--store",
                "/states",
                "--slice",
                "2026-11-0" + day,
                "--window",
                "1d",
                "--as-of",
                "2026-11-0" + day,
                "--validation",
                "/in/digits-validation.parquet",
                "--set",
                "validation.sample=64",
                "--force",
                "--output",
                "/deployed",
                "--set",
                SCALE));
    args.addAll(Arrays.asList(more));
    return args.toArray(String[]::new);
  }
}
