package org.tare.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.TareException;

/** Paths, single files, and file systems that are not there. */
class HadoopFilesTest {
  private static final byte[] STATE = "TARE one".getBytes(StandardCharsets.UTF_8);

  private final Configuration configuration = new Configuration();
  private final HadoopFiles files = new HadoopFiles(configuration);

  @TempDir Path folder;

  @Test
  void aPathWithoutSchemeIsOfTheDefaultFileSystem() {
    String here = Path.of("").toAbsolutePath().toString();
    assertEquals("file:" + here + "/a/b", files.qualified("a/b"));
    assertEquals("file:/a/b", files.qualified("/a/b"));
    assertEquals("file:/a/b", files.qualified("//a//b"));
    assertEquals("file:/a/b", files.qualified("file:///a/b"));
    assertEquals("file:" + here + "/run:7/m", files.qualified("run:7/m"));
    configuration.set("fs.objects.impl", Objects.class.getName());
    configuration.set("fs.defaultFS", "objects://bucket");
    assertEquals("objects://bucket/a/b", files.qualified("/a/b"));
    assertEquals("file:/a/b", files.qualified("file:/a/b"));
  }

  @ParameterizedTest
  @CsvSource({
    "'',The name of a file is empty",
    "'  ',The name of a file is empty",
    "file://host/a,after file:// a host is expected",
    "foo://a/b,no file system has the scheme foo; if it is the name of a file",
    "s3://bucket/m.onnx,no file system has the scheme s3; write s3a:// instead",
    "gs://bucket/m.onnx,no file system has the scheme gs; add the Cloud Storage connector",
    "s3a://bucket/m.onnx,--packages org.apache.hadoop:hadoop-aws:3.",
    "abfss://c@a.dfs.core.windows.net/m,--packages org.apache.hadoop:hadoop-azure:3.",
  })
  void whatIsNoPathOrHasNoFileSystemIsWrongUsage(String name, String reason) {
    for (TareException e :
        List.of(
            assertThrows(TareException.class, () -> files.read("model", name)),
            assertThrows(TareException.class, () -> files.withLocal("model", name, HdfsTest::size)),
            assertThrows(
                TareException.class, () -> files.write("state", name, STATE, Existing.REPLACE)),
            assertThrows(
                TareException.class,
                () -> OutputFolder.check(files, name, Existing.REPLACE, List.of())))) {
      assertEquals(TareException.Kind.USAGE, e.kind(), e.getMessage());
      assertTrue(e.getMessage().contains(reason), e.getMessage());
    }
  }

  @Test
  void hostsThatAreNotThere() {
    configuration.set("ipc.client.connect.max.retries", "0");
    configuration.set("dfs.client.retry.policy.enabled", "false");
    TareException unknown =
        assertThrows(TareException.class, () -> files.read("model", "hdfs://nowhere.invalid/m"));
    assertEquals(TareException.Kind.MISSING_INPUT, unknown.kind());
    assertTrue(
        unknown.getMessage().contains("the host nowhere.invalid is not known"),
        unknown.getMessage());
    TareException output =
        assertThrows(
            TareException.class,
            () ->
                OutputFolder.check(files, "hdfs://nowhere.invalid/m", Existing.REFUSE, List.of()));
    assertEquals(TareException.Kind.CANNOT_WRITE, output.kind());
    TareException silent =
        assertThrows(TareException.class, () -> files.read("model", "hdfs://127.0.0.1:1/m"));
    assertEquals(TareException.Kind.TRY_AGAIN, silent.kind());
    assertTrue(silent.getMessage().contains("does not answer"), silent.getMessage());
    for (String name : List.of("ftp://127.0.0.1:1/m", "ftp://u:p@127.0.0.1:1/m")) {
      TareException ftp = assertThrows(TareException.class, () -> files.read("model", name));
      assertFalse(ftp.kind() == TareException.Kind.INTERNAL, ftp.getMessage());
      assertTrue(ftp.getMessage().startsWith("Cannot read model " + name), ftp.getMessage());
    }
  }

  @Test
  void filesThatAreNotThere() throws IOException {
    Files.writeString(folder.resolve("file"), "x");
    for (String name : List.of("no.onnx", "no/no.onnx", "file/no.onnx")) {
      String path = folder + "/" + name;
      TareException e = assertThrows(TareException.class, () -> files.read("model", path));
      assertEquals(TareException.Kind.MISSING_INPUT, e.kind());
      assertEquals("Cannot read model " + path + ": there is no such file", e.getMessage());
    }
    TareException e =
        assertThrows(TareException.class, () -> files.read("model", folder.toString()));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    TareException nul = assertThrows(TareException.class, () -> files.read("model", "a\0b\u001b"));
    assertEquals(TareException.Kind.USAGE, nul.kind());
    assertEquals(
        "No file can be called a\\u0000b\\u001b: it holds the character NUL", nul.getMessage());
  }

  @Test
  void aFileIsWrittenOnceOrReplaced() throws IOException {
    String file = folder + "/new/state [1].tare";
    files.write("state", file, STATE, Existing.REFUSE);
    assertArrayEquals(STATE, files.read("state", file));
    assertEquals(
        "Cannot write state "
            + file
            + ": it exists; give another name, or --overwrite to replace it",
        refusal(file, Existing.REFUSE));
    Files.setPosixFilePermissions(Path.of(file), PosixFilePermissions.fromString("rw-rw-r--"));
    byte[] other = "TARE two".getBytes(StandardCharsets.UTF_8);
    files.write("state", file, other, Existing.REPLACE);
    assertArrayEquals(other, files.read("state", file));
    assertEquals(
        "rw-rw-r--", PosixFilePermissions.toString(Files.getPosixFilePermissions(Path.of(file))));
    try (var all = Files.list(folder.resolve("new"))) {
      assertEquals(1, all.count());
    }
  }

  @Test
  void aFileOfAnotherKindIsNotReplaced() throws IOException {
    Path profile = Files.writeString(folder.resolve(".profile"), "export PATH");
    assertTrue(
        refusal(profile.toString(), Existing.REPLACE)
            .contains("the file there is none; remove it"));
    assertEquals("export PATH", Files.readString(profile));
    assertTrue(refusal(folder.toString(), Existing.REPLACE).endsWith("it is a folder"));
    Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("target"));
    assertTrue(
        refusal(link.toString(), Existing.REPLACE).contains("a link to what does not exist"));
    Files.write(folder.resolve("target"), STATE);
    files.write(
        "state", link.toString(), "TARE two".getBytes(StandardCharsets.UTF_8), Existing.REPLACE);
    assertTrue(Files.isSymbolicLink(link));
    assertEquals("TARE two", Files.readString(folder.resolve("target")));
  }

  private String refusal(String file, Existing existing) {
    TareException e =
        assertThrows(TareException.class, () -> files.write("state", file, STATE, existing));
    assertEquals(TareException.Kind.CANNOT_WRITE, e.kind());
    return e.getMessage();
  }

  /** Spark takes brackets and stars for patterns. */
  @Test
  void namesThatLookLikePatternsReachSparkAsNames() throws IOException {
    Path data = Files.createDirectory(folder.resolve("a[1]{x}*?"));
    String path = files.forSpark(data.toString());
    assertEquals("file:" + folder + "/a\\[1\\]\\{x\\}\\*\\?", path);
    org.apache.hadoop.fs.Path hadoop = new org.apache.hadoop.fs.Path(path);
    assertEquals(1, hadoop.getFileSystem(configuration).globStatus(hadoop).length);
    assertEquals("file:" + folder + "/b*", files.forSpark(folder + "/b*"));
  }

  /** The locale decides which names Java can express: with C it is ASCII. */
  @Test
  void aNameThatTheLocaleCannotExpressIsWrongUsage() throws Exception {
    Path file = Files.write(folder.resolve("größe.tare"), STATE);
    ProcessBuilder builder =
        new ProcessBuilder(
            System.getProperty("java.home") + "/bin/java",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            System.getProperty("java.class.path"),
            Reader.class.getName(),
            file.toString());
    builder.environment().put("LC_ALL", "C");
    builder.redirectErrorStream(true);
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    assertTrue(said.contains("start with a locale of UTF-8, for instance LC_ALL=C.UTF-8"), said);
    assertEquals(64, process.exitValue());
  }

  /** Reads a file in a process of its own. */
  static final class Reader {
    public static void main(String[] args) {
      try {
        new HadoopFiles(new Configuration()).read("state", args[0]);
      } catch (TareException e) {
        System.out.println(e.getMessage());
        System.exit(e.kind().exitStatus());
      }
    }
  }

  /** Publishing on a file system of Hadoop's that has no atomic move. */
  @Test
  void objectStores() throws IOException {
    configuration.set("fs.objects.impl", Objects.class.getName());
    String out = "objects://bucket" + folder + "/out";
    OutputFolder late = OutputFolder.check(files, out, Existing.REFUSE, List.of());
    OutputFolder.check(files, out, Existing.REFUSE, List.of())
        .publish(Map.of("a", new byte[] {1}, "b/c", new byte[] {2}));
    assertArrayEquals(new byte[] {2}, files.read("file", out + "/b/c"));
    assertEquals(1, (long) files.withLocal("file", out + "/b/c", HdfsTest::size));
    TareException e =
        assertThrows(TareException.class, () -> late.publish(Map.of("late", new byte[] {1})));
    assertTrue(e.getMessage().contains("is kept in objects://bucket" + folder), e.getMessage());
    OutputFolder.check(files, out, Existing.REPLACE, List.of())
        .publish(Map.of("d", new byte[] {3}));
    try (var all = Files.list(folder.resolve("out"))) {
      assertEquals(
          List.of("_SUCCESS", "_TARE.json", "d"),
          all.map(path -> path.getFileName().toString()).sorted().toList());
    }
    files.write("state", out + "/e", STATE, Existing.REFUSE);
    files.write("state", out + "/e", STATE, Existing.REPLACE);
    assertTrue(refusal(out + "/e", Existing.REFUSE).contains("it exists"));
    TareException meets =
        assertThrows(
            TareException.class,
            () -> OutputFolder.check(files, out + "/f", Existing.REPLACE, List.of(out)));
    assertTrue(meets.getMessage().contains("it lies in the input"), meets.getMessage());
  }

  /** Local files under another scheme, which cannot be renamed. */
  public static final class Objects extends RawLocalFileSystem {
    @Override
    public URI getUri() {
      return URI.create("objects://bucket");
    }

    @Override
    protected void checkPath(org.apache.hadoop.fs.Path path) {}

    @Override
    public boolean rename(org.apache.hadoop.fs.Path from, org.apache.hadoop.fs.Path to) {
      throw new UnsupportedOperationException("no rename");
    }
  }

  /** What is made beside the place is nothing that a user knows. */
  @Test
  void messagesOfFilesNameNoFileOnItsWay() throws IOException {
    assertEquals(
        "Cannot write picture /proc/x.svg: no file can be made in /proc", refusal("/proc/x.svg"));
    Path file = Files.writeString(folder.resolve("file"), "x");
    assertEquals(
        "Cannot write picture "
            + file
            + "/x.svg: a file is where a folder has to be: something is already there ("
            + file
            + ")",
        refusal(file + "/x.svg"));
    String staging = "/data/.x.svg.staging-01234567-89ab-cdef-0123-456789abcdef";
    assertEquals(
        "Cannot write picture x: permission denied (/data)",
        FileErrors.writing("picture", "x", new java.nio.file.AccessDeniedException(staging))
            .getMessage());
    assertEquals(
        "Cannot write picture x: File /data/x.svg could only be written to 0 nodes",
        FileErrors.writing(
                "picture",
                "x",
                new IOException("File " + staging + " could only be written to 0 nodes"))
            .getMessage());
  }

  private String refusal(String place) {
    TareException e =
        assertThrows(
            TareException.class, () -> files.write("picture", place, STATE, Existing.REFUSE));
    assertEquals(TareException.Kind.CANNOT_WRITE, e.kind());
    return e.getMessage();
  }
}
