package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.UUID;
import org.apache.hadoop.fs.Path;
import org.tare.files.Owner;

/**
 * A file that one run at a time can make: it holds the owner and a number of its own.
 *
 * <p>A claim whose owner is gone is taken over by the run that can make a second file, named after
 * the first one's content. The second file is a claim itself. Its holder looks at the first once
 * more, since another may have taken it over and have released both meanwhile. A claim that is cut
 * off, since its owner was killed while it wrote it, is taken over as soon as it is some minutes
 * old.
 */
final class Claim {
  private static final int ATTEMPTS = 10;

  private final FolderStore store;
  private final Path file;
  private final Owner owner;
  private final Duration term;
  private final byte[] content;

  Claim(FolderStore store, Path file, Owner owner) {
    this(store, file, owner, Owner.LEASE);
  }

  /**
   * @param term how long the claim of a process that cannot be seen holds after it was last written
   */
  Claim(FolderStore store, Path file, Owner owner, Duration term) {
    this.term = term;
    this.store = store;
    this.file = file;
    this.owner = owner;
    String number = "number=" + UUID.randomUUID() + "\n";
    byte[] first = owner.encode();
    this.content = Arrays.copyOf(first, first.length + number.length());
    System.arraycopy(
        number.getBytes(StandardCharsets.US_ASCII), 0, content, first.length, number.length());
  }

  boolean exists() throws IOException {
    return store.find(file).isPresent();
  }

  /** Whether this run holds it now. */
  boolean take() throws IOException {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        make();
        return true;
      } catch (FileAlreadyExistsException taken) {
        try {
          byte[] other = FolderProof.read(store, file);
          if (!isAbandoned(other)) {
            return false;
          }
          Claim right = new Claim(store, rightToReplace(other), owner, term);
          if (!right.take()) {
            return false;
          }
          try {
            if (Arrays.equals(other, FolderProof.read(store, file))) {
              SharedFolder.write(store, file, content, Existing.REPLACE);
              return true;
            }
          } finally {
            right.release();
          }
        } catch (FileNotFoundException | NoSuchFileException e) {
          // It was released meanwhile: once more.
        }
      }
    }
    return false;
  }

  private void make() throws IOException {
    SharedFolder.write(store, file, content, Existing.REFUSE);
  }

  private boolean isAbandoned(byte[] other) throws IOException {
    Instant touched = store.find(file).map(FolderStore.Entry::modified).orElse(Instant.now());
    return Owner.isAbandoned(other, touched, term);
  }

  private Path rightToReplace(byte[] other) {
    String digest = HexFormat.of().formatHex(FolderProof.sha256().digest(other));
    return new Path(file.getParent(), file.getName() + "-" + digest.substring(0, 16));
  }

  /** Writes the claim anew, so that its term begins again; false if another holds it now. */
  boolean renew() throws IOException {
    if (!isOwn()) {
      return false;
    }
    SharedFolder.write(store, file, content, Existing.REPLACE);
    return true;
  }

  private boolean isOwn() throws IOException {
    try {
      return Arrays.equals(content, FolderProof.read(store, file));
    } catch (FileNotFoundException | NoSuchFileException e) {
      return false;
    }
  }

  /** Gives it back, unless another has taken it meanwhile. */
  void releaseOwn() {
    try {
      if (isOwn()) {
        store.delete(file);
      }
    } catch (IOException e) {
      // When this process has ended, the next run takes it over.
    }
  }

  /** Gives it back. */
  void release() {
    try {
      store.delete(file);
    } catch (IOException e) {
      // When this process has ended, the next run takes it over.
    }
  }
}
