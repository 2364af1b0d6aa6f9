package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.stats.Samples;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/** However states come together, as bytes, merged or carried over, the sum is that of all. */
class StatsBufferTest {
  private static StatsBuffer carried(StatsBuffer buffer)
      throws IOException, ClassNotFoundException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(buffer);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      return (StatsBuffer) in.readObject();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 7})
  void holdsTheSumOfAllThatWasAdded(int states) throws Exception {
    StatsAggregator aggregator = new StatsAggregator();
    Random random = new Random(states);
    TensorStats expected = TensorStats.empty();
    StatsBuffer oneByOne = aggregator.zero();
    StatsBuffer merged = aggregator.zero();
    for (int i = 0; i < states; i++) {
      TensorStats stats = TensorStats.of(Samples.wild(random, 50));
      byte[] encoded = StatsCodec.encode(stats);
      byte[] given = encoded.clone();
      expected.merge(stats);
      aggregator.reduce(oneByOne, given);
      merged = aggregator.merge(merged, carried(aggregator.reduce(aggregator.zero(), given)));
      assertArrayEquals(encoded, given, "the bytes that were given are not changed");
    }
    byte[] sum = StatsCodec.encode(expected);
    assertArrayEquals(sum, aggregator.finish(carried(oneByOne)));
    assertArrayEquals(sum, aggregator.finish(oneByOne));
    assertArrayEquals(sum, aggregator.finish(carried(aggregator.merge(aggregator.zero(), merged))));
  }
}
