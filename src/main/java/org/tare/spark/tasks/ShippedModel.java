package org.tare.spark.tasks;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.spark.SparkFiles;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.TaskCompletionListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.tare.TareException;
import org.tare.files.TemporaryFolder;
import org.tare.files.TemporaryFolders;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.Pairs;
import org.tare.infer.SessionPool;
import org.tare.onnx.ModelFile;
import org.tare.onnx.OnnxModel;

/**
 * A model on its way to the executors, for as long as it is open. Where they are threads of this
 * JVM, it is files in a temporary folder; else the files it consists of, in pieces that Spark
 * broadcasts. An executor writes the pieces into files, checks their SHA-256,
 * loads the model once and deletes the files.
 *
 * <p>Why pieces: a broadcast is limited to 2 GB and lies in memory at once; pieces of {@value
 * #PIECE_BYTES} bytes go to disk where memory is short. Why not {@code SparkContext.addFile}: what
 * it adds cannot be taken back, and the jobs of a session with artifacts of its own, as all are on
 * Spark 4, do not see it.
 *
 * <p>Closing takes the pieces from the driver and the executors. What stays there are loaded
 * sessions, within the limits of {@link SessionPool}: Spark has no call that runs on every
 * executor.
 */
final class ShippedModel implements Serializable, AutoCloseable {
  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(ShippedModel.class);
  private static final int PIECE_BYTES = 16 << 20;

  private final String label;
  private final int threads;
  private final Pairs pairs;
  private final List<Parcel> parcels;

  /** Where the files are in this JVM; null if they travel. */
  private final transient TemporaryFolder folder;

  private final String local;

  /** One of the files; the first is the model's, which names its data by digest. */
  private record Parcel(String name, String sha256, long sizeBytes, List<Broadcast<byte[]>> pieces)
      implements Serializable {}

  private ShippedModel(String label, int threads, Pairs pairs, TemporaryFolder folder) {
    this.label = label;
    this.threads = threads;
    this.pairs = pairs;
    this.parcels = new ArrayList<>();
    this.folder = folder;
    this.local = folder == null ? null : folder.path().toString();
  }

  /**
   * Hands a model to Spark.
   *
   * @param label what to call it in messages
   */
  static ShippedModel ship(SparkSession spark, OnnxModel model, String label) {
    return ship(spark, model, label, Pairs.FUSED);
  }

  /** The same, where it is said what becomes of pairs of QuantizeLinear and DequantizeLinear. */
  static ShippedModel ship(SparkSession spark, OnnxModel model, String label, Pairs pairs) {
    int threads = spark.sparkContext().getConf().getInt("spark.task.cpus", 1);
    TemporaryFolder folder =
        spark.sparkContext().isLocal() ? TemporaryFolders.create("model") : null;
    ShippedModel shipped = new ShippedModel(label, threads, pairs, folder);
    try {
      List<ModelFile> files = model.files("model.onnx");
      if (files.size() > 1) {
        files = model.files("model.onnx", "tare-" + files.get(1).sha256() + ".data");
      }
      for (ModelFile file : files) {
        shipped.parcels.add(folder == null ? pack(spark, file) : write(file, folder));
      }
      return shipped;
    } catch (IOException e) {
      shipped.close();
      throw TareException.cannotWrite("Cannot ship %s to the executors: %s", label, e).causedBy(e);
    } catch (RuntimeException | Error e) {
      shipped.close();
      throw e;
    }
  }

  private static Parcel write(ModelFile file, TemporaryFolder folder) throws IOException {
    MessageDigest sha = sha256();
    try (OutputStream out =
        new BufferedOutputStream(
            new DigestOutputStream(Files.newOutputStream(folder.resolve(file.name())), sha),
            1 << 16)) {
      file.writeTo(out);
    }
    return new Parcel(
        file.name(), HexFormat.of().formatHex(sha.digest()), file.sizeBytes(), List.of());
  }

  private static Parcel pack(SparkSession spark, ModelFile file) throws IOException {
    MessageDigest sha = sha256();
    List<Broadcast<byte[]>> pieces = new ArrayList<>();
    try (OutputStream out =
        new BufferedOutputStream(new DigestOutputStream(new Pieces(spark, pieces), sha), 1 << 16)) {
      file.writeTo(out);
    } catch (IOException | RuntimeException | Error e) {
      pieces.forEach(Broadcast::destroy);
      throw e;
    }
    return new Parcel(
        file.name(),
        HexFormat.of().formatHex(sha.digest()),
        file.sizeBytes(),
        new ArrayList<>(pieces));
  }

  /** Broadcasts what is written to it. */
  private static final class Pieces extends OutputStream {
    private final JavaSparkContext context;
    private final List<Broadcast<byte[]>> pieces;
    private final byte[] piece = new byte[PIECE_BYTES];
    private int length;

    Pieces(SparkSession spark, List<Broadcast<byte[]>> pieces) {
      this.context = new JavaSparkContext(spark.sparkContext());
      this.pieces = pieces;
    }

    @Override
    public void write(int b) {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int count) {
      int done = 0;
      while (done < count) {
        int part = Math.min(count - done, PIECE_BYTES - length);
        System.arraycopy(bytes, from + done, piece, length, part);
        length += part;
        done += part;
        if (length == PIECE_BYTES) {
          ship();
        }
      }
    }

    private void ship() {
      if (length > 0) {
        pieces.add(context.broadcast(Arrays.copyOf(piece, length)));
        length = 0;
      }
    }

    @Override
    public void close() {
      ship();
    }
  }

  /** How many files the model consists of: data beyond 2 GB stands in a second one. */
  int files() {
    return parcels.size();
  }

  /** What all files take. */
  long sizeBytes() {
    return parcels.stream().mapToLong(Parcel::sizeBytes).sum();
  }

  /**
   * The session of this executor's JVM, until the task ends.
   *
   * @throws TareException if the model did not arrive whole, or does not load
   */
  ModelSession session(TaskContext task) {
    SessionPool.Lease lease = lease();
    if (task != null) {
      TaskCompletionListener release = context -> lease.close();
      task.addTaskCompletionListener(release);
    }
    return lease.session();
  }

  /** The session of this JVM, until the lease is closed. */
  SessionPool.Lease lease() {
    return SessionPool.lease(
        new SessionPool.Model(label, parcels.get(0).sha256(), sizeBytes(), threads, pairs), this::open);
  }

  /** Loads the model from files that are there only as long. */
  private ModelSession open(SessionPool.Opener opener) {
    if (local != null) {
      return opener.open(Path.of(local, parcels.get(0).name()));
    }
    List<Path> written = new ArrayList<>();
    try {
      Path folder =
          Files.createTempDirectory(Path.of(SparkFiles.getRootDirectory()), "tare-model-");
      written.add(folder);
      for (Parcel parcel : parcels) {
        Path file = folder.resolve(parcel.name());
        written.add(0, file);
        unpack(parcel, file);
      }
      LOG.info("Loading {}: {} files, {} bytes", label, files(), sizeBytes());
      return opener.open(folder.resolve(parcels.get(0).name()));
    } catch (IOException e) {
      throw TareException.tryAgain(
              "Cannot write %s into %s on this executor: %s",
              label, Path.of(SparkFiles.getRootDirectory()).toAbsolutePath(), e)
          .causedBy(e);
    } finally {
      written.forEach(ShippedModel::deleteQuietly);
    }
  }

  private void unpack(Parcel parcel, Path file) throws IOException {
    MessageDigest sha = sha256();
    try (OutputStream out = new DigestOutputStream(Files.newOutputStream(file), sha)) {
      for (Broadcast<byte[]> piece : parcel.pieces()) {
        out.write(piece.value());
      }
    }
    String found = HexFormat.of().formatHex(sha.digest());
    if (!found.equals(parcel.sha256())) {
      throw TareException.tryAgain(
          "Cannot use %s on this executor: it arrived with SHA-256 %s instead of %s",
          label, found, parcel.sha256());
    }
  }

  private static void deleteQuietly(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // Some systems keep files that are mapped.
      file.toFile().deleteOnExit();
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Takes the model back; tasks that still run lose it. */
  @Override
  public void close() {
    if (folder != null) {
      folder.close();
    }
    for (Parcel parcel : parcels) {
      for (Broadcast<byte[]> piece : parcel.pieces()) {
        try {
          piece.destroy();
        } catch (RuntimeException e) {
          LOG.debug("Cannot remove a piece of {}: {}", label, e.toString());
        }
      }
    }
  }
}
