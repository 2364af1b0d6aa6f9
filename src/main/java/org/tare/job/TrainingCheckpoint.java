package org.tare.job;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.PrintableText;
import org.tare.TareException;
import org.tare.job.TrainingRun.Measured;
import org.tare.job.TrainingRun.Point;
import org.tare.train.TrainingState;

/**
 * How far a training has come: all that it needs to go on as if it had not been interrupted.
 *
 * <p>The file, big-endian:
 *
 * <pre>
 * letters "TTRN" | version 4 | content | SHA-256 of all before, 32
 * content: origin | before | points | best step 8 | state | best state, if the best step is not 0
 * </pre>
 *
 * @param origin what it is a training of, by name: model, rows, and every setting that counts
 * @param before what was measured without training
 * @param state after the last round that ended well
 * @param bestStep after which step the best was measured; 0 if it is the model without training
 * @param best the state then; empty if it is the model without training
 */
record TrainingCheckpoint(
    SortedMap<String, String> origin,
    Measured before,
    List<Point> curve,
    TrainingState state,
    long bestStep,
    Optional<TrainingState> best) {
  /** The digest of the float model, in the origin. */
  static final String MODEL = "model";

  /** The digest of the rows, in the origin. */
  static final String ROWS = "rows";

  /** The digest of the scales and zero points that training begins with, in the origin. */
  static final String GRIDS = "grids";

  private static final String LETTERS = "TTRN";
  private static final int VERSION = 2;

  TrainingCheckpoint {
    curve = List.copyOf(curve);
  }

  /** What was measured of the best. */
  Measured measured() {
    return TrainingRun.measured(before, curve, bestStep);
  }

  byte[] encode() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeInt(origin.size());
      for (Map.Entry<String, String> entry : origin.entrySet()) {
        out.writeUTF(entry.getKey());
        out.writeUTF(entry.getValue());
      }
      write(out, before);
      out.writeInt(curve.size());
      for (Point point : curve) {
        out.writeLong(point.step());
        out.writeDouble(point.loss());
        out.writeBoolean(point.measured().isPresent());
        if (point.measured().isPresent()) {
          write(out, point.measured().get());
        }
      }
      out.writeLong(bestStep);
      write(out, state);
      if (bestStep > 0) {
        write(out, best.orElseThrow());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return CheckpointBytes.around(LETTERS, VERSION, bytes.toByteArray());
  }

  private static void write(DataOutputStream out, Measured measured) throws IOException {
    out.writeDouble(measured.sqnr());
    out.writeDouble(measured.top1().orElse(Double.NaN));
  }

  private static void write(DataOutputStream out, TrainingState state) throws IOException {
    out.writeLong(state.step());
    for (float[][] all : List.of(state.values(), state.first(), state.second())) {
      out.writeInt(all.length);
      for (float[] one : all) {
        out.writeInt(one.length);
        ByteBuffer floats = ByteBuffer.allocate(4 * one.length);
        floats.asFloatBuffer().put(one);
        out.write(floats.array());
      }
    }
  }

  /**
   * Reads one.
   *
   * @param file its path, for messages
   * @throws TareException if it is none, of another version, or damaged
   */
  static TrainingCheckpoint decode(byte[] bytes, String file) {
    return CheckpointBytes.read(LETTERS, VERSION, bytes, file, TrainingCheckpoint::read);
  }

  private static TrainingCheckpoint read(CheckpointInput in) throws IOException {
    SortedMap<String, String> origin = new TreeMap<>();
    for (int left = in.count("settings", 4); left > 0; left--) {
      origin.put(in.text(), in.text());
    }
    Measured before = readMeasured(in);
    List<Point> curve = new ArrayList<>();
    for (int left = in.count("rounds", 17); left > 0; left--) {
      long step = in.whole("steps");
      double loss = in.rest().readDouble();
      boolean isMeasured = in.rest().readBoolean();
      curve.add(
          new Point(step, loss, isMeasured ? Optional.of(readMeasured(in)) : Optional.empty()));
    }
    long bestStep = in.whole("steps");
    if (bestStep > 0
        && curve.stream().noneMatch(p -> p.step() == bestStep && p.measured().isPresent())) {
      throw in.cannot("nothing was measured after its best step, " + bestStep);
    }
    TrainingState state = readState(in);
    Optional<TrainingState> best = bestStep > 0 ? Optional.of(readState(in)) : Optional.empty();
    return new TrainingCheckpoint(origin, before, curve, state, bestStep, best);
  }

  private static Measured readMeasured(CheckpointInput in) throws IOException {
    double sqnr = in.rest().readDouble();
    double top1 = in.rest().readDouble();
    return new Measured(
        sqnr, Double.isNaN(top1) ? OptionalDouble.empty() : OptionalDouble.of(top1));
  }

  private static TrainingState readState(CheckpointInput in) throws IOException {
    return new TrainingState(in.whole("steps"), readFloats(in), readFloats(in), readFloats(in));
  }

  private static float[][] readFloats(CheckpointInput in) throws IOException {
    float[][] all = new float[in.count("weights", Integer.BYTES)][];
    for (int i = 0; i < all.length; i++) {
      all[i] = in.floats("values");
    }
    return all;
  }

  /**
   * Checks that its states have the sizes of this training's.
   *
   * @param begin the state that this training begins with
   */
  void check(TrainingState begin, String file) {
    if (!state.isLike(begin) || best.stream().anyMatch(one -> !one.isLike(begin))) {
      throw CheckpointBytes.cannot(file, "its weights have other sizes than the model's");
    }
  }

  /**
   * Checks that it is of this training.
   *
   * @param own the origin of this training, or a part of it
   */
  void check(Map<String, String> own, String file) {
    for (Map.Entry<String, String> entry : own.entrySet()) {
      String found = origin.getOrDefault(entry.getKey(), "");
      if (!found.equals(entry.getValue())) {
        throw CheckpointBytes.cannot(file, difference(entry.getKey(), found, entry.getValue()));
      }
    }
  }

  private static String difference(String key, String found, String own) {
    String end = "; give another train.checkpoint, or remove it to begin anew";
    return switch (key) {
      case MODEL -> "it is of another model" + end;
      case ROWS -> "it was trained on other rows" + end;
      case GRIDS -> "it was trained with other scales or zero points" + end;
      default ->
          String.format(
              "%s is \"%s\", and was \"%s\"%s",
              key, PrintableText.of(own), PrintableText.of(found), end);
    };
  }

  /** A digest of a text, for the origin. */
  static String digest(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return HexFormat.of().formatHex(CheckpointBytes.sha256(bytes, bytes.length));
  }
}
