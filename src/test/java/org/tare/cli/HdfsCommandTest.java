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
import org.apache.hadoop.hdfs.MiniDFSCluster;
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
}
