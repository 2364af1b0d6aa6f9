package org.tare;

import java.io.IOException;
import java.net.URI;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * The local file system under another scheme, so that it counts as one without atomic moves. After
 * so many steps that change something, nothing works any more, as for a process that was killed.
 */
public final class KillableFileSystem extends RawLocalFileSystem {
  private static final AtomicInteger STEPS = new AtomicInteger();
  private static final AtomicInteger LEFT = new AtomicInteger(Integer.MAX_VALUE);

  /** From now on so many steps succeed. */
  static void liveFor(int steps) {
    LEFT.set(steps);
  }

  static int steps() {
    return STEPS.get();
  }

  private static void step() throws IOException {
    STEPS.incrementAndGet();
    if (LEFT.getAndUpdate(left -> left <= 0 ? left : left - 1) <= 0) {
      throw new IOException("killed");
    }
  }

  private static void live() throws IOException {
    if (LEFT.get() <= 0) {
      throw new IOException("killed");
    }
  }

  @Override
  public URI getUri() {
    return URI.create("killable:///");
  }

  @Override
  public String getScheme() {
    return "killable";
  }

  @Override
  public void initialize(URI uri, Configuration conf) throws IOException {
    super.initialize(uri, conf);
  }

  @Override
  protected void checkPath(Path path) {}

  @Override
  public FSDataOutputStream create(
      Path f,
      FsPermission permission,
      boolean overwrite,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    step();
    return super.create(f, permission, overwrite, bufferSize, replication, blockSize, progress);
  }

  @Override
  public FSDataOutputStream createNonRecursive(
      Path f,
      FsPermission permission,
      java.util.EnumSet<org.apache.hadoop.fs.CreateFlag> flags,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    step();
    return super.createNonRecursive(
        f, permission, flags, bufferSize, replication, blockSize, progress);
  }

  @Override
  public boolean delete(Path p, boolean recursive) throws IOException {
    step();
    return super.delete(p, recursive);
  }

  @Override
  public boolean mkdirs(Path f) throws IOException {
    live();
    return super.mkdirs(f);
  }

  @Override
  public FileStatus getFileStatus(Path f) throws IOException {
    live();
    return super.getFileStatus(f);
  }
}
