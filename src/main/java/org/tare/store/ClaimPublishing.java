package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.apache.hadoop.fs.Path;
import org.tare.files.Owner;

/**
 * Publishing where no move is atomic: the result is copied, file by file, by the one run that holds
 * the claim.
 *
 * <p>The run marks its working folder ({@code _INSTALL}) before it touches the place, takes away
 * {@code _SUCCESS}, the listed files and the manifest, and copies its own files, manifest and
 * {@code _SUCCESS}. Each of these steps can be done again. So a run that was killed after the mark
 * is finished by the next start, which has the whole result in the marked folder.
 */
final class ClaimPublishing implements Publishing {
  private final FolderStore store;
  private final Path place;
  private final Claim claim;

  ClaimPublishing(FolderStore store, Path place, Owner owner) {
    this.store = store;
    this.place = place;
    this.claim =
        new Claim(store, Paths.child(place.getParent(), "." + place.getName() + ".claim"), owner);
  }

  @Override
  public void recover() throws IOException {
    List<WorkFolder> all = WorkFolder.beside(store, place);
    boolean isUnfinished = claim.exists();
    for (WorkFolder work : all) {
      isUnfinished |= store.find(work.install()).isPresent();
    }
    if (isUnfinished && claim.take()) {
      try {
        finishOthers();
      } finally {
        claim.release();
      }
    }
    for (WorkFolder work : all) {
      try {
        if (store.find(work.install()).isEmpty() && work.isAbandoned()) {
          work.delete();
        }
      } catch (IOException e) {
        // It is another user's, or another run was quicker; it harms nobody.
      }
    }
  }

  /** Whoever marked a working folder held the claim; now this run holds it, so they are gone. */
  private void finishOthers() throws IOException {
    for (WorkFolder work : WorkFolder.beside(store, place)) {
      if (store.find(work.install()).isPresent()) {
        install(work);
        work.delete();
      }
    }
  }

  @Override
  public void publish(WorkFolder work, Existing existing) throws IOException {
    if (!claim.take()) {
      throw new PlaceTaken("another run is writing it at this moment");
    }
    try {
      finishOthers();
      checkPlace(existing);
      try (OutputStream mark = store.create(work.install())) {
        mark.write(new byte[0]);
      }
      try {
        install(work);
      } catch (IOException e) {
        throw new IOException(
            FileErrors.reason(e)
                + "; the result is whole in "
                + Paths.shown(work.result())
                + ", and the next run with this output finishes the copy",
            e);
      }
      work.delete();
    } finally {
      claim.release();
    }
  }

  private void checkPlace(Existing existing) throws IOException {
    if (store.find(place).isEmpty()) {
      return;
    }
    if (existing == Existing.REFUSE
        && !(store.find(place).get().isFolder() && store.list(place).isEmpty())) {
      throw new PlaceTaken("it appeared while this run was at work");
    }
    Optional<String> objection = FolderProof.objection(store, place, FolderProof.Depth.NAMES);
    if (objection.isPresent()) {
      throw new PlaceTaken(objection.get());
    }
  }

  private void install(WorkFolder work) throws IOException {
    store.delete(Paths.child(place, OutputFolder.SUCCESS));
    Optional<Manifest> former = manifest(place);
    if (former.isPresent()) {
      TreeSet<String> folders = new TreeSet<>();
      for (String name : former.get().files().keySet()) {
        store.delete(Paths.child(place, name));
        for (int slash = name.indexOf('/'); slash > 0; slash = name.indexOf('/', slash + 1)) {
          folders.add(name.substring(0, slash));
        }
      }
      for (String folder : folders.descendingSet()) {
        deleteIfEmpty(Paths.child(place, folder));
      }
      store.delete(Paths.child(place, Manifest.NAME));
    }
    copy(work.result(), place);
  }

  private void deleteIfEmpty(Path folder) throws IOException {
    try {
      if (store.list(folder).isEmpty()) {
        store.delete(folder);
      }
    } catch (FileNotFoundException | NoSuchFileException e) {
      // A store without folders.
    }
  }

  private Optional<Manifest> manifest(Path folder) throws IOException {
    byte[] content;
    try {
      content = FolderProof.read(store, Paths.child(folder, Manifest.NAME));
    } catch (FileNotFoundException | NoSuchFileException e) {
      return Optional.empty();
    }
    try {
      return Optional.of(Manifest.decode(content));
    } catch (IOException e) {
      // Cut off by a kill while it was copied: so the files are those of the result.
      return Optional.empty();
    }
  }

  private void copy(Path from, Path to) throws IOException {
    Manifest manifest =
        manifest(from)
            .orElseThrow(() -> new FileNotFoundException(from + " has no " + Manifest.NAME));
    List<String> names = new ArrayList<>(manifest.files().keySet());
    names.add(Manifest.NAME);
    names.add(OutputFolder.SUCCESS);
    store.makeFolder(to);
    for (String name : names) {
      Path target = Paths.child(to, name);
      if (name.indexOf('/') >= 0) {
        store.makeFolder(target.getParent());
      }
      try (InputStream in = store.open(Paths.child(from, name));
          OutputStream out = store.overwrite(target)) {
        in.transferTo(out);
      }
    }
  }

  @Override
  public Path keep(WorkFolder work) throws IOException {
    Path kept = Publishing.unpublished(place, work);
    copy(work.result(), kept);
    return kept;
  }
}
