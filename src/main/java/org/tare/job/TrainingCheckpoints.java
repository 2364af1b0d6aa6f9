package org.tare.job;

import java.util.Map;
import java.util.Optional;
import org.tare.store.Existing;
import org.tare.store.HadoopFiles;
import org.tare.train.TrainingState;

/**
 * The file that a training writes its checkpoints to: a new one takes the place of the former at
 * once, and is whole or not there.
 */
public final class TrainingCheckpoints {
  private static final String WHAT = "checkpoint";

  private final HadoopFiles files;
  private final Optional<String> file;
  private final Optional<TrainingCheckpoint> found;

  private TrainingCheckpoints(HadoopFiles files, Optional<String> file) {
    this.files = files;
    this.file = file;
    this.found =
        file.flatMap(
            name ->
                files.readIfThere(WHAT, name).map(bytes -> TrainingCheckpoint.decode(bytes, name)));
  }

  /**
   * What is in the file.
   *
   * @param file none if no checkpoints are wanted
   * @throws org.tare.TareException if there is something else, or a checkpoint that is damaged or
   *     of another version
   */
  public static TrainingCheckpoints open(HadoopFiles files, Optional<String> file) {
    return new TrainingCheckpoints(files, file);
  }

  /**
   * Checks what is known before data are read.
   *
   * @throws org.tare.TareException if the checkpoint is of another model, or of other settings
   */
  public TrainingCheckpoints check(FloatModel model, TrainingSettings settings) {
    Map<String, String> own = settings.origin();
    own.put(TrainingCheckpoint.MODEL, model.original().digest());
    found.ifPresent(one -> one.check(own, file.orElseThrow()));
    return this;
  }

  /**
   * The checkpoint to go on from, if there is one: that of this training.
   *
   * @param begin the state that the training begins with, if there is none
   */
  Optional<TrainingCheckpoint> find(Map<String, String> origin, TrainingState begin) {
    String rows = TrainingCheckpoint.ROWS;
    // Of other rows, the scales differ too; the rows are what a user can look at.
    found.ifPresent(one -> one.check(Map.of(rows, origin.get(rows)), file.orElseThrow()));
    found.ifPresent(one -> one.check(origin, file.orElseThrow()));
    found.ifPresent(one -> one.check(begin, file.orElseThrow()));
    return found;
  }

  /** Writes one. */
  void write(TrainingCheckpoint checkpoint) {
    file.ifPresent(name -> files.write(WHAT, name, checkpoint.encode(), Existing.REPLACE));
  }

  /** Where they are, if anywhere. */
  Optional<String> file() {
    return file;
  }
}
