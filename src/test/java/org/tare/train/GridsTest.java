package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.tare.quant.ChannelQParams;
import org.tare.quant.DType;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;
import org.tare.quant.WeightQuantizer;

/** Constants are rounded in training as they are in the written model. */
class GridsTest {
  @Test
  void roundsAsTheQuantizersDo() {
    Random random = new Random(8);
    long[] shape = {3, 5, 4};
    float[] values = new float[60];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    values[0] = -0f;
    values[1] = Float.MIN_VALUE;
    for (int bits = 2; bits <= 8; bits++) {
      for (int axis = 0; axis < 3; axis++) {
        ChannelQParams q =
            new WeightQuantizer(
                    QParamsRule.ONNXRUNTIME.spec(DType.INT8, true, false).ofBits(bits), true)
                .perChannel(values, shape, axis);
        Grids.Grid grid =
            new Grids.Grid(
                axis,
                q.scales(),
                new int[q.channels().size()],
                q.channels().get(0).quantMin(),
                q.channels().get(0).quantMax());
        boolean[] inside = new boolean[values.length];
        float[] rounded = grid.round(values, shape, inside);
        int[] integers = WeightQuantizer.quantize(values, shape, q);
        int inner = WeightQuantizer.inner(shape, axis);
        for (int i = 0; i < values.length; i++) {
          QParams channel = q.channels().get(i / inner % q.channels().size());
          String where = "value " + i + " of " + bits + " bits, axis " + axis;
          assertEquals(channel.dequantize(integers[i]), rounded[i], 0f, where);
          double free = Math.rint(values[i] / channel.scale());
          assertEquals(free >= channel.quantMin() && free <= channel.quantMax(), inside[i], where);
        }
      }
    }
  }
}
