package org.tare.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.TareException;
import org.tare.files.Owner;

/** Output folders on the local file system. */
class OutputFolderTest {
  private static final HadoopFiles FILES = new HadoopFiles(new Configuration());
  private static final Map<String, byte[]> CONTENT =
      Map.of("model.onnx", new byte[] {1, 2}, "slices/a.tare", new byte[] {3});

  @TempDir Path folder;

  @Test
  void aPublishedFolderSaysWhatIsInIt() throws IOException {
    publish("out", Existing.REFUSE);
    assertEquals(
        Set.of("_SUCCESS", "_TARE.json", "model.onnx", "slices"), names(folder.resolve("out")));
    assertEquals(0, Files.size(folder.resolve("out/_SUCCESS")));
    Manifest manifest = Manifest.decode(Files.readAllBytes(folder.resolve("out/_TARE.json")));
    assertEquals(Set.of("model.onnx", "slices/a.tare"), manifest.files().keySet());
    assertEquals(
        new Manifest.File(2, "a12871fee210fb8619291eaea194581cbd2531e4b23759d225f6806923f63222"),
        manifest.files().get("model.onnx"));
    assertEquals(Set.of("out"), names(folder));
  }

  @Test
  void replacesWhatTareWrote() throws IOException {
    publish("out", Existing.REFUSE);
    Files.createFile(folder.resolve("out/.model.onnx.crc"));
    Files.delete(folder.resolve("out/slices/a.tare"));
    check("out", Existing.REPLACE).publish(Map.of("other", new byte[] {9}));
    assertEquals(Set.of("_SUCCESS", "_TARE.json", "other"), names(folder.resolve("out")));
    assertEquals(Set.of("out"), names(folder));
    refused("out", Existing.REFUSE, "it exists; give another folder, or --overwrite");
  }

  @Test
  void anEmptyFolderIsFree() throws IOException {
    Files.createDirectory(folder.resolve("out"));
    publish("out", Existing.REFUSE);
    assertTrue(Files.exists(folder.resolve("out/_SUCCESS")));
  }

  /** What Spark writes has {@code _SUCCESS} as well. */
  @Test
  void foreignFoldersAreNotReplaced() throws IOException {
    Path spark = Files.createDirectory(folder.resolve("table"));
    Files.writeString(spark.resolve("part-00000.parquet"), "x");
    Files.createFile(spark.resolve("_SUCCESS"));
    refused("table", Existing.REPLACE, "it holds no _TARE.json, so Tare did not write it");
    Path home = Files.createDirectory(folder.resolve("home"));
    Files.writeString(home.resolve(".profile"), "x");
    refused("home", Existing.REPLACE, "it holds no _TARE.json");
    Files.writeString(folder.resolve("file"), "x");
    refused("file", Existing.REPLACE, "it exists and is a file, not a folder");
    assertTrue(Files.exists(spark.resolve("part-00000.parquet")));
    assertTrue(Files.exists(home.resolve(".profile")));
    TareException root =
        assertThrows(
            TareException.class, () -> OutputFolder.check(FILES, "/", Existing.REPLACE, List.of()));
    assertTrue(root.getMessage().contains("it is the root of a file system"), root.getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"notes.txt", "slices/notes.txt", "new/", "new/notes.txt", ".notes.crc", ".crc"})
  void aFolderWithSomethingElseInItIsNotReplaced(String other) throws IOException {
    publish("out", Existing.REFUSE);
    Path path = folder.resolve("out").resolve(other);
    Files.createDirectories(other.endsWith("/") ? path : path.getParent());
    if (!other.endsWith("/")) {
      Files.writeString(path, "x");
    }
    String named = other.startsWith("new") ? "new" : other;
    refused("out", Existing.REPLACE, "it holds " + named + ", which Tare did not write");
    assertTrue(Files.exists(path));
  }

  @Test
  void aFileThatHasChangedIsNotReplaced() throws IOException {
    publish("out", Existing.REFUSE);
    Files.write(folder.resolve("out/model.onnx"), new byte[] {1, 3});
    refused("out", Existing.REPLACE, "model.onnx in it has changed since Tare wrote it");
    Files.write(folder.resolve("out/model.onnx"), new byte[] {1, 2, 3});
    refused("out", Existing.REPLACE, "model.onnx in it has changed since Tare wrote it");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "x",
        "[]",
        "{\"tare_output\": 1}",
        "{\"tare_output\": \"1\", \"files\": []}",
        "{\"tare_output\": 2, \"files\": []}",
        "{\"tare_output\": 1, \"files\": [{\"name\": \"../a\", \"length\": 1, \"sha256\": \"\"}]}",
        "{\"tare_output\": 1, \"files\": [{\"name\": \"a\", \"length\": 1, \"sha256\": \"0\"}]}"
      })
  void aDamagedManifestProvesNothing(String manifest) throws IOException {
    publish("out", Existing.REFUSE);
    Files.writeString(folder.resolve("out/_TARE.json"), manifest);
    refused("out", Existing.REPLACE, "its _TARE.json cannot be used: ");
  }

  @Test
  void aFolderThatMeetsAnInputIsRefused() throws IOException {
    Files.createDirectories(folder.resolve("data/day=1"));
    Files.writeString(folder.resolve("data/day=1/a.parquet"), "x");
    Files.createSymbolicLink(folder.resolve("link"), folder.resolve("data"));
    meets("data", "data", "is");
    meets("data/", "data", "is");
    meets("data/../data", "data", "is");
    meets("link", "data", "is");
    meets("data/out", "data", "lies in");
    meets("link/out", "data", "lies in");
    meets("data/day=1/out", "link", "lies in");
    meets(".", "data", "holds");
    meets("data", "data/day=1/a.parquet", "holds");
    meets("data", "data/*/a.parquet", "holds");
    meets("data/day=1", "data/day=*", "is");
    meets("data/day=2", "data/day=*", "lies in");
    meets("data/day=2/out", "data/{day=2,hour=*}", "lies in");
    meets("out", "out/state.tare", "holds");
    for (String apart : List.of("data2", "dat", "data", "hdfs://nowhere.invalid/data", "[")) {
      OutputFolder.check(
          FILES,
          path(apart.equals("data") ? "other" : "out"),
          Existing.REFUSE,
          List.of(path(apart)));
    }
    assertEquals(Set.of("data", "link"), names(folder));
  }

  private void meets(String output, String input, String relation) {
    TareException e =
        assertThrows(
            TareException.class,
            () -> OutputFolder.check(FILES, path(output), Existing.REPLACE, List.of(path(input))),
            output + " and " + input);
    assertEquals(TareException.Kind.CANNOT_WRITE, e.kind());
    assertTrue(
        e.getMessage().contains(path(output) + ": it " + relation + " the input " + path(input)),
        e.getMessage());
  }

  @Test
  void checkingMakesNothing() {
    check("a/b/out", Existing.REFUSE);
    assertEquals(Set.of(), names(folder));
  }

  /** What is made beside the place is nothing that a user knows. */
  @Test
  void messagesNameNoWorkFolder() {
    for (String place : List.of("/proc/y", "/proc/y/z")) {
      TareException e =
          assertThrows(
              TareException.class,
              () -> OutputFolder.check(FILES, place, Existing.REFUSE, List.of()));
      assertEquals(
          "Cannot write output " + place + ": no folder can be made in /proc", e.getMessage());
      assertEquals(TareException.Kind.CANNOT_WRITE, e.kind());
    }
    String work = "/data/.out.staging-0123456789abcdef";
    java.nio.file.FileSystemException full =
        new java.nio.file.FileSystemException(work + "/new/model.onnx", null, "No space left");
    assertEquals(
        "Cannot write output out: No space left (/data/out/model.onnx)",
        FileErrors.writing("output", "out", full).getMessage());
    assertEquals(
        "Cannot write output out: permission denied (/data)",
        FileErrors.writing("output", "out", new java.nio.file.AccessDeniedException(work))
            .getMessage());
    assertEquals(
        "Cannot write output out: Mkdirs failed to create file:/data/out",
        FileErrors.writing("output", "out", new IOException("Mkdirs failed to create file:" + work))
            .getMessage());
  }

  @Test
  void aPlaceThatCannotBeIsSeenBeforeAnyWork() throws IOException {
    Files.writeString(folder.resolve("file"), "x");
    refused("file/out", Existing.REFUSE, "file is a file, not a folder");
    refused("n".repeat(240), Existing.REFUSE, "File name too long");
    refused("a\0b", Existing.REFUSE, "a\\u0000b: it holds the character NUL");
    Files.createSymbolicLink(folder.resolve("dangling"), folder.resolve("nothing"));
    refused("dangling", Existing.REFUSE, "it is a link to what does not exist");
  }

  @Test
  void aLinkStaysAndWhatItLeadsToIsReplaced() throws IOException {
    publish("real", Existing.REFUSE);
    Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("real"));
    check("link", Existing.REPLACE).publish(Map.of("b", new byte[] {2}));
    assertTrue(Files.isSymbolicLink(link));
    assertEquals(Set.of("_SUCCESS", "_TARE.json", "b"), names(folder.resolve("real")));
    assertEquals(Set.of("link", "real"), names(folder));
  }

  @Test
  void modesOfAReplacedFolderAreKept() throws IOException {
    Path out = publish("out", Existing.REFUSE);
    Path plain = Files.createFile(folder.resolve("plain"));
    assertEquals(
        Files.getPosixFilePermissions(plain),
        Files.getPosixFilePermissions(out.resolve("model.onnx")),
        "by the umask");
    Files.setAttribute(out, "unix:mode", 0042775);
    Files.setPosixFilePermissions(
        out.resolve("model.onnx"), PosixFilePermissions.fromString("rw-rw----"));
    publish("out", Existing.REPLACE);
    assertEquals(042775, (int) Files.getAttribute(out, "unix:mode"));
    assertEquals(
        "rw-rw----",
        PosixFilePermissions.toString(Files.getPosixFilePermissions(out.resolve("model.onnx"))));
  }

  /** Of the folder, of files in it and in its folders; a new file gets that of any new file. */
  @Test
  void groupsOfAReplacedFolderAreKept() throws IOException {
    Path out = publish("out", Existing.REFUSE);
    int own = (int) Files.getAttribute(out, "unix:gid");
    int other = otherGroup(own);
    List<String> kept = List.of("", "model.onnx", "slices", "slices/a.tare");
    for (String name : kept) {
      Files.setAttribute(out.resolve(name), "unix:gid", other);
    }
    Files.setAttribute(out, "unix:mode", 042775);
    Files.setPosixFilePermissions(
        out.resolve("slices/a.tare"), PosixFilePermissions.fromString("rw-rw----"));
    check("out", Existing.REPLACE)
        .publish(
            Map.of(
                "model.onnx", new byte[2], "slices/a.tare", new byte[3], "slices/b", new byte[4]));
    for (String name : kept) {
      assertEquals(other, Files.getAttribute(out.resolve(name), "unix:gid"), name);
    }
    assertEquals(own, Files.getAttribute(out.resolve("slices/b"), "unix:gid"));
    assertEquals(042775, (int) Files.getAttribute(out, "unix:mode"), "its group is handed down");
    assertEquals(
        "rw-rw----",
        PosixFilePermissions.toString(Files.getPosixFilePermissions(out.resolve("slices/a.tare"))));
  }

  /** Another group that a file of this user may be of: any for root, else one of the user's. */
  private int otherGroup(int own) throws IOException {
    Path file = Files.createFile(folder.resolve("group"));
    try {
      List<Integer> groups = new ArrayList<>(List.of(own + 4711));
      Path status = Path.of("/proc/self/status");
      for (String line : Files.exists(status) ? Files.readAllLines(status) : List.<String>of()) {
        if (line.startsWith("Groups:")) {
          Stream.of(line.substring(7).split("\\s+"))
              .filter(group -> !group.isEmpty())
              .map(Integer::valueOf)
              .forEach(groups::add);
        }
      }
      for (int group : groups) {
        if (group != own && isTaken(file, group)) {
          return group;
        }
      }
    } finally {
      Files.delete(file);
    }
    return Assumptions.abort("this user has one group only");
  }

  private static boolean isTaken(Path file, int group) {
    try {
      Files.setAttribute(file, "unix:gid", group);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void aFullDiskLeavesNothing() {
    OutputFolder output = check("out", Existing.REFUSE);
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                output.publish(
                    CONTENT,
                    Map.of(
                        "big",
                        out -> {
                          out.write(new byte[100]);
                          throw new IOException("No space left on device");
                        })));
    assertEquals(TareException.Kind.CANNOT_WRITE, e.kind());
    assertEquals(
        "Cannot write output " + path("out") + ": No space left on device", e.getMessage());
    assertEquals(Set.of(), names(folder));
  }

  @ParameterizedTest
  @ValueSource(strings = {"../escape", "/a", "a//b", "a/..", "", "_SUCCESS", "_TARE.json", "a/./b"})
  void filesStayInTheFolder(String name) {
    TareException e =
        assertThrows(
            TareException.class,
            () -> check("out", Existing.REFUSE).publish(Map.of(name, new byte[1])));
    assertTrue(
        e.getMessage().contains("a file of the output cannot be called " + name), e.getMessage());
    assertEquals(Set.of(), names(folder));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a b",
        "a?b",
        "a*b",
        "a{b}",
        "a[b]",
        "a:b",
        "a%41b",
        "a#b",
        "größe",
        "日本",
        "a\\b",
        "a'b",
        "😀",
        "a\u202Eb",
        "-a",
        "a\nb",
        "~"
      })
  void anyNameWorks(String name) throws IOException {
    OutputFolder output = check(name, Existing.REFUSE);
    output.publish(Map.of(name, new byte[] {7}));
    Path file = folder.resolve(name).resolve(name);
    assertArrayEquals(new byte[] {7}, Files.readAllBytes(file));
    assertArrayEquals(new byte[] {7}, FILES.read("file", file.toString()));
    assertEquals(1, (long) FILES.withLocal("file", file.toString(), HdfsTest::size));
    check(name, Existing.REPLACE).publish(Map.of(name, new byte[] {8}));
    assertArrayEquals(new byte[] {8}, FILES.read("file", file.toString()));
    assertEquals(Set.of(name), names(folder));
  }

  /** A process that is really killed, between its two moves. */
  @Test
  void aKilledProcessIsRecovered() throws Exception {
    publish("out", Existing.REFUSE);
    byte[] before = Files.readAllBytes(folder.resolve("out/_TARE.json"));
    Process process =
        new ProcessBuilder(
                System.getProperty("java.home") + "/bin/java",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Sleeper.class.getName(),
                path("out"))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader out =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      assertEquals("between", out.readLine());
      // While it lives, nobody touches its folder.
      check("out", Existing.REPLACE);
      assertFalse(Files.exists(folder.resolve("out")));
      assertEquals(1, names(folder).size());
    } finally {
      process.destroyForcibly().waitFor();
    }
    check("out", Existing.REPLACE);
    assertArrayEquals(before, Files.readAllBytes(folder.resolve("out/_TARE.json")));
    assertEquals(Set.of("out"), names(folder));
  }

  /** Publishes, and stops before the second move until it is killed. */
  static final class Sleeper {
    public static void main(String[] args) {
      int[] moves = {0};
      FolderStore store =
          new SteppedStore(
              new LocalStore(),
              (step, path) -> {
                // The first finds the place taken, the second moves the former folder away.
                if (step.equals("move") && ++moves[0] == 3) {
                  System.out.println("between");
                  try {
                    Thread.sleep(600_000);
                  } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                  }
                }
              });
      new OutputFolder(
              store,
              new org.apache.hadoop.fs.Path(args[0]),
              args[0],
              Existing.REPLACE,
              Owner.current())
          .publish(Map.of("killed", new byte[1]));
    }
  }

  private Path publish(String name, Existing existing) {
    check(name, existing).publish(CONTENT);
    return folder.resolve(name);
  }

  private OutputFolder check(String name, Existing existing) {
    return OutputFolder.check(FILES, path(name), existing, List.of());
  }

  private void refused(String name, Existing existing, String reason) {
    TareException e = assertThrows(TareException.class, () -> check(name, existing));
    assertEquals(
        name.indexOf('\0') < 0 ? TareException.Kind.CANNOT_WRITE : TareException.Kind.USAGE,
        e.kind());
    assertTrue(e.getMessage().contains(reason), e.getMessage());
  }

  private String path(String name) {
    return name.startsWith("hdfs:") ? name : folder + "/" + name;
  }

  private static Set<String> names(Path folder) {
    try (Stream<Path> all = Files.list(folder)) {
      Set<String> names = new TreeSet<>();
      all.forEach(path -> names.add(path.getFileName().toString()));
      return names;
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
