package org.tare.spark.functions;

import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.stats.CalibrationState;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/** The two kinds of bytes that functions take: the state of one tensor, and a state file. */
final class StateBytes {
  private static final int MOST_NAMED = 10;

  private StateBytes() {}

  /**
   * The bytes, as those of one tensor's state.
   *
   * @throws TareException if they are a state file; other wrong bytes are found when they are
   *     decoded
   */
  static byte[] ofOneTensor(SqlFunction function, byte[] bytes) {
    if (CalibrationState.isFile(bytes)) {
      throw TareException.badInput(
          "%s cannot read these bytes: they are a state file, and it takes the state of one tensor;"
              + " use tare_state(content, tensor), or tare_describe_file(content)",
          function.sqlName());
    }
    return bytes;
  }

  /**
   * The state in the bytes of a file.
   *
   * @throws TareException if they are no state file, or damaged
   */
  static CalibrationState file(SqlFunction function, byte[] bytes) {
    return CalibrationState.decode(bytes, "given to " + function.sqlName());
  }

  /**
   * One tensor's state out of a file.
   *
   * @throws TareException if the file holds no such tensor
   */
  static byte[] tensor(SqlFunction function, byte[] bytes, String tensor) {
    CalibrationState state = file(function, bytes);
    TensorStats stats = state.tensors().get(tensor);
    if (stats == null) {
      throw TareException.badInput(
          "%s cannot find tensor \"%s\": the state file holds %d tensors: %s%s",
          function.sqlName(),
          tensor,
          state.tensors().size(),
          state.tensors().keySet().stream().limit(MOST_NAMED).collect(Collectors.joining(", ")),
          state.tensors().size() > MOST_NAMED ? ", …" : "");
    }
    return StatsCodec.encode(stats);
  }
}
