package org.tare.job;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.job.TrainingRun.Measured;
import org.tare.job.TrainingRun.Point;
import org.tare.train.TrainingState;

class TrainingCheckpointTest {
  private static final Measured BEFORE = new Measured(12.5, OptionalDouble.empty());
  private static final Measured AFTER = new Measured(20, OptionalDouble.of(0.75));

  private static TrainingState state(long step, int values) {
    float[][] all = {new float[values], {-0f, Float.MIN_VALUE, Float.MAX_VALUE}};
    return new TrainingState(step, all, all, all);
  }

  private static TrainingCheckpoint checkpoint(long bestStep) {
    List<Point> curve =
        List.of(
            new Point(4, 0.5, Optional.empty()),
            new Point(8, 0.25, Optional.of(AFTER)),
            new Point(12, 0.125, Optional.of(BEFORE)));
    return new TrainingCheckpoint(
        new TreeMap<>(Map.of("model", "m", "train.seed", "3")),
        BEFORE,
        curve,
        state(12, 2),
        bestStep,
        bestStep > 0 ? Optional.of(state(bestStep, 2)) : Optional.empty());
  }

  @Test
  void whatWasWrittenIsRead() {
    for (long bestStep : new long[] {0, 8}) {
      TrainingCheckpoint written = checkpoint(bestStep);
      TrainingCheckpoint read = TrainingCheckpoint.decode(written.encode(), "file");
      assertEquals(written.origin(), read.origin());
      assertEquals(written.curve(), read.curve());
      assertEquals(bestStep == 0 ? BEFORE : AFTER, read.measured());
      assertArrayEquals(written.state().values(), read.state().values());
      assertArrayEquals(written.encode(), read.encode());
    }
  }

  @Test
  void forgedOnesAreRefusedOrRead() {
    byte[] good = checkpoint(8).encode();
    ForgedCheckpoints.assertEachCutIsRefused(good, TrainingCheckpoint::decode, "TTRN");
    ForgedCheckpoints.assertChangesAreReadOrRefused(good, TrainingCheckpoint::decode, "TTRN");
  }

  /** The first version had no place for what normalizations are trained with. */
  @Test
  void anOlderVersionIsRefusedByItsNumber() {
    byte[] good = checkpoint(8).encode();
    byte[] content = Arrays.copyOfRange(good, 8, good.length - 32);
    assertEquals(
        "Cannot go on from the checkpoint net.checkpoint: it is of version 1, this Tare reads"
            + " version 2",
        ForgedCheckpoints.refusal(
            CheckpointBytes.around("TTRN", 1, content), TrainingCheckpoint::decode));
  }

  @Test
  void theBestStepMustHaveBeenMeasured() {
    for (long step : new long[] {4, 5}) {
      assertEquals(
          "Cannot go on from the checkpoint net.checkpoint: nothing was measured after its best"
              + " step, "
              + step,
          ForgedCheckpoints.refusal(checkpoint(step).encode(), TrainingCheckpoint::decode));
    }
  }

  @Test
  void weightsMustHaveTheSizesOfTheModel() {
    TrainingCheckpoint read = TrainingCheckpoint.decode(checkpoint(8).encode(), "file");
    read.check(state(0, 2), "file");
    TareException e =
        assertThrows(TareException.class, () -> read.check(state(0, 3), "net.checkpoint"));
    assertEquals(
        "Cannot go on from the checkpoint net.checkpoint: its weights have other sizes than the"
            + " model's",
        e.getMessage());
  }
}
