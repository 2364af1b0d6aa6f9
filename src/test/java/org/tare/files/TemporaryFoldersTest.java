package org.tare.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemporaryFoldersTest {
  private static final Owner HERE = Owner.current();
  private static final Owner DEAD = new Owner(HERE.user(), HERE.machine(), HERE.pid(), "before");
  private static final Owner ELSEWHERE = new Owner(HERE.user(), "another machine", 1, "once");
  private static final Duration OLD = Owner.LEASE.plusMinutes(1);

  @TempDir Path temporary;

  @Test
  void aFolderGoesWithAllInItWhenItIsClosed() throws IOException {
    Path path;
    try (TemporaryFolder folder = TemporaryFolders.create("test")) {
      path = folder.path();
      Files.createDirectories(folder.resolve("a/b"));
      Files.writeString(folder.resolve("a/b/c"), "x");
      assertTrue(path.getFileName().toString().matches("tare-test-[0-9]+"), path.toString());
    }
    assertFalse(Files.exists(path));
  }

  @Test
  void sweepsWhatDeadProcessesLeftAndNothingElse() throws IOException {
    left("tare-model-1", Optional.of(DEAD), Duration.ZERO);
    left("onnxruntime-java2", Optional.of(DEAD), Duration.ZERO);
    left("tare-model-3", Optional.of(HERE), OLD);
    left("tare-model-4", Optional.of(ELSEWHERE), Duration.ofHours(23));
    left("tare-model-5", Optional.of(ELSEWHERE), OLD);
    left("tare-model-6", Optional.empty(), OLD);
    left("tare-results", Optional.of(DEAD), OLD);
    Path empty = Files.createDirectory(temporary.resolve("tare-copy-7"));
    Files.setLastModifiedTime(empty, FileTime.from(Instant.now().minus(OLD)));
    Files.createDirectory(temporary.resolve("tare-copy-8"));
    TemporaryFolders.sweep(temporary);
    assertEquals(
        Set.of("tare-model-3", "tare-model-4", "tare-model-6", "tare-results", "tare-copy-8"),
        names());
  }

  /** A link in a folder that is swept leads to what others own. */
  @Test
  void linksAreNotFollowed() throws IOException {
    Path mine = Files.createDirectory(temporary.resolve("mine"));
    Files.writeString(mine.resolve("file"), "x");
    left("tare-model-1", Optional.of(DEAD), Duration.ZERO);
    Files.createSymbolicLink(temporary.resolve("tare-model-1/link"), mine);
    Path link = Files.createSymbolicLink(temporary.resolve("tare-model-2"), mine);
    Files.write(mine.resolve(Owner.FILE), DEAD.encode());
    TemporaryFolders.sweep(temporary);
    assertEquals(Set.of("mine", "tare-model-2"), names());
    assertTrue(Files.exists(mine.resolve("file")));
    assertTrue(Files.isSymbolicLink(link));
  }

  @Test
  void whatCannotBeListedIsLeft() {
    TemporaryFolders.sweep(temporary.resolve("no such folder"));
    assertEquals(Set.of(), names());
  }

  /** A run that was killed while it wrote its owner file had nothing else in its folder yet. */
  @Test
  void anOwnerFileThatIsCutOffIsSweptAfterSomeMinutes() throws IOException {
    byte[] whole = HERE.encode();
    Instant old = Instant.now().minus(Owner.UNFINISHED).minusSeconds(1);
    for (int length : new int[] {0, 7, 20, whole.length - 1}) {
      for (String name : new String[] {"tare-young-", "tare-old-", "tare-filled-"}) {
        Path folder = Files.createDirectory(temporary.resolve(name + length));
        Path file = Files.write(folder.resolve(Owner.FILE), Arrays.copyOf(whole, length));
        if (name.equals("tare-filled-")) {
          Files.writeString(folder.resolve("somebody's"), "x");
        }
        if (!name.equals("tare-young-")) {
          Files.setLastModifiedTime(file, FileTime.from(old));
        }
      }
    }
    int before = names().size();
    TemporaryFolders.sweep(temporary);
    assertTrue(names().stream().noneMatch(name -> name.startsWith("tare-old-")));
    assertEquals(before - 4, names().size());
  }

  private void left(String name, Optional<Owner> owner, Duration age) throws IOException {
    Path folder = Files.createDirectory(temporary.resolve(name));
    Files.writeString(folder.resolve("model.onnx"), "x");
    Path touched = folder;
    if (owner.isPresent()) {
      touched = Files.write(folder.resolve(Owner.FILE), owner.get().encode());
    }
    Files.setLastModifiedTime(touched, FileTime.from(Instant.now().minus(age)));
  }

  private Set<String> names() {
    try (Stream<Path> all = Files.list(temporary)) {
      Set<String> names = new TreeSet<>();
      all.forEach(path -> names.add(path.getFileName().toString()));
      return names;
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
