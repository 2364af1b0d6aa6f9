package org.tare.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.onnx.ModelFile;
import org.tare.onnx.OneFileLimit;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;

/** Output folders and inputs on a real HDFS: a NameNode and a DataNode in this process. */
class HdfsTest {
  @TempDir static java.nio.file.Path folder;
  private static MiniDFSCluster cluster;

  private final Configuration configuration = new Configuration();

  @BeforeAll
  static void start() throws IOException {
    Configuration configuration = new Configuration();
    configuration.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, folder.toString());
    cluster = new MiniDFSCluster.Builder(configuration).build();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void outputAppearsWholeAndInputsAreRead() throws IOException {
    HadoopFiles files = new HadoopFiles(configuration);
    FileSystem hdfs = cluster.getFileSystem();
    String out = cluster.getURI() + "/models/digits";
    OutputFolder.check(files, out, Existing.REFUSE, List.of())
        .publish(Map.of("a.txt", new byte[] {1}));
    assertTrue(hdfs.exists(new Path(out, OutputFolder.SUCCESS)));
    assertArrayEquals(new byte[] {1}, files.read("file", out + "/a.txt"));

    TareException e =
        assertThrows(
            TareException.class, () -> OutputFolder.check(files, out, Existing.REFUSE, List.of()));
    assertEquals(TareException.Kind.CANNOT_WRITE, e.kind());
    assertTrue(e.getMessage().contains("it exists"), e.getMessage());

    OutputFolder.check(files, out, Existing.REPLACE, List.of())
        .publish(Map.of("b.txt", new byte[] {2}));
    assertFalse(hdfs.exists(new Path(out, "a.txt")));
    assertArrayEquals(new byte[] {2}, files.read("file", out + "/b.txt"));
    // Nothing is left beside it.
    assertEquals(1, hdfs.listStatus(new Path(out).getParent()).length);

    long size = files.withLocal("model", out + "/b.txt", HdfsTest::size);
    assertEquals(1, size);
    TareException missing =
        assertThrows(TareException.class, () -> files.read("state", out + "/no.tare"));
    assertEquals(TareException.Kind.MISSING_INPUT, missing.kind());
  }

  /** Paths without a scheme are of HDFS when that is the default; modes and groups are kept. */
  @Test
  void defaultFileSystem() throws IOException {
    configuration.set("fs.defaultFS", cluster.getURI().toString());
    HadoopFiles files = new HadoopFiles(configuration);
    FileSystem hdfs = cluster.getFileSystem();
    OutputFolder late = OutputFolder.check(files, "out", Existing.REFUSE, List.of());
    hdfs.mkdirs(new Path("out"));
    OutputFolder.check(files, "out", Existing.REFUSE, List.of())
        .publish(Map.of("model [1].onnx", new byte[] {1, 2}));
    Path home = hdfs.getHomeDirectory();
    assertTrue(hdfs.exists(new Path(home, "out/_SUCCESS")));
    assertEquals(2, files.withLocal("model", "out/model [1].onnx", HdfsTest::size));
    assertEquals(
        2,
        files.withLocal("model", home.toUri().getPath() + "/out/model [1].onnx", HdfsTest::size));
    TareException lost =
        assertThrows(TareException.class, () -> late.publish(Map.of("late", new byte[1])));
    assertTrue(lost.getMessage().contains("out.unpublished-"), lost.getMessage());
    assertTrue(hdfs.exists(new Path(home, "out/model [1].onnx")));

    hdfs.setPermission(new Path("out"), FsPermission.createImmutable((short) 0770));
    hdfs.setOwner(new Path("out"), null, "science");
    OutputFolder.check(files, "out", Existing.REPLACE, List.of())
        .publish(Map.of("a", new byte[] {3}));
    FileStatus status = hdfs.getFileStatus(new Path("out"));
    assertEquals("rwxrwx---", status.getPermission().toString());
    assertEquals("science", status.getGroup());
    assertFalse(hdfs.exists(new Path("out/model [1].onnx")));

    files.write("state", "s.tare", new byte[] {1, 2, 3, 4, 5}, Existing.REFUSE);
    files.write("state", "s.tare", new byte[] {1, 2, 3, 4, 6}, Existing.REPLACE);
    assertArrayEquals(new byte[] {1, 2, 3, 4, 6}, files.read("state", "s.tare"));
    TareException exists =
        assertThrows(
            TareException.class,
            () -> files.write("state", "s.tare", new byte[] {1}, Existing.REFUSE));
    assertTrue(exists.getMessage().contains("it exists"), exists.getMessage());
    TareException colon =
        assertThrows(
            TareException.class,
            () -> OutputFolder.check(files, "a:b", Existing.REFUSE, List.of()));
    assertEquals(TareException.Kind.CANNOT_WRITE, colon.kind());

    hdfs.create(new Path("table/part")).close();
    hdfs.create(new Path("table/_SUCCESS")).close();
    for (String input : List.of("table", "tab*", cluster.getURI() + home.toUri().getPath())) {
      TareException meets =
          assertThrows(
              TareException.class,
              () -> OutputFolder.check(files, "table/out", Existing.REPLACE, List.of(input)));
      assertTrue(meets.getMessage().contains("it lies in the input"), meets.getMessage());
    }
    TareException foreign =
        assertThrows(
            TareException.class,
            () -> OutputFolder.check(files, "table", Existing.REPLACE, List.of()));
    assertTrue(foreign.getMessage().contains("it holds no _TARE.json"), foreign.getMessage());
  }

  /** A model in two files goes there and comes back. */
  @Test
  void modelWithExternalData() throws IOException {
    OnnxModel model =
        TestModel.opset(17)
            .input("x", -1, 2)
            .constant("w", new long[] {2, 1000}, new float[2000])
            .node("MatMul", List.of("x", "w"), List.of("y"))
            .output("y", -1, 1000)
            .read();
    try (OneFileLimit limit = OneFileLimit.of(1000)) {
      HadoopFiles files = new HadoopFiles(configuration);
      String out = cluster.getURI() + "/others/two";
      Map<String, OutputFolder.Content> streamed = new LinkedHashMap<>();
      List<ModelFile> written = model.files("model.onnx");
      written.forEach(file -> streamed.put(file.name(), file::writeTo));
      OutputFolder.check(files, out, Existing.REFUSE, List.of())
          .publish(Map.of("a.txt", new byte[] {1}), streamed);
      FileSystem hdfs = cluster.getFileSystem();
      assertTrue(hdfs.exists(new Path(out, OutputFolder.SUCCESS)));
      for (ModelFile file : written) {
        assertEquals(file.sizeBytes(), hdfs.getFileStatus(new Path(out, file.name())).getLen());
      }
      OnnxModel again =
          files.withLocal("model", out + "/model.onnx", OnnxModel::dataFiles, OnnxModel::read);
      assertEquals(written.get(1).sha256(), again.files("model.onnx").get(1).sha256());

      hdfs.delete(new Path(out, "model.onnx.data"), false);
      TareException missing =
          assertThrows(
              TareException.class,
              () ->
                  files.withLocal(
                      "model", out + "/model.onnx", OnnxModel::dataFiles, OnnxModel::read));
      assertEquals(TareException.Kind.MISSING_INPUT, missing.kind());
    }
  }

  static long size(java.nio.file.Path file) {
    try {
      return Files.size(file);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
