package org.tare.job;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.infer.ModelSession;
import org.tare.infer.TemporaryModel;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.spark.SessionSettings;
import org.tare.spark.rows.BatchRows;
import org.tare.spark.rows.BoundTable;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.TableNeeds;
import org.tare.spark.tasks.ObservedParts;
import org.tare.spark.tasks.ObservedParts.ChannelDetail;
import org.tare.spark.tasks.Probed;

/** Estimates memory from a model and, for the sizes that only data tell, a row of the table. */
final class MemoryEstimate {
  /** Of a tensor's stats: some 40 pages of 1 kB, one for each power of two that occurs. */
  private static final long STATS_BYTES = 40 << 10;

  /** The table of the pages, one for each sign and exponent. */
  private static final long PAGES_BYTES = 4 << 10;

  /** Extremes, counts and two exact sums of a channel. */
  private static final long CHANNEL_BYTES = 232;

  /** Of the loop that counts: four tables of 65,536 counters, one set a task. */
  private static final long LOOP_BYTES = 1 << 20;

  private final JobContext context;
  private final FloatModel model;

  MemoryEstimate(JobContext context, FloatModel model) {
    this.context = context;
    this.model = model;
  }

  /**
   * The estimate.
   *
   * @param observed all tensors that are observed
   * @param copies how many more tensors of the size of one of these are observed
   */
  MemoryNeed of(
      List<String> observed, Collection<String> copies, ObservedParts parts, DataSource data) {
    Measured measured = measured(observed, copies, parts, data);
    int batch = measured.batch();
    Map<String, Long> bytes = new LinkedHashMap<>();
    Set<String> all = new LinkedHashSet<>(model.original().graph().inputNames());
    all.addAll(observed);
    all.forEach(tensor -> bytes.put(tensor, ofType(model.types().get(tensor), batch)));
    bytes.putAll(measured.bytes());
    long tensors = 0;
    long largest = 0;
    for (long one : bytes.values()) {
      tensors += one;
      largest = Math.max(largest, one);
    }
    long counters = LOOP_BYTES;
    for (String tensor : observed) {
      counters += counters(tensor, parts);
    }
    for (String copy : copies) {
      tensors += bytes.getOrDefault(copy, 0L);
      counters += counters(copy, parts);
    }
    return new MemoryNeed(
        model.prepared().sizeBytes(),
        batch,
        MemoryNeed.tasks(context.spark().get().sparkContext()),
        observed.size() + copies.size(),
        tensors * 3 / 2 + 2 * largest,
        counters);
  }

  private long counters(String tensor, ObservedParts parts) {
    long one = STATS_BYTES + PAGES_BYTES;
    TensorType type = model.types().get(tensor);
    Integer axis = parts.axes().get(tensor);
    if (parts.channels() == ChannelDetail.NONE || axis == null || type == null) {
      return one;
    }
    long channels = Math.max(1, type.shape()[type.rank() + axis]);
    boolean hasHistograms = parts.channels() == ChannelDetail.HISTOGRAM;
    return one + channels * (CHANNEL_BYTES + (hasHistograms ? one : 0));
  }

  /** Sizes that are not known count as one, but for the first, which counts rows. */
  private static long ofType(TensorType type, int batch) {
    if (type == null) {
      return 0;
    }
    long values = 1;
    long[] shape = type.shape();
    for (int i = 0; i < shape.length; i++) {
      values *= shape[i] > 0 ? shape[i] : i == 0 ? batch : 1;
    }
    return values * Math.max(1, type.elementType().sizeBytes());
  }

  /**
   * What a row of the table shows.
   *
   * @param batch rows at once
   * @param bytes of a batch, of what the model takes and computes; empty if no row is good
   */
  private record Measured(int batch, Map<String, Long> bytes) {}

  private Measured measured(
      List<String> observed, Collection<String> copies, ObservedParts parts, DataSource data) {
    Map<String, TensorType> inputs = model.original().inputTypes(model.types());
    Map<String, Long> bytes = new LinkedHashMap<>();
    List<String> computed = observed.stream().filter(name -> !inputs.containsKey(name)).toList();
    try (SessionSettings settings = new SessionSettings(context.spark().get())) {
      BoundTable table =
          TableNeeds.of(
                  "calibrate",
                  model.name(),
                  inputs,
                  context.rows().inputs(),
                  context.rows().batch(),
                  context.rows().badRows())
              .bind(settings, data);
      Probed probed = probed(table, observed, computed, inputs.keySet());
      BatchRows batch = probed.batch(parts, copies, table.source().batch());
      int rows = table.source().isRowByRow() ? 1 : batch.size();
      int given = batch.isFixed() ? rows : 1;
      table.probe(
          given,
          one ->
              one.inputs(given)
                  .forEach(
                      (name, tensor) ->
                          bytes.put(name, (long) rows / given * tensor.direct().remaining())));
      probed.rowBytes().forEach((name, one) -> bytes.put(name, rows * one));
      return new Measured(rows, bytes);
    }
  }

  private Probed probed(
      BoundTable table, List<String> observed, List<String> computed, Set<String> inputs) {
    if (computed.isEmpty()) {
      return new Probed(Map.of(), Map.of(), 0);
    }
    OnnxModel exposed = model.prepared().withOutputs(computed);
    try (TemporaryModel temporary = TemporaryModel.of(exposed);
        ModelSession session = ModelSession.openBriefly(temporary.file(), model.name())) {
      return Probed.of(table, session, observed, inputs);
    }
  }
}
