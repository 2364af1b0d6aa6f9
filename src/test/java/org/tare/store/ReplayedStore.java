package org.tare.store;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.Path;

/**
 * A store for a run that is at some point of its way: it gives the outcomes that the run has had so
 * far, then takes one step more, and ends the run before the one after that. To close a new file,
 * which writes its content, is a step too. What a run writes into {@code new} of its own working
 * folder is none: it is taken together with the step that follows, since nobody looks there before
 * a later step, a move or a mark, has told of it.
 *
 * <p>What a run does next follows from the outcomes alone. Times are no part of them: no owner here
 * is out of sight, so none is looked at. What the run draws by chance, the numbers of its working
 * folder and of its claim, is exchanged for fixed numbers on the way.
 */
final class ReplayedStore implements FolderStore {
  /** Ends the run. */
  static final class Stopped extends Error {
    private static final long serialVersionUID = 1L;

    Stopped() {
      super(null, null, false, false);
    }
  }

  private static final Pattern FOLDER = Pattern.compile("\\.staging-([0-9a-f]{16})");
  private static final Pattern CLAIM = Pattern.compile("number=([0-9a-f-]{36})");

  /** A step of the run. */
  @FunctionalInterface
  private interface Step {
    Object take() throws IOException;
  }

  /** A step that gives nothing. */
  private interface Change {
    void make() throws IOException;
  }

  private final MemoryStore store;
  private final List<Object> outcomes;
  private final String fixedFolder;
  private final String fixedClaim;
  private String folder = "";
  private String claim = "";
  private int at;
  private boolean isOver;

  /**
   * @param outcomes that the run has had; those that follow are added
   * @param number of the run
   */
  ReplayedStore(MemoryStore store, List<Object> outcomes, int number) {
    this.store = store;
    this.outcomes = outcomes;
    this.fixedFolder = String.valueOf(number).repeat(16);
    this.fixedClaim = String.valueOf(number).repeat(36);
  }

  /** Outcomes as a text, equal for equal ones. */
  static String text(Object outcome) {
    if (outcome instanceof Optional<?> optional) {
      return optional.map(ReplayedStore::text).orElse("nothing");
    } else if (outcome instanceof List<?> list) {
      return list.stream().map(ReplayedStore::text).toList().toString();
    } else if (outcome instanceof Entry entry) {
      return entry.path() + (entry.isFolder() ? "/" : "=" + entry.length());
    } else if (outcome instanceof byte[] content) {
      return new String(content, StandardCharsets.UTF_8);
    }
    return outcome instanceof IOException e ? e.toString() : "done";
  }

  private void change(Path path, Change change) throws IOException {
    step(
        path,
        () -> {
          change.make();
          return "";
        });
  }

  @SuppressWarnings("unchecked")
  private <T> T step(Path path, Step step) throws IOException {
    if (isOver) {
      throw new Stopped();
    }
    if (at == outcomes.size()) {
      isOver = !isPrivate(path);
      try {
        outcomes.add(step.take());
      } catch (IOException e) {
        outcomes.add(e);
      }
    }
    Object outcome = outcomes.get(at++);
    if (outcome instanceof IOException e) {
      throw e;
    }
    return (T) outcome;
  }

  private boolean isPrivate(Path path) {
    String name = path.toUri().getPath();
    return !folder.isEmpty() && (name.endsWith(folder + "/new") || name.contains(folder + "/new/"));
  }

  private static String first(Pattern number, String text) {
    Matcher found = number.matcher(text);
    return found.find() ? found.group(1) : "";
  }

  /** A text of the run's, with the fixed numbers. */
  String fixed(String text) {
    return exchanged(exchanged(text, folder, fixedFolder), claim, fixedClaim);
  }

  private Path fixed(Path path) {
    return new Path(fixed(path.toString()));
  }

  private String drawn(String text) {
    String drawn = folder.isEmpty() ? text : exchanged(text, fixedFolder, folder);
    return claim.isEmpty() ? drawn : exchanged(drawn, fixedClaim, claim);
  }

  private Entry drawn(Entry entry) {
    Path path = new Path(drawn(entry.path().toString()));
    return new Entry(path, entry.isFolder(), entry.length(), entry.modified());
  }

  /** Results that are kept have the first part of the number of their working folder. */
  private static String exchanged(String text, String from, String to) {
    if (from.isEmpty()) {
      return text;
    }
    return text.replace(from, to)
        .replace("unpublished-" + from.substring(0, 8), "unpublished-" + to.substring(0, 8))
        .replace("out.former-" + from.substring(0, 8), "out.former-" + to.substring(0, 8));
  }

  @Override
  public Moves moves() {
    return store.moves();
  }

  @Override
  public Optional<Entry> find(Path path) throws IOException {
    Optional<Entry> found = step(path, () -> store.find(fixed(path)));
    return found.map(this::drawn);
  }

  @Override
  public List<Entry> list(Path path) throws IOException {
    List<Entry> found = step(path, () -> store.list(fixed(path)));
    List<Entry> drawn = new ArrayList<>();
    found.forEach(entry -> drawn.add(drawn(entry)));
    return drawn;
  }

  @Override
  public InputStream open(Path file) throws IOException {
    byte[] content =
        step(
            file,
            () -> {
              try (InputStream in = store.open(fixed(file))) {
                return in.readAllBytes();
              }
            });
    return new ByteArrayInputStream(
        drawn(new String(content, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public void makeFolder(Path path) throws IOException {
    if (folder.isEmpty()) {
      folder = first(FOLDER, path.toString());
    }
    change(path, () -> store.makeFolder(fixed(path)));
  }

  @Override
  public OutputStream create(Path file) throws IOException {
    change(file, () -> store.create(fixed(file)));
    return writing(file);
  }

  @Override
  public OutputStream overwrite(Path file) throws IOException {
    change(file, () -> store.overwrite(fixed(file)));
    return writing(file);
  }

  private OutputStream writing(Path file) {
    return new ByteArrayOutputStream() {
      @Override
      public void close() throws IOException {
        String content = toString(StandardCharsets.UTF_8);
        if (claim.isEmpty()) {
          claim = first(CLAIM, content);
        }
        change(
            file, () -> store.write(fixed(file), fixed(content).getBytes(StandardCharsets.UTF_8)));
      }
    };
  }

  @Override
  public void move(Path from, Path to) throws IOException {
    change(to, () -> store.move(fixed(from), fixed(to)));
  }

  @Override
  public void moveFile(Path from, Path to, Existing existing) throws IOException {
    change(to, () -> store.moveFile(fixed(from), fixed(to), existing));
  }

  @Override
  public void delete(Path path) throws IOException {
    change(path, () -> store.delete(fixed(path)));
  }

  /** No step: nothing here has a mode or a group. */
  @Override
  public void copyAccess(Path from, Path to) {}
}
