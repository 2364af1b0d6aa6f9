package org.tare.drift;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.tare.TareException;
import org.tare.quant.QParams;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/** Compares two states, tensor by tensor. */
public final class Drift {
  private static final Comparator<TensorDrift> GRAVEST_FIRST =
      Comparator.comparing(TensorDrift::verdict)
          .thenComparingDouble(TensorDrift::effect)
          .reversed()
          .thenComparing(TensorDrift::name);

  private Drift() {}

  /**
   * How far the current state is from the reference.
   *
   * <p>States that share no row are meant: of states with common rows the distances are smaller.
   *
   * @param deployed the qparams that the deployed model has, by tensor; those of other tensors are
   *     ignored, and it may be empty
   * @throws TareException if the states are of different models, either has no rows, or they hold
   *     no tensor in common
   */
  public static DriftReport between(
      CalibrationState reference,
      CalibrationState current,
      Map<String, QParams> deployed,
      DriftThresholds thresholds) {
    if (!reference.modelDigest().equals(current.modelDigest())) {
      throw TareException.badInput(
          "Cannot compare calibration states of different models: %s and %s",
          named(reference.modelDigest()), named(current.modelDigest()));
    }
    requireValues("reference", reference);
    requireValues("current", current);
    List<TensorDrift> tensors = new ArrayList<>();
    for (Map.Entry<String, TensorStats> entry : reference.tensors().entrySet()) {
      String name = entry.getKey();
      TensorStats now = current.tensors().get(name);
      if (now != null) {
        TensorComparison comparison =
            new TensorComparison(reference.rows(), current.rows(), thresholds);
        tensors.add(comparison.compare(name, entry.getValue(), now, deployed.get(name)));
      }
    }
    if (tensors.isEmpty()) {
      throw TareException.badInput(
          "Cannot compare calibration states: they have no tensor in common; the reference holds %s,"
              + " the current state %s",
          first(reference), first(current));
    }
    tensors.sort(GRAVEST_FIRST);
    return new DriftReport(
        reference.rows(),
        current.rows(),
        tensors.get(0).verdict(),
        tensors,
        without(reference, current),
        without(current, reference));
  }

  private static void requireValues(String which, CalibrationState state) {
    if (state.tensors().values().stream().allMatch(stats -> stats.count() == 0)) {
      throw TareException.badInput(
          "Cannot compare calibration states: the %s state holds no values (%d rows, %d tensors)",
          which, state.rows(), state.tensors().size());
    }
  }

  private static List<String> without(CalibrationState state, CalibrationState other) {
    return state.tensors().keySet().stream()
        .filter(name -> !other.tensors().containsKey(name))
        .toList();
  }

  private static String first(CalibrationState state) {
    int more = state.tensors().size() - 1;
    return "\"" + state.tensors().firstKey() + "\"" + (more > 0 ? " and " + more + " more" : "");
  }

  private static String named(String digest) {
    return digest.isEmpty() ? "none (columns of a table)" : digest;
  }
}
