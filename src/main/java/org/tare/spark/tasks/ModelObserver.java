package org.tare.spark.tasks;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.TareException;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.spark.rows.BatchRows;
import org.tare.spark.rows.Batches;
import org.tare.spark.rows.SequenceMask;
import org.tare.stats.ChannelObserver;
import org.tare.stats.ChannelStats;
import org.tare.stats.Extremes;
import org.tare.stats.StatsObserver;
import org.tare.stats.TensorStats;

/**
 * Runs batches through a model and adds what its tensors hold to their stats. One for each task.
 */
final class ModelObserver {
  private final ModelSession session;
  private final Map<String, TensorLayout> layouts;
  private final ObservedParts parts;
  private final String mask;
  private final long place;
  private final Set<String> computed;
  private final Set<String> mixed = new LinkedHashSet<>();
  private final StatsObserver observer = new StatsObserver();
  private final ChannelObserver channelObserver = new ChannelObserver(observer);
  private final Map<String, Long> rowBytes = new HashMap<>();
  private Map<String, TensorStats> stats;

  /**
   * @param mask the input that says which places of sequences are filling, or a name of none
   * @param place of this task's rows in the order of all
   */
  ModelObserver(
      ModelSession session,
      Map<String, TensorLayout> layouts,
      ObservedParts parts,
      String mask,
      long place) {
    this.session = session;
    this.layouts = layouts;
    this.parts = parts;
    this.mask = mask;
    this.place = place;
    this.computed = new LinkedHashSet<>(layouts.keySet());
    computed.removeAll(session.inputs().keySet());
    for (String tensor : computed) {
      if (layouts.get(tensor) == TensorLayout.MIXED) {
        mixed.add(tensor);
      }
    }
    stats = emptyStats(layouts.keySet(), parts, place);
  }

  static Map<String, TensorStats> emptyStats(Set<String> tensors, ObservedParts parts, long place) {
    Map<String, TensorStats> all = new LinkedHashMap<>();
    tensors.forEach(tensor -> all.put(tensor, parts.emptyStats(tensor, place)));
    return all;
  }

  /** What was observed since the last call, by tensor. */
  Map<String, TensorStats> take() {
    Map<String, TensorStats> taken = stats;
    stats = emptyStats(layouts.keySet(), parts, place);
    return taken;
  }

  /** How many rows of a batch fit memory together; rows of one shape are cut alike. */
  int rowsAtOnce(Batches.Batch batch) {
    if (computed.isEmpty()) {
      return batch.size();
    }
    StringBuilder shapes = new StringBuilder();
    Map<String, InputTensor> one = batch.inputs(1);
    one.values().forEach(tensor -> shapes.append(Arrays.toString(tensor.shape())));
    try {
      long bytes = rowBytes.computeIfAbsent(shapes.toString(), k -> measured(one));
      return new BatchRows(batch.size(), false).within(bytes).size();
    } catch (TareException e) { // The model takes no single row, or not this one.
      return batch.size();
    }
  }

  /** What the tensors of one row hold that grow with rows. */
  private long measured(Map<String, InputTensor> one) {
    long[] bytes = {0};
    Set<String> growing = new LinkedHashSet<>(computed);
    growing.removeIf(tensor -> layouts.get(tensor) == TensorLayout.PER_BATCH);
    if (!growing.isEmpty()) {
      session.run(one, growing, (name, tensor) -> bytes[0] += Float.BYTES * tensor.size());
    }
    return bytes[0];
  }

  void observe(Batches.Batch batch, int rows) {
    SequenceMask held = batch.mask(mask, batch.size()).orElse(null);
    if (!computed.isEmpty()) {
      observeComputed(batch, rows, held);
    }
    // Last: nothing of a batch is observed that the model refuses.
    batch
        .inputs(rows)
        .forEach(
            (input, tensor) -> {
              if (layouts.containsKey(input)) {
                observe(input, FloatViews.of(tensor.direct()), tensor.shape(), rows, rows, held);
              }
            });
  }

  private void observeComputed(Batches.Batch batch, int rows, SequenceMask held) {
    boolean isFull = rows == batch.size();
    Set<String> first = new LinkedHashSet<>(computed);
    if (!isFull) {
      first.removeAll(mixed);
      if (!mixed.isEmpty()) {
        session.run(
            batch.inputs(rows),
            mixed,
            (name, tensor) -> add(name, FloatViews.of(tensor.floatBytes()), tensor.shape(), 1));
      }
    }
    if (!first.isEmpty()) {
      session.run(
          batch.inputs(batch.size()),
          first,
          (name, tensor) ->
              observe(
                  name,
                  FloatViews.of(tensor.floatBytes()),
                  tensor.shape(),
                  rows,
                  batch.size(),
                  held));
    }
  }

  /**
   * @param held null if all places are
   */
  private void observe(
      String name, FloatViews values, long[] shape, int rows, int size, SequenceMask held) {
    switch (layouts.get(name)) {
      case PER_BATCH -> {
        TensorStats once = TensorStats.empty();
        observer.observeBits(once, List.of(values.bits()));
        stats.get(name).mergeTimes(once, rows);
        addToAverage(stats.get(name), List.of(values));
      }
      case BATCH_MAJOR ->
          addRows(
              name, values.part(0, (int) ((long) values.size() * rows / size)), shape, rows, held);
      case MIXED -> add(name, values, shape, 1);
    }
  }

  /**
   * @param rows how many rows of the table the values are, one after the other
   */
  private void add(String name, FloatViews values, long[] shape, int rows) {
    addParts(name, List.of(values), shape, rows, parts.channelAxis(name, shape));
  }

  /**
   * Adds rows; of sequences, the places that hold something.
   *
   * @param values those of the rows alone
   */
  private void addRows(String name, FloatViews values, long[] shape, int rows, SequenceMask held) {
    if (held == null || !held.covers(shape)) {
      add(name, values, shape, rows);
      return;
    }
    int perPlace = values.size() / (rows * held.length());
    List<FloatViews> runs = new ArrayList<>();
    for (int row = 0; row < rows; row++) {
      held.each(row, (from, to) -> runs.add(values.part(from * perPlace, to * perPlace)));
    }
    // Where the places of the sequence stand in the channels' place there are no channels.
    Optional<Integer> axis = parts.channelAxis(name, shape).filter(given -> given > 1);
    addParts(name, runs, shape, 1, axis);
  }

  /**
   * @param values in parts of so many rows each
   */
  private void addParts(
      String name, List<FloatViews> values, long[] shape, int rows, Optional<Integer> axis) {
    TensorStats all = stats.get(name);
    addToAverage(all, values);
    observer.observeBits(all, values.stream().map(FloatViews::bits).toList());
    if (axis.isPresent()) {
      int inner = 1;
      for (int i = axis.get() + 1; i < shape.length; i++) {
        inner *= (int) shape[i];
      }
      int count = (int) shape[axis.get()];
      for (FloatViews part : values) {
        if (part.size() > 0) {
          addChannels(name, part.floats(), rows, count, inner);
        }
      }
    }
  }

  private void addChannels(String name, FloatBuffer values, int rows, int count, int inner) {
    TensorStats all = stats.get(name);
    ChannelStats channels = all.channels().orElse(null);
    if (channels == null) {
      channels = parts.channelStats(count);
      all.with(channels);
    }
    if (channels.channels() != count) {
      throw TareException.badInput(
          "Cannot observe the channels of tensor \"%s\": it had %d of them and now has %d; leave"
              + " channels out",
          name, channels.channels(), count);
    }
    if (values.remaining() % ((long) rows * count * inner) != 0) {
      throw TareException.badInput(
          "Cannot observe the channels of tensor \"%s\": its first axis does not count the rows of a"
              + " batch; leave channels out",
          name);
    }
    channelObserver.observe(channels, values, rows, inner);
  }

  private static void addToAverage(TensorStats all, List<FloatViews> values) {
    if (all.average().isPresent()) {
      Extremes extremes = Extremes.NONE;
      for (FloatViews part : values) {
        extremes = extremes.merge(Extremes.of(part.floats()));
      }
      addToAverage(all, extremes);
    }
  }

  private static void addToAverage(TensorStats all, Extremes extremes) {
    if (extremes.min() <= extremes.max()) {
      all.average().orElseThrow().observe(extremes.min(), extremes.max());
    }
  }
}
