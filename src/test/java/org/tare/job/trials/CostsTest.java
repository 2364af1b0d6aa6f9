package org.tare.job.trials;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class CostsTest {
  private static final List<LayerType> TYPES =
      List.of(LayerType.of("w4a8"), LayerType.of("w8a8"), LayerType.of("w8a16"), LayerType.FLOAT);

  @Test
  void bytesAreThoseOfTheWeightsAndTheMorePreciseOfEqualOnesStands() {
    List<Layer> layers =
        List.of(new Layer("a", "a", "Conv", 9), new Layer("b", "b", "MatMul", 100));
    Costs costs = Costs.ofBytes(layers, TYPES);
    assertEquals(List.of(0, 2, 3), costs.ladder(0), "w8a16 is no larger than w8a8");
    assertEquals(5, costs.of(0, 0));
    assertEquals(9 + 400, costs.of(Assignment.all(layers, TYPES.get(1)).with(1, LayerType.FLOAT)));
  }

  @Test
  void aTypeThatIsNoFasterThanAMorePreciseOneIsLeftOut() {
    List<double[]> seconds =
        List.of(
            new double[] {5, 2, 9},
            new double[] {3, 1, 9},
            new double[] {4, 3, 9}, //
            new double[] {4, 4, 1});
    Costs costs = Costs.ofSeconds(seconds, TYPES);
    assertEquals(List.of(1, 3), costs.ladder(0), "w4a8 is slower, w8a16 is as slow as float");
    assertEquals(List.of(1, 2, 3), costs.ladder(1), "w4a8 is slower than w8a8");
    assertEquals(List.of(3), costs.ladder(2));
    assertEquals(
        3 + 2 + 1, costs.of(new Assignment(List.of(TYPES.get(1), TYPES.get(0), LayerType.FLOAT))));
  }
}
