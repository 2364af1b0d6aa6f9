package org.tare.spark.tasks;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.tare.infer.ModelSession.Pairs;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.beside.SplitModel;
import org.tare.onnx.beside.SwitchedModel;
import org.tare.spark.tasks.TrialsJob.Group;
import org.tare.spark.tasks.TrialsJob.Piece;

/** The models of groups of forms on their way to the executors, each in two if it has a start. */
final class ShippedGroups implements AutoCloseable {
  private final List<Shipped> groups = new ArrayList<>();

  /**
   * @param goesOn whether the start reads what that of the group before it carried
   * @param start null if there is none
   */
  private record Shipped(
      Group group, SplitModel split, boolean goesOn, ShippedModel start, ShippedModel rest) {
    Piece piece(int from, int to) {
      ArrayList<long[]> choices = new ArrayList<>();
      for (int i = from; i < to; i++) {
        choices.add(group.switched().choices(i));
      }
      ArrayList<String> carried = new ArrayList<>(split.carried());
      return new Piece(start, carried, rest, group.switched().input(), choices);
    }
  }

  private ShippedGroups() {}

  static ShippedGroups ship(SparkSession spark, TrialsJob.Request request) {
    ShippedGroups shipped = new ShippedGroups();
    try {
      for (Group group : request.groups()) {
        shipped.add(spark, request, group);
      }
      return shipped;
    } catch (RuntimeException | Error e) {
      shipped.close();
      throw e;
    }
  }

  private void add(SparkSession spark, TrialsJob.Request request, Group group) {
    String label = "forms of " + request.label();
    SwitchedModel switched = group.switched();
    SplitModel split = SplitModel.of(switched.model(), switched.input(), request.types());
    Optional<OnnxModel> after =
        groups.isEmpty()
            ? Optional.empty()
            : split.after(groups.get(groups.size() - 1).split(), request.types());
    OnnxModel first = after.or(split::start).orElse(null);
    ShippedModel start = first == null ? null : ShippedModel.ship(spark, first, label, Pairs.APART);
    try {
      ShippedModel rest = ShippedModel.ship(spark, split.rest(), label, Pairs.APART);
      groups.add(new Shipped(group, split, after.isPresent(), start, rest));
    } catch (RuntimeException | Error e) {
      if (start != null) {
        start.close();
      }
      throw e;
    }
  }

  /**
   * The forms of the given numbers, over all groups. Where the first start goes on from others,
   * these come before without forms: whichever task runs a form, it is computed the same way.
   */
  List<Piece> pieces(int from, int to) {
    List<Piece> pieces = new ArrayList<>();
    int first = 0;
    for (Shipped one : groups) {
      int forms = one.group().forms();
      if (first < to) {
        if (first <= from && !one.goesOn()) {
          pieces.clear();
        }
        int begin = Math.min(forms, Math.max(0, from - first));
        pieces.add(one.piece(begin, Math.min(forms, to - first)));
      }
      first += forms;
    }
    return pieces;
  }

  long sizeBytes() {
    return groups.stream()
        .mapToLong(
            one -> one.rest().sizeBytes() + (one.start() == null ? 0 : one.start().sizeBytes()))
        .sum();
  }

  @Override
  public void close() {
    for (Shipped one : groups) {
      if (one.start() != null) {
        one.start().close();
      }
      one.rest().close();
    }
  }
}
