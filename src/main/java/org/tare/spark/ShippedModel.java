package org.tare.spark;

import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.SparkFiles;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.graph.OnnxModel;
import org.tare.infer.SessionPool;

/**
 * A model on its way to the executors: a file that Spark copies once to each, under its digest. A
 * broadcast would be limited to 2 GB and keep extra copies in memory.
 */
record ShippedModel(String label, String digest, int threads) implements Serializable {
  private static final Set<String> VERIFIED = ConcurrentHashMap.newKeySet();

  /**
   * Hands a model to Spark.
   *
   * @param label what to call it in messages
   */
  static ShippedModel ship(SparkSession spark, OnnxModel model, String label) {
    try {
      Path folder = Files.createTempDirectory("tare-model-");
      Path file = folder.resolve("model.onnx");
      model.write(file);
      String digest = sha256(file);
      Path named = folder.resolve(fileName(digest));
      Files.move(file, named);
      named.toFile().deleteOnExit();
      folder.toFile().deleteOnExit();
      spark.sparkContext().addFile(named.toUri().toString());
      int threads = spark.sparkContext().getConf().getInt("spark.task.cpus", 1);
      return new ShippedModel(label, digest, threads);
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot write a temporary model file: %s", e).causedBy(e);
    }
  }

  private static String fileName(String digest) {
    return "tare-" + digest + ".onnx";
  }

  /** The session of this JVM, on the file that Spark brought, verified once. */
  SessionPool.Lease lease() {
    Path file = Path.of(SparkFiles.get(fileName(digest)));
    try {
      if (!VERIFIED.contains(digest)) {
        String found = sha256(file);
        if (!found.equals(digest)) {
          throw TareException.tryAgain(
              "Cannot use %s on this executor: it arrived with SHA-256 %s instead of %s",
              label, found, digest);
        }
        VERIFIED.add(digest);
      }
    } catch (IOException e) {
      throw TareException.tryAgain("Cannot read %s on this executor: %s", label, e).causedBy(e);
    }
    return SessionPool.lease(file, label, digest, threads);
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in =
        new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
      in.transferTo(java.io.OutputStream.nullOutputStream());
      return HexFormat.of().formatHex(((DigestInputStream) in).getMessageDigest().digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
