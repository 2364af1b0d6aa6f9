package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.stats.Samples;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/** However states come together, as bytes, merged or carried over, the sum is that of all. */
class PartialStateTest {
  private static PartialState carried(PartialState state)
      throws IOException, ClassNotFoundException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(state);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      return (PartialState) in.readObject();
    }
  }

  private static byte[] sum(PartialState state) {
    return StatsCodec.encode(state.stats().stats());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 7})
  void holdsTheSumOfAllThatWasAdded(int states) throws Exception {
    Random random = new Random(states);
    TensorStats expected = TensorStats.empty();
    PartialState oneByOne = new PartialState();
    PartialState merged = new PartialState();
    for (int i = 0; i < states; i++) {
      TensorStats stats = TensorStats.of(Samples.wild(random, 50));
      byte[] encoded = StatsCodec.encode(stats);
      byte[] given = encoded.clone();
      expected.merge(stats);
      oneByOne = oneByOne.add(PartialState.of(given));
      merged = carried(PartialState.of(given)).add(merged);
      assertArrayEquals(encoded, given, "the bytes that were given are not changed");
      PartialState taken = PartialState.of(given);
      new PartialState().add(taken);
      assertEquals(0, taken.stats().stats().count(), "its bytes are held once");
    }
    byte[] sum = StatsCodec.encode(expected);
    assertArrayEquals(sum, sum(carried(oneByOne)));
    assertArrayEquals(sum, sum(oneByOne));
    assertArrayEquals(sum, sum(carried(new PartialState().add(merged))));
  }

  @Test
  void rowsAddUpInAnyOrderAndTheFirstReasonStays() throws Exception {
    String longest = "a".repeat(100_000);
    for (int seed = 0; seed < 20; seed++) {
      List<PartialState> all =
          new ArrayList<>(
              List.of(
                  PartialState.of(3, 0, ""),
                  PartialState.of(0, 2, longest),
                  PartialState.of(5, 1, "row 2 is null"),
                  new PartialState()));
      Collections.shuffle(all, new Random(seed));
      PartialState sum = new PartialState();
      for (PartialState one : all) {
        sum = carried(sum).add(carried(one));
      }
      assertEquals(8, sum.rows());
      assertEquals(3, sum.skipped());
      assertEquals(longest, sum.reason());
      assertEquals(0, sum.stats().stats().count());
    }
  }
}
