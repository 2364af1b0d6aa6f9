package org.tare.spark.tasks;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.HashPartitioner;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.rdd.RDD;
import org.apache.spark.rdd.ShuffledRDD;
import org.apache.spark.serializer.JavaSerializer;
import org.apache.spark.serializer.Serializer;
import org.apache.spark.util.collection.ExternalAppendOnlyMap;
import org.tare.spark.rows.RowSource;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;
import org.tare.stats.bytes.ByteReader;
import org.tare.stats.bytes.ByteWriter;
import scala.Tuple2;
import scala.jdk.javaapi.CollectionConverters;

/**
 * What tasks hand over: for each slice and tensor its stats, and for each slice, with an empty
 * tensor's name, how many rows there were. Spark adds them up by slice and tensor; results of tasks
 * count exactly once under retries and speculation.
 *
 * <p>By a shuffle of an RDD and not by an SQL aggregate: for that, Spark would plan a query and
 * turn rows into its own form and back, for states that are bytes before and after.
 */
final class PartialStates {
  /** A reducer gets about so many states; more reducers are made than there are slots for that. */
  private static final long STATES_PER_REDUCER = 50_000;

  private static final long MOST_REDUCERS = 2000;

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
   * @param groups tensors times slices, about
   */
  static Merged merge(JavaPairRDD<Tuple2<String, String>, PartialState> partials, long groups) {
    // Whatever serializer the session has: it need not know these classes. Java's holds on to what
    // it wrote or read, until it is reset.
    Serializer serializer =
        new JavaSerializer(
            partials.context().getConf().set("spark.serializer.objectStreamReset", "10"));
    HashPartitioner reducers = new HashPartitioner(reducers(partials, groups));
    RDD<Tuple2<Tuple2<String, String>, PartialState>> shuffled =
        new ShuffledRDD<Tuple2<String, String>, PartialState, PartialState>(
                partials.rdd(),
                reducers,
                partials.kClassTag(),
                partials.vClassTag(),
                partials.vClassTag())
            .setSerializer(serializer);
    List<byte[]> merged =
        shuffled.toJavaRDD().mapPartitions(states -> sums(states, serializer)).collect();
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
    long slots = partials.context().defaultParallelism();
    long wanted = Math.max(slots, groups * partials.getNumPartitions() / STATES_PER_REDUCER);
    return (int) Math.max(1, Math.min(Math.min(groups, wanted), MOST_REDUCERS));
  }

  /** What one reducer gets, added up. It goes to disk where memory is short. */
  private static Iterator<byte[]> sums(
      Iterator<Tuple2<Tuple2<String, String>, PartialState>> states, Serializer serializer) {
    ExternalAppendOnlyMap<Tuple2<String, String>, PartialState, PartialState> sums =
        new ExternalAppendOnlyMap<>(
            state -> state,
            PartialState::add,
            PartialState::add,
            serializer,
            SparkEnv.get().blockManager());
    while (states.hasNext()) {
      Tuple2<Tuple2<String, String>, PartialState> state = states.next();
      sums.insert(state._1(), state._2());
    }
    return CollectionConverters.asJava(
        sums.iterator().map(sum -> encode(sum._1()._1(), sum._1()._2(), sum._2())));
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
