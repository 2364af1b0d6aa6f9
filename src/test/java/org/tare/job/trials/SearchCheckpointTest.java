package org.tare.job.trials;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.tare.job.ForgedCheckpoints;
import org.tare.spark.tasks.OutputMetrics;

class SearchCheckpointTest {
  private static SearchCheckpoint checkpoint() {
    Map<Assignment, Figures> forms = new LinkedHashMap<>();
    LayerType few = LayerType.of("w4a8");
    forms.put(
        new Assignment(List.of(few, LayerType.of("float"))),
        new Figures(Map.of("y", new OutputMetrics()), OptionalDouble.of(0.5)));
    forms.put(
        new Assignment(List.of(few, few)),
        new Figures(Map.of("y", new OutputMetrics()), OptionalDouble.empty()));
    return new SearchCheckpoint("of this search", 40, forms);
  }

  @Test
  void whatWasWrittenIsRead() {
    SearchCheckpoint read = SearchCheckpoint.decode(checkpoint().encode(), "file");
    assertEquals("of this search", read.search());
    assertEquals(40, read.rows());
    assertEquals(checkpoint().forms().keySet(), read.forms().keySet());
    assertArrayEquals(checkpoint().encode(), read.encode());
  }

  @Test
  void forgedOnesAreRefusedOrRead() {
    byte[] good = checkpoint().encode();
    ForgedCheckpoints.assertEachCutIsRefused(good, SearchCheckpoint::decode, "TTRI");
    ForgedCheckpoints.assertChangesAreReadOrRefused(good, SearchCheckpoint::decode, "TTRI");
  }
}
