package org.tare.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.tare.TareException;

/** What a fake quantization refuses; its figures are held by the recorded results. */
class FakeQuantizeModuleTest {
  private static FakeQuantizeModule perChannel(int axis) {
    return new FakeQuantizeModule(
        new FakeQuantizeConfig(
            FakeQuantizeConfig.Kind.FAKE_QUANTIZE,
            ObserverConfig.of(ObserverKind.PER_CHANNEL).withAxis(axis)));
  }

  @Test
  void axesCountFromZero() {
    TareException e = assertThrows(TareException.class, () -> perChannel(-1));
    assertEquals("ch_axis -1 cannot be used: fake quantization counts axes from 0", e.getMessage());
  }

  @Test
  void otherChannelsThanBeforeAreRefused() {
    FakeQuantizeModule module = perChannel(1);
    module.forward(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    module.setObserving(false);
    for (long[] shape : new long[][] {{3, 2}, {6}}) {
      TareException e =
          assertThrows(
              TareException.class, () -> module.forward(new float[] {1, 2, 3, 4, 5, 6}, shape));
      assertEquals(TareException.Kind.BAD_INPUT, e.kind());
      assertEquals(
          "Cannot fake-quantize a tensor of shape "
              + Arrays.toString(shape)
              + ": there are qparams of 3 channels along axis 1",
          e.getMessage());
    }
    float[] same = {0, 0, 0};
    assertArrayEquals(same, module.forward(same, 1, 3).y());
  }
}
