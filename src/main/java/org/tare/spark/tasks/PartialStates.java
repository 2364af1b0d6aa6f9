package org.tare.spark.tasks;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.serializer.JavaSerializer;
import org.tare.spark.rows.RowSource;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;
import org.tare.stats.bytes.ByteReader;
import org.tare.stats.bytes.ByteWriter;
import scala.Tuple2;

/**
 * What tasks hand over: for each slice and tensor its stats, and for each slice, with an empty
 * tensor's name, how many rows there were. Spark adds them up by slice and tensor; results of tasks
 * count exactly once under retries and speculation.
 *
 * <p>By the RDD's {@code combineByKey} and not by an SQL aggregate: for that, Spark would plan a
 * query and turn rows into its own form and back, for states that are bytes before and after.
 */
final class PartialStates {
  /** A reducer gets about so many states; more reducers are made than there are slots for that. */
  private static final long STATES_PER_REDUCER = 50_000;

  private PartialStates() {}

  /** What one task hands over of one slice. */
  static Iterator<Tuple2<Tuple2<String, String>, PartialState>> of(
      String slice, Map<String, TensorStats> tensors, RowSource.Tally tally) {
    List<Tuple2<Tuple2<String, String>, PartialState>> states = new ArrayList<>(tensors.size() + 1);
    tensors.forEach(
        (tensor, stats) ->
            states.add(state(slice, tensor, PartialState.of(StatsCodec.encode(stats)))));
    PartialState rows = PartialState.of(tally.rows(), tally.skipped(), tally.reason());
    states.add(state(slice, "", rows));
    return states.iterator();
  }

  static Tuple2<Tuple2<String, String>, PartialState> state(
      String slice, String tensor, PartialState state) {
    return new Tuple2<>(new Tuple2<>(slice, tensor), state);
  }

  /**
   * The states of all tasks.
   *
   * @param slices stats by slice and tensor; the slice of the whole table has an empty name
   * @param rows how many were observed, by slice
   * @param skipped rows that could not be decoded
   * @param reason one of their reasons, the first in order
   */
  record Merged(
      SortedMap<String, SortedMap<String, TensorStats>> slices,
      SortedMap<String, Long> rows,
      long skipped,
      String reason) {
    long allRows() {
      return rows.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  /**
   * Runs the job and merges.
   *
   * @param tensors how many there are, about
   */
  static Merged merge(JavaPairRDD<Tuple2<String, String>, PartialState> partials, int tensors) {
    List<byte[]> merged =
        partials
            .combineByKey(
                state -> state,
                PartialState::add,
                PartialState::add,
                new HashPartitioner(reducers(partials, tensors + 1L)),
                false, // a task hands over one state of a tensor
                // Whatever serializer the session has: it need not know these classes.
                new JavaSerializer(partials.context().getConf()))
            .map(group -> encode(group._1()._1(), group._1()._2(), group._2()))
            .collect();
    SortedMap<String, SortedMap<String, TensorStats>> slices = new TreeMap<>();
    SortedMap<String, Long> rows = new TreeMap<>();
    long skipped = 0;
    String reason = "";
    for (byte[] group : merged) {
      ByteReader in = new ByteReader(group, 0, group.length, "of a reducer");
      String slice = in.string();
      String tensor = in.string();
      if (tensor.isEmpty()) {
        rows.put(slice, in.varint());
        skipped += in.varint();
        reason = PartialState.first(reason, in.string());
      } else {
        slices
            .computeIfAbsent(slice, name -> new TreeMap<>())
            .put(tensor, StatsCodec.decode(in.block("bytes of a state")));
      }
    }
    return new Merged(slices, rows, skipped, reason);
  }

  private static int reducers(JavaPairRDD<?, ?> partials, long groups) {
    long states = groups * partials.getNumPartitions();
    long wanted = Math.max(partials.context().defaultParallelism(), states / STATES_PER_REDUCER);
    return (int) Math.max(1, Math.min(groups, wanted));
  }

  private static byte[] encode(String slice, String tensor, PartialState state) {
    ByteWriter out = new ByteWriter();
    out.string(slice);
    out.string(tensor);
    if (tensor.isEmpty()) {
      out.varint(state.rows());
      out.varint(state.skipped());
      out.string(state.reason());
    } else {
      out.block(StatsCodec.encode(state.stats().stats()));
    }
    return out.toByteArray();
  }
}
