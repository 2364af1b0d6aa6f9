package org.tare;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.store.Existing;
import org.tare.store.Lease;
import org.tare.store.OutputFolder;
import org.tare.store.OutputHistory;
import org.tare.store.PublishedFolder;

/** A rollback to be: brings a former version of a deployed output back, whole, in one step. */
public final class Rollback {
  private static final Duration LEASE = Duration.ofMinutes(15);

  private final Tare tare;
  private final String output;
  private Optional<String> to = Optional.empty();

  Rollback(Tare tare, String output) {
    this.tare = tare;
    this.output = output;
  }

  /** The version; unless it is said, the last one before what is deployed. */
  public Rollback to(String version) {
    to = Optional.of(version);
    return this;
  }

  /** The versions that can be brought back, the oldest first. */
  public List<String> versions() {
    return OutputHistory.of(tare.files(), output).versions();
  }

  /**
   * Brings it back. What was deployed is kept as a version.
   *
   * @return the version that is deployed now
   * @throws TareException if there is no such version, or another run is at work at the output
   */
  public String run() {
    OutputHistory history = OutputHistory.of(tare.files(), output);
    boolean wasDeployed = PublishedFolder.find(tare.files(), output).isPresent();
    if (!wasDeployed && history.versions().isEmpty()) { // Here no lease is written.
      throw noneBefore(history);
    }
    try (Lease lease =
        history
            .lease(LEASE)
            .orElseThrow(
                () ->
                    TareException.tryAgain(
                        "Cannot roll back %s: another run is at work at it", output))) {
      OutputFolder place = OutputFolder.check(tare.files(), output, Existing.REPLACE, List.of());
      Optional<PublishedFolder> deployed = PublishedFolder.find(tare.files(), output);
      Optional<String> current =
          deployed.map(folder -> OutputHistory.version(folder, Recalibration.stamp(folder)));
      String version = to.orElseGet(() -> lastBefore(history, current));
      PublishedFolder former = history.version(version);
      former.check();
      deployed.ifPresent(folder -> history.keep(folder, Recalibration.stamp(folder)));
      if (!lease.isHeld()) {
        throw TareException.tryAgain(
            "Cannot roll back %s: another run has taken the lease meanwhile", output);
      }
      place.publish(Map.of(), former.contents());
      return version;
    }
  }

  private String lastBefore(OutputHistory history, Optional<String> current) {
    List<String> earlier =
        history.versions().stream()
            .filter(one -> current.isEmpty() || one.compareTo(current.get()) < 0)
            .toList();
    if (earlier.isEmpty()) {
      throw noneBefore(history);
    }
    return earlier.get(earlier.size() - 1);
  }

  private TareException noneBefore(OutputHistory history) {
    return TareException.missing(
        "Cannot roll back %s: %s holds no version before it", output, history);
  }
}
