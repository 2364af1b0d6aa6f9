package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@code deploy/tare} in folders of awkward names, and after builds that did not come to their end.
 * Maven is a script that says that it was called and brings a finished jar, and Java one that says
 * what it was given, but where it is the real one.
 */
class StartScriptTest {
  private static final Path PROJECT = Path.of("").toAbsolutePath();
  private static final String BUILT = "maven was called";
  private static final String VERSION = "tare " + org.tare.Tare.version() + "\n";

  @TempDir Path folder;

  private Path finished;
  private String jar;

  /** What a killed build may leave. */
  enum Left {
    NOTHING,
    CUT_OFF,
    WITHOUT_LIBRARIES,
    SHADED
  }

  @BeforeEach
  void makeJar() throws IOException {
    Matcher version =
        Pattern.compile("<version>(.*)</version>").matcher(Files.readString(Path.of("pom.xml")));
    assertTrue(version.find());
    jar = "target/tare-" + version.group(1) + ".jar";
    finished = folder.resolve("finished.jar");
    writeJar(finished, "org/tare/shaded/protobuf/Message.class");
    Files.createDirectories(folder.resolve("bin"));
    script("java", "for a; do printf '|%s' \"$a\"; done; echo\n");
    script("mvn", "echo " + BUILT + "\ncp '" + finished + "' " + jar + "\n");
  }

  private void script(String name, String lines) throws IOException {
    Path file = folder.resolve("bin").resolve(name);
    Files.writeString(file, "#!/bin/sh\n" + lines);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  /** A jar that stands for Tare's own: what is in it is what these tests run on. */
  private static void writeJar(Path jar, String entry) throws IOException {
    Manifest manifest = new Manifest();
    StringBuilder path = new StringBuilder();
    for (String part : System.getProperty("java.class.path").split(File.pathSeparator)) {
      path.append(Path.of(part).toUri()).append(' ');
    }
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().put(Attributes.Name.CLASS_PATH, path.toString());
    try (OutputStream out = Files.newOutputStream(jar);
        JarOutputStream zip = new JarOutputStream(out, manifest)) {
      zip.putNextEntry(new ZipEntry(entry));
      zip.write(new byte[1000]);
      zip.closeEntry();
    }
  }

  /** A copy of the project; its sources are a link, and Spark is in the jar. */
  private Path project(String name) throws IOException {
    Path copy = folder.resolve(name);
    for (String part : new String[] {"deploy/tare", "deploy/jar.sh", "pom.xml"}) {
      Files.createDirectories(copy.resolve(part).getParent());
      Files.copy(PROJECT.resolve(part), copy.resolve(part));
    }
    Files.createDirectories(copy.resolve("src"));
    Files.createSymbolicLink(copy.resolve("src/main"), PROJECT.resolve("src/main"));
    Files.createSymbolicLink(copy.resolve("conf"), PROJECT.resolve("conf"));
    Files.createDirectories(copy.resolve("target/spark-4.1.3/jars"));
    Files.createSymbolicLink(copy.resolve("target/spark-4.1.3/jars/spark.jar"), finished);
    Files.createFile(copy.resolve("target/spark-4.1.3/.complete"));
    return copy;
  }

  private Path jar(Path project) {
    return project.resolve(jar);
  }

  /** What the script says, and its status unless it is 0. */
  private String run(Path project, Path java, String options) throws Exception {
    String script = project.resolve("deploy/tare").toString();
    ProcessBuilder builder =
        new ProcessBuilder("sh", script, "--version").redirectErrorStream(true);
    builder.directory(folder.toFile());
    builder.environment().remove("SPARK_HOME");
    builder.environment().put("JAVA_HOME", java.toString());
    builder.environment().put("TARE_OPTS", options);
    builder.environment().put("PATH", folder.resolve("bin") + ":" + System.getenv("PATH"));
    Process process = builder.start();
    try {
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      return said + (process.exitValue() == 0 ? "" : "status " + process.exitValue());
    } finally {
      process.destroyForcibly();
    }
  }

  /** Starts a {@code java} that says in one line what it was given. */
  private String started(Path project, String options) throws Exception {
    return run(project, folder, options);
  }

  @ParameterizedTest
  @ValueSource(strings = {"a b", "a*b", "a?[b]{c},%41#'\""})
  void startsInAFolderOfAnyNameWithoutBuilding(String name) throws Exception {
    Path project = project(name);
    Files.copy(finished, jar(project));
    // Neither a folder beside it nor another jar is taken for what is meant.
    Files.createDirectories(folder.resolve("a1b/target"));
    Files.write(project.resolve("target/tare-0.0.9-shaded.jar"), new byte[1]);
    String said = started(project, "-Da=*");
    String classPath = jar(project) + ":" + project.resolve("target/spark-4.1.3/jars/*");
    assertTrue(said.endsWith("|-Da=*|-cp|" + classPath + "|org.tare.cli.Tare|--version\n"), said);
    Matcher log = Pattern.compile("-Dlog4j2.configurationFile=([^,|]*)\\|").matcher(said);
    assertTrue(log.find(), said);
    assertTrue(Files.exists(Path.of(URI.create(log.group(1)))), said);
    assertEquals(1, said.lines().count(), said);
  }

  /** In this process, and through Spark's own way to submit. */
  @ParameterizedTest
  @ValueSource(strings = {"-Da=*", "--conf spark.a=*"})
  void javaAndSparkTakeAnyNameToo(String options) throws Exception {
    Path project = project("a ?[b]*{c},%41#'");
    Files.copy(finished, jar(project));
    assertEquals(VERSION, run(project, Path.of(System.getProperty("java.home")), options));
  }

  @ParameterizedTest
  @EnumSource
  void aBuildThatWasKilledIsDoneAgain(Left left) throws Exception {
    Path project = project("project");
    byte[] whole = Files.readAllBytes(finished);
    switch (left) {
      case NOTHING -> {}
      case CUT_OFF -> Files.write(jar(project), Arrays.copyOf(whole, whole.length - 10));
      case WITHOUT_LIBRARIES -> writeJar(jar(project), "org/tare/Tare.class");
      case SHADED -> {
        Path shaded = project.resolve(jar.replace(".jar", "-shaded.jar"));
        Files.write(shaded, Arrays.copyOf(whole, whole.length / 2));
      }
    }
    String said = started(project, "");
    assertTrue(said.startsWith("tare: building the jar, once\n" + BUILT + "\n|"), said);
    assertTrue(said.contains("|-cp|" + jar(project) + ":"), said);
    assertTrue(started(project, "").startsWith("|"), "built once");
  }

  @Test
  void aBuildThatBringsNoJarIsToldAndNothingStarts() throws Exception {
    Path project = project("project");
    script("mvn", "");
    assertEquals(
        "tare: building the jar, once\ntare: the build failed\nstatus 70", started(project, ""));
  }

  @Test
  void aFolderThatJavaCannotNameIsRefused() throws Exception {
    Path project = project("a:b");
    String said = started(project, "");
    assertTrue(said.contains("a:b: Java takes a colon for the end of a path"), said);
    assertTrue(said.endsWith("\nstatus 64"), said);
  }
}
