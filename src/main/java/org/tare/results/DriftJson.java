package org.tare.results;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.tare.drift.DeployedRange;
import org.tare.drift.Distances;
import org.tare.drift.DriftReport;
import org.tare.drift.TensorDrift;
import org.tare.quant.QParams;
import org.tare.range.ExpectedFidelity;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/** The JSON form of drift. A figure that is not finite is null. */
public final class DriftJson {
  private DriftJson() {}

  /** Adds how far two states are apart: the verdict, and the figures of each tensor. */
  public static void add(
      ObjectNode result, CalibrationState reference, CalibrationState current, DriftReport report) {
    ObjectNode node = result.putObject("drift");
    node.put("verdict", report.verdict().id());
    node.put("effect", report.effect());
    addState(node.putObject("reference"), reference);
    addState(node.putObject("current"), current);
    addNames(node.putArray("only_in_reference"), report.onlyInReference());
    addNames(node.putArray("only_in_current"), report.onlyInCurrent());
    ArrayNode tensors = node.putArray("tensors");
    report.tensors().forEach(tensor -> addTensor(tensors.addObject(), tensor));
  }

  private static void addState(ObjectNode node, CalibrationState state) {
    node.put("rows", state.rows());
    node.put("slice", state.slice());
    node.put("state_sha256", state.digest());
  }

  private static void addNames(ArrayNode array, List<String> names) {
    names.forEach(array::add);
  }

  private static void addTensor(ObjectNode node, TensorDrift tensor) {
    node.put("tensor", tensor.name());
    node.put("verdict", tensor.verdict().id());
    addNames(node.putArray("reasons"), tensor.reasons());
    node.put("effect", tensor.effect());
    node.put("noise", tensor.noise());
    tensor.distances().ifPresent(distances -> addDistances(node, distances));
    tensor
        .channel()
        .ifPresent(
            channel ->
                node.putObject("channel")
                    .put("channel", channel.channel())
                    .put("mean_shift", channel.shift())
                    .put("effect", channel.effect()));
    addStats(node.putObject("reference"), tensor.reference());
    addStats(node.putObject("current"), tensor.current());
    tensor.deployed().ifPresent(range -> addDeployed(node.putObject("deployed"), range));
  }

  private static void addDistances(ObjectNode node, Distances distances) {
    node.put("psi", distances.psi());
    node.put("jensen_shannon", distances.jensenShannon());
    node.put("hellinger", distances.hellinger());
    node.put("kolmogorov_smirnov", distances.kolmogorovSmirnov());
    put(node, "wasserstein", distances.wasserstein());
    put(node, "wasserstein_std", distances.scaledWasserstein());
    put(node, "reference_std", distances.std());
  }

  private static void addStats(ObjectNode node, TensorStats stats) {
    node.put("values", stats.count());
    put(node, "min", stats.min());
    put(node, "max", stats.max());
    node.put("nan", stats.nans());
    node.put("infinite", stats.positiveInfinities() + stats.negativeInfinities());
    node.put("non_finite_share", TensorDrift.nonFiniteShare(stats));
  }

  private static void addDeployed(ObjectNode node, DeployedRange range) {
    QParams qparams = range.qparams();
    node.put("dtype", qparams.dtype().id());
    node.put("scale", qparams.scale());
    node.put("zero_point", qparams.zeroPoint());
    addFidelity(node.putObject("reference"), range.reference());
    addFidelity(node.putObject("current"), range.current());
    put(node, "sqnr_loss_db", range.sqnrLoss());
  }

  private static void addFidelity(ObjectNode node, ExpectedFidelity expected) {
    node.put("clipped_share", expected.clipped());
    put(node, "expected_sqnr_db", expected.sqnr());
  }

  private static void put(ObjectNode node, String key, double value) {
    if (Double.isFinite(value)) {
      node.put(key, value);
    } else {
      node.putNull(key);
    }
  }
}
