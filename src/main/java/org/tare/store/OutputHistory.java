package org.tare.store;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;

/**
 * What was at the place of an output before, and which runs have worked at it: the folder {@code
 * NAME.history} beside it.
 *
 * <pre>
 *   lease              the run that is at work
 *   versions/ID/       former outputs, ordinary output folders
 *   runs/KEY~000001.json   what came of each run
 *   last.json          the latest of these
 * </pre>
 */
public final class OutputHistory {
  private static final String VERSIONS = "versions";

  private final HadoopFiles files;
  private final String name;
  private final SharedFolder folder;

  private OutputHistory(HadoopFiles files, String name) {
    this.files = files;
    this.name = name;
    this.folder = SharedFolder.of(files, "history", name);
  }

  /** That of an output. */
  public static OutputHistory of(HadoopFiles files, String output) {
    return new OutputHistory(files, output.replaceAll("/+$", "") + ".history");
  }

  /** The right to work at the output, unless another run has it. */
  public Optional<Lease> lease(Duration term) {
    return folder.lease("lease", term);
  }

  /**
   * Keeps a copy of an output; one that is kept already is not copied again.
   *
   * @param stamp begins its name; later ones are greater
   * @return the name of the version
   */
  public String keep(PublishedFolder output, String stamp) {
    String version = version(output, stamp);
    String place = place(version);
    if (PublishedFolder.find(files, place).isEmpty()) {
      OutputFolder.check(files, place, Existing.REPLACE, List.of())
          .publish(Map.of(), output.contents());
    }
    return version;
  }

  /** What an output is called as a version. */
  public static String version(PublishedFolder output, String stamp) {
    return stamp + "-" + output.digest().substring(0, 8);
  }

  private String place(String version) {
    return name + "/" + VERSIONS + "/" + version;
  }

  /** The names of the former outputs that are whole, the oldest first. */
  public List<String> versions() {
    List<String> versions = new ArrayList<>();
    for (SharedFolder.Item item : folder.list(VERSIONS)) {
      if (item.isFolder()
          && !item.name().startsWith(".")
          && PublishedFolder.find(files, place(item.name())).isPresent()) {
        versions.add(item.name());
      }
    }
    return versions;
  }

  /** A former output. */
  public PublishedFolder version(String version) {
    return Optional.of(version)
        .filter(versions()::contains)
        .flatMap(one -> PublishedFolder.find(files, place(one)))
        .orElseThrow(
            () ->
                TareException.missing(
                    "There is no version %s in %s: it holds %s",
                    Paths.shown(version), Paths.shown(name), String.join(", ", versions())));
  }

  /** Deletes the oldest versions but for so many. */
  public void prune(int kept) {
    List<String> versions = versions();
    for (String version : versions.subList(0, Math.max(0, versions.size() - kept))) {
      // What is half deleted must not be taken for whole.
      folder.delete(VERSIONS + "/" + version + "/" + OutputFolder.SUCCESS);
      folder.delete(VERSIONS + "/" + version);
    }
  }

  /** Writes down what came of a run. */
  public void record(String key, String json) {
    byte[] content = json.getBytes(StandardCharsets.UTF_8);
    int number = records(key).size();
    do {
      number++;
    } while (folder.create(record(key, number), content) == SharedFolder.Created.TAKEN);
    folder.replace("last.json", content);
  }

  private static String record(String key, int number) {
    return String.format("runs/%s~%06d.json", key, number);
  }

  private List<String> records(String key) {
    return folder.list("runs").stream()
        .map(SharedFolder.Item::name)
        .filter(one -> one.startsWith(key + "~") && one.endsWith(".json"))
        .toList();
  }

  /** What came of the last run with the key. */
  public Optional<String> find(String key) {
    List<String> records = records(key);
    return records.isEmpty()
        ? Optional.empty()
        : folder
            .read("runs/" + records.get(records.size() - 1))
            .map(content -> new String(content, StandardCharsets.UTF_8));
  }

  /** What came of all runs, in the order of their names. */
  public List<String> all() {
    List<String> all = new ArrayList<>();
    for (SharedFolder.Item item : folder.list("runs")) {
      if (item.name().endsWith(".json") && !SharedFolder.isStaging(item.name())) {
        folder
            .read("runs/" + item.name())
            .ifPresent(content -> all.add(new String(content, StandardCharsets.UTF_8)));
      }
    }
    return all;
  }

  /** Its folder. */
  @Override
  public String toString() {
    return Paths.shown(name);
  }
}
