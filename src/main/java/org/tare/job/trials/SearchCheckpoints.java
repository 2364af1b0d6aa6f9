package org.tare.job.trials;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.tare.store.Existing;
import org.tare.store.HadoopFiles;

/**
 * The file that a search writes what it measured to, so that one that was killed goes on: a new
 * checkpoint takes the place of the former at once, and is whole or not there.
 */
public final class SearchCheckpoints {
  private static final String WHAT = "checkpoint";

  private final HadoopFiles files;
  private final String file;
  private final String settings;
  private final Optional<SearchCheckpoint> found;

  private SearchCheckpoints(HadoopFiles files, String file, String settings) {
    this.files = files;
    this.file = file;
    this.settings = settings;
    this.found = files.readIfThere(WHAT, file).map(bytes -> SearchCheckpoint.decode(bytes, file));
  }

  /**
   * What is in the file.
   *
   * @param settings all that figures depend on besides model, ranges and rows, as a text
   * @throws org.tare.TareException if there is something else, or a checkpoint that is damaged or
   *     of another version
   */
  public static SearchCheckpoints open(HadoopFiles files, String file, String settings) {
    return new SearchCheckpoints(files, file, settings);
  }

  /** The checkpoint to go on from: an empty one if there is none, or it is of another search. */
  SearchCheckpoint find(List<String> origin, Consumer<String> progress) {
    String search = digest(settings + "\n" + String.join("\n", origin));
    Optional<SearchCheckpoint> own = found.filter(one -> one.search().equals(search));
    if (own.isPresent()) {
      progress.accept(
          String.format(
              "%d forms were measured before: they are taken from %s",
              own.get().forms().size(), file));
    } else if (found.isPresent()) {
      progress.accept(
          file + " is of another model, other rows, ranges or settings: all is measured anew");
    }
    return own.orElseGet(() -> new SearchCheckpoint(search, 0, Map.of()));
  }

  void write(SearchCheckpoint checkpoint) {
    files.write(WHAT, file, checkpoint.encode(), Existing.REPLACE);
  }

  /** Deletes the file: the search has ended. */
  public void end() {
    files.delete(WHAT, file);
  }

  private static String digest(String text) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(sha.digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
