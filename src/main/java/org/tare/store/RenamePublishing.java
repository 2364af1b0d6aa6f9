package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.tare.files.Owner;

/**
 * Publishing by moves that are atomic and fail where the place is taken.
 *
 * <p>To replace a folder takes two moves: the former one into the working folder, the result to its
 * place. A run that is killed in between leaves a working folder with both, by which the next start
 * sees it. When another run takes the place in between, its folder is treated as any that stands
 * there: all is looked at anew. So the place always holds one whole folder, or for a moment none,
 * and the last run to replace wins.
 */
final class RenamePublishing implements Publishing {
  /** Other runs can only be so quick so often. */
  private static final int ATTEMPTS = 50;

  private final FolderStore store;
  private final Path place;

  RenamePublishing(FolderStore store, Path place) {
    this.store = store;
    this.place = place;
  }

  @Override
  public void recover() throws IOException {
    for (WorkFolder work : WorkFolder.beside(store, place)) {
      try {
        if (work.owner().map(Owner::life).orElse(Owner.Life.NOT_VISIBLE) == Owner.Life.ALIVE) {
          continue;
        }
        Optional<Path> former = work.lastFormer();
        // With no result in it, the run had come to its end.
        if (former.isPresent()
            && store.find(work.result()).isPresent()
            && store.find(place).isEmpty()) {
          // If the owner lives elsewhere it will find the place taken, and look again.
          store.move(former.get(), place);
        }
      } catch (FileNotFoundException | NoSuchFileException | FileAlreadyExistsException e) {
        // Another run was quicker.
      }
      sweep(work);
    }
  }

  private static void sweep(WorkFolder work) {
    try {
      if (work.isAbandoned()) {
        work.delete();
      }
    } catch (IOException e) {
      // It is another user's, or another run was quicker; it harms nobody.
    }
  }

  @Override
  public void publish(WorkFolder work, Existing existing) throws IOException {
    int formers = 0;
    try {
      for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (arrives(work)) {
          deleteQuietly(work);
          return;
        }
        if (existing == Existing.REFUSE) {
          throw new PlaceTaken("it appeared while this run was at work");
        }
        if (leaves(work, formers + 1)) {
          formers++;
        }
      }
      throw new IOException("other runs replace it again and again");
    } catch (PlaceTaken e) {
      throw new PlaceTaken(e.getMessage() + restored(work, formers));
    } catch (IOException e) {
      throw new IOException(FileErrors.reason(e) + restored(work, formers), e);
    }
  }

  private static void deleteQuietly(WorkFolder work) {
    try {
      work.delete();
    } catch (IOException e) {
      // The result is published. The next start sweeps the rest.
    }
  }

  private boolean arrives(WorkFolder work) throws IOException {
    try {
      store.move(work.result(), place);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
  }

  /** Moves what is at the place into the working folder; false if it has gone by itself. */
  private boolean leaves(WorkFolder work, int number) throws IOException {
    try {
      Optional<String> objection = FolderProof.objection(store, place, FolderProof.Depth.NAMES);
      if (objection.isPresent()) {
        throw new PlaceTaken(objection.get());
      }
      work.takeAccess(place);
      store.move(place, work.former(number));
    } catch (FileNotFoundException | NoSuchFileException e) {
      return false;
    }
    // Nobody else comes here: this look is final.
    Optional<String> objection =
        FolderProof.objection(store, work.former(number), FolderProof.Depth.NAMES);
    if (objection.isPresent()) {
      throw new PlaceTaken(objection.get() + restored(work, number));
    }
    return true;
  }

  /**
   * Puts a former folder back; says where it is if it cannot be. The working folder stays if it is
   * still in there.
   */
  private String restored(WorkFolder work, int number) {
    Path former = work.former(number);
    try {
      if (number == 0 || store.find(former).isEmpty()) {
        return "";
      }
      try {
        store.move(former, place);
        return "";
      } catch (FileAlreadyExistsException e) {
        Path kept =
            Paths.child(
                place.getParent(), place.getName() + ".former-" + work.shortId() + "-" + number);
        store.move(former, kept);
        return "; what stood there before is kept in " + Paths.shown(kept);
      }
    } catch (FileNotFoundException | NoSuchFileException e) {
      // The start of another run has put it back.
      return "";
    } catch (IOException e) {
      return "; what stood there before is in " + Paths.shown(former);
    }
  }

  @Override
  public Path keep(WorkFolder work) throws IOException {
    Path kept = Publishing.unpublished(place, work);
    store.move(work.result(), kept);
    return kept;
  }
}
