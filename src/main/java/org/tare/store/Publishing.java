package org.tare.store;

import java.io.IOException;
import org.apache.hadoop.fs.Path;

/** How a finished folder gets to its place. */
interface Publishing {
  /**
   * Brings the place back to a whole folder where a killed run left it otherwise, and deletes what
   * such runs left beside it. What belongs to a living run is not touched.
   */
  void recover() throws IOException;

  /**
   * Puts the result to its place; deletes the working folder, unless the exception says that
   * something is kept in it.
   *
   * @throws PlaceTaken if the place holds what must not be replaced; then the result is still in
   *     the working folder
   */
  void publish(WorkFolder work, Existing existing) throws IOException;

  /** Moves a result that was not published to a place of its own, which is returned. */
  Path keep(WorkFolder work) throws IOException;

  static Publishing of(FolderStore store, Path place, org.tare.files.Owner owner) {
    return switch (store.moves()) {
      case ATOMIC -> new RenamePublishing(store, place);
      case NONE -> new ClaimPublishing(store, place, owner);
    };
  }

  /** Where {@link #keep} puts a result. */
  static Path unpublished(Path place, WorkFolder work) {
    return Paths.child(place.getParent(), place.getName() + ".unpublished-" + work.shortId());
  }
}
