package org.tare.store;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathIsNotEmptyDirectoryException;
import org.apache.hadoop.hdfs.DistributedFileSystem;

/** A file system of Hadoop's. Only of HDFS it is known that it moves atomically. */
final class HadoopStore implements FolderStore {
  private static final String CREATE_IF_ABSENT = "fs.option.create.conditional.overwrite";

  private final FileSystem fileSystem;

  HadoopStore(FileSystem fileSystem) {
    this.fileSystem = fileSystem;
  }

  @Override
  public Moves moves() {
    return fileSystem instanceof DistributedFileSystem ? Moves.ATOMIC : Moves.NONE;
  }

  @Override
  public Optional<Entry> find(Path path) throws IOException {
    try {
      return Optional.of(entry(fileSystem.getFileStatus(path)));
    } catch (FileNotFoundException e) {
      return Optional.empty();
    }
  }

  private static Entry entry(FileStatus status) {
    return new Entry(
        status.getPath(),
        status.isDirectory(),
        status.getLen(),
        Instant.ofEpochMilli(status.getModificationTime()));
  }

  @Override
  public List<Entry> list(Path folder) throws IOException {
    List<Entry> entries = new ArrayList<>();
    for (FileStatus status : fileSystem.listStatus(folder)) {
      entries.add(entry(status));
    }
    entries.sort(Comparator.comparing(Entry::name));
    return entries;
  }

  @Override
  public InputStream open(Path file) throws IOException {
    return fileSystem.open(file);
  }

  @Override
  public void makeFolder(Path folder) throws IOException {
    if (!fileSystem.mkdirs(folder)) {
      throw new IOException("the folder " + folder + " cannot be made");
    }
  }

  @Override
  public OutputStream create(Path file) throws IOException {
    try {
      FSDataOutputStreamBuilder<?, ?> builder = fileSystem.createFile(file);
      builder.overwrite(false);
      builder.recursive();
      builder.opt(CREATE_IF_ABSENT, true);
      return builder.build();
    } catch (org.apache.hadoop.fs.FileAlreadyExistsException e) {
      throw taken(file, e);
    }
  }

  @Override
  public OutputStream overwrite(Path file) throws IOException {
    return fileSystem.create(file, true);
  }

  @Override
  public void move(Path from, Path to) throws IOException {
    try {
      if (isEmptyFolder(to)) {
        fileSystem.delete(to, false);
      }
      hdfs().rename(from, to, Options.Rename.NONE);
    } catch (org.apache.hadoop.fs.FileAlreadyExistsException | PathIsNotEmptyDirectoryException e) {
      throw taken(to, e);
    }
  }

  private boolean isEmptyFolder(Path place) throws IOException {
    try {
      return fileSystem.getFileStatus(place).isDirectory()
          && fileSystem.listStatus(place).length == 0;
    } catch (FileNotFoundException e) {
      return false;
    }
  }

  @Override
  public void moveFile(Path from, Path to, Existing existing) throws IOException {
    try {
      hdfs()
          .rename(
              from,
              to,
              existing == Existing.REPLACE ? Options.Rename.OVERWRITE : Options.Rename.NONE);
    } catch (org.apache.hadoop.fs.FileAlreadyExistsException e) {
      throw taken(to, e);
    }
  }

  private DistributedFileSystem hdfs() {
    if (fileSystem instanceof DistributedFileSystem hdfs) {
      return hdfs;
    }
    throw new UnsupportedOperationException(fileSystem.getUri() + " has no atomic move");
  }

  private static FileAlreadyExistsException taken(Path place, IOException cause) {
    FileAlreadyExistsException taken = new FileAlreadyExistsException(place.toString());
    taken.initCause(cause);
    return taken;
  }

  @Override
  public void delete(Path path) throws IOException {
    fileSystem.delete(path, true);
  }

  @Override
  public void copyAccess(Path from, Path to) {
    try {
      FileStatus like = fileSystem.getFileStatus(from);
      FileStatus now = fileSystem.getFileStatus(to);
      if (!like.getPermission().equals(now.getPermission())) {
        fileSystem.setPermission(to, like.getPermission());
      }
      if (!like.getGroup().equals(now.getGroup())) {
        fileSystem.setOwner(to, null, like.getGroup());
      }
    } catch (IOException | UnsupportedOperationException e) {
      // This user may not, or the file system has neither.
    }
  }
}
