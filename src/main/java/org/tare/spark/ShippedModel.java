package org.tare.spark;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.SparkFiles;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.files.TemporaryFolders;
import org.tare.graph.ModelFile;
import org.tare.graph.OnnxModel;
import org.tare.infer.SessionPool;

/**
 * A model on its way to the executors: a file that Spark copies once to each, under its digest, and
 * beside it that of its external data, if it has one. A broadcast would be limited to 2 GB and keep
 * extra copies in memory.
 *
 * @param digest of the model's file, which names its data by digest, so of both
 * @param dataDigest of the external data; empty if there is none
 */
record ShippedModel(String label, String digest, String dataDigest, int threads)
    implements Serializable {
  private static final Set<String> VERIFIED = ConcurrentHashMap.newKeySet();

  /** What the applications of this driver have, by application and file. */
  private static final Set<String> SHIPPED = ConcurrentHashMap.newKeySet();

  /**
   * Hands a model to Spark, once for an application.
   *
   * @param label what to call it in messages
   */
  static ShippedModel ship(SparkSession spark, OnnxModel model, String label) {
    try {
      List<ModelFile> files = model.files("model.onnx");
      String dataDigest = "";
      if (files.size() > 1) {
        dataDigest = files.get(1).sha256();
        files = model.files("model.onnx", dataName(dataDigest));
        add(spark, dataName(dataDigest), files.get(1));
      }
      String digest = files.get(0).sha256();
      add(spark, fileName(digest), files.get(0));
      int threads = spark.sparkContext().getConf().getInt("spark.task.cpus", 1);
      return new ShippedModel(label, digest, dataDigest, threads);
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot write a temporary model file: %s", e).causedBy(e);
    }
  }

  private static void add(SparkSession spark, String name, ModelFile file) throws IOException {
    String key = spark.sparkContext().applicationId() + "/" + name;
    if (SHIPPED.contains(key)) {
      return;
    }
    Path place = TemporaryFolders.create("model").resolve(name);
    try (OutputStream out = Files.newOutputStream(place)) {
      file.writeTo(out);
    }
    spark.sparkContext().addFile(place.toUri().toString());
    SHIPPED.add(key);
  }

  private static String fileName(String digest) {
    return "tare-" + digest + ".onnx";
  }

  private static String dataName(String digest) {
    return "tare-" + digest + ".data";
  }

  /** The session of this JVM, on the files that Spark brought, verified once. */
  SessionPool.Lease lease() {
    // Spark puts all files of an application into one folder, where the model finds its data.
    Path file = Path.of(SparkFiles.get(fileName(digest)));
    try {
      verify(file, digest);
      if (!dataDigest.isEmpty()) {
        verify(Path.of(SparkFiles.get(dataName(dataDigest))), dataDigest);
      }
    } catch (IOException e) {
      throw TareException.tryAgain("Cannot read %s on this executor: %s", label, e).causedBy(e);
    }
    return SessionPool.lease(file, label, digest, threads);
  }

  private void verify(Path file, String expected) throws IOException {
    if (!VERIFIED.contains(expected)) {
      String found = sha256(file);
      if (!found.equals(expected)) {
        throw TareException.tryAgain(
            "Cannot use %s on this executor: it arrived with SHA-256 %s instead of %s",
            label, found, expected);
      }
      VERIFIED.add(expected);
    }
  }

  private static String sha256(Path file) throws IOException {
    try (InputStream in =
        new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
      in.transferTo(OutputStream.nullOutputStream());
      return HexFormat.of().formatHex(((DigestInputStream) in).getMessageDigest().digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
