package org.tare.spark.tasks;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.tare.TareException;

class OutputRowsTest {
  private static long[] shape(long... sizes) {
    return sizes;
  }

  @Test
  void theAxisThatGrowsHasTheRows() {
    assertEquals(0, OutputAxes.axis(shape(1, 10), shape(4, 10), 4));
    assertEquals(1, OutputAxes.axis(shape(2, 1, 16), shape(2, 2, 16), 2), "two rows, two layers");
    assertEquals(2, OutputAxes.axis(shape(3, 3, 1), shape(3, 3, 3), 3));
    assertEquals(1, OutputAxes.axis(shape(1, 16, 8), shape(1, 64, 8), 4), "16 places for each row");
    assertEquals(OutputAxes.NONE, OutputAxes.axis(shape(5, 7), shape(61, 7), 4), "detections");
    assertEquals(OutputAxes.NONE, OutputAxes.axis(shape(), shape(), 4));
    assertEquals(OutputAxes.NONE, OutputAxes.axis(shape(3), shape(3), 3), "one for all rows");
    assertEquals(0, OutputAxes.axis(shape(1, 5), shape(4, 9), 4), "rows first, then what is found");
  }

  @Test
  void fixedBatchesShowItByTheirSize() {
    assertEquals(0, OutputAxes.axis(shape(4, 4), 4));
    assertEquals(1, OutputAxes.axis(shape(2, 4, 16), 4));
    assertEquals(OutputAxes.NONE, OutputAxes.axis(shape(2, 4, 4), 4));
    assertEquals(OutputAxes.NONE, OutputAxes.axis(shape(), 4));
  }

  @Test
  void oneRowIsAskedOnceForEqualShapes() {
    OutputAxes axes = new OutputAxes();
    Map<String, long[]> shapes = new LinkedHashMap<>(Map.of("h", shape(2, 8, 16)));
    List<String> asked = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      Map<String, Integer> found =
          axes.of(
              8,
              shapes,
              () -> {
                asked.add("once");
                return Map.of("h", shape(2, 1, 16));
              });
      assertEquals(Map.of("h", 1), found);
    }
    assertEquals(List.of("once"), asked);
    Map<String, Integer> refused =
        axes.of(
            2,
            shapes,
            () -> {
              throw TareException.badInput("takes no single row");
            });
    assertEquals(Map.of("h", 0), refused);
  }

  /** As the layers of a transformer, compared some at a time. */
  @Test
  void outputsOfOtherNamesAndEqualShapesAreAskedForThemselves() {
    OutputAxes axes = new OutputAxes();
    Map<String, long[]> first = Map.of("layer.0", shape(8, 4, 16));
    Map<String, long[]> second = Map.of("layer.1", shape(8, 4, 16));
    assertEquals(Map.of("layer.0", 0), axes.of(8, first, () -> Map.of("layer.0", shape(1, 4, 16))));
    assertEquals(
        Map.of("layer.1", 0), axes.of(8, second, () -> Map.of("layer.1", shape(1, 4, 16))));
  }

  private static List<Integer> places(OutputRows rows, int row) {
    List<Integer> places = new ArrayList<>();
    rows.each(row, places::add);
    return places;
  }

  @Test
  void rowsAreStretchesAroundTheirAxis() {
    OutputRows first = OutputRows.of(shape(4, 10), 40, 0, 4);
    assertEquals(10, first.length());
    assertEquals(List.of(30), places(first, 3));
    OutputRows second = OutputRows.of(shape(2, 4, 16), 128, 1, 4);
    assertEquals(16, second.length());
    assertEquals(List.of(48, 112), places(second, 3));
    OutputRows last = OutputRows.of(shape(3, 2), 6, 1, 2);
    assertEquals(List.of(1, 3, 5), places(last, 1));
    OutputRows whole = OutputRows.of(shape(3, 7), 21, OutputAxes.NONE, 4);
    assertEquals(1, whole.rows());
    assertEquals(21, whole.length());
    assertEquals(List.of(), places(OutputRows.of(shape(0, 4), 0, 1, 4), 3), "no values");
  }
}
