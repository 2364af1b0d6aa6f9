package org.tare.spark.rows;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.tare.TareException;
import org.tare.onnx.TensorType;

/**
 * Which axis of each input counts the rows of a batch. Most models have the first one everywhere;
 * states of recurrent models have another, and scalars have none.
 *
 * <p>Equal names are equal sizes. The rows are what has a name with "batch" in it, or else the name
 * that begins all inputs, or else one that begins an input and that the others share. An input that
 * has no size of this name is taken by its first axis if that is free. If it is fixed while the
 * rows of other inputs are free, nothing shows what it counts, and the caller has to say it.
 *
 * @param axes of each input; {@link InputSpec#NO_AXIS} where all rows of a batch share it
 * @param size rows of each batch if the model fixes them
 */
record BatchAxes(Map<String, Integer> axes, OptionalInt size) {
  private static final int NONE = InputSpec.NO_AXIS;

  /**
   * Finds the axes.
   *
   * @param where how messages begin
   * @throws TareException if an input does not show its axis, or the settings contradict the model
   */
  static BatchAxes of(String where, Map<String, TensorType> inputs, Map<String, InputSpec> specs) {
    Map<String, Integer> axes = new LinkedHashMap<>();
    Map<String, TensorType> open = new LinkedHashMap<>();
    inputs.forEach(
        (name, type) -> {
          OptionalInt given = specs.getOrDefault(name, InputSpec.derived()).axis();
          if (given.isPresent() && given.getAsInt() >= type.rank()) {
            throw TareException.usage(
                "inputs.%s.axis cannot be %d: the input is %s, %s",
                name,
                given.getAsInt(),
                type,
                type.rank() == 0
                    ? "which all rows share: none"
                    : "whose axes are 0 to " + (type.rank() - 1) + ", or none");
          }
          axes.put(name, given.orElse(NONE));
          if (given.isEmpty() && type.rank() > 0) {
            open.put(name, type);
          }
        });
    Set<Long> starts = new LinkedHashSet<>();
    open.values().forEach(type -> starts.add(type.shape()[0]));
    boolean isSaid = axes.values().stream().anyMatch(axis -> axis != NONE);
    Optional<String> rows = rowsName(inputs, axes, open);
    boolean isFixed = rows.isEmpty() && starts.stream().allMatch(start -> start >= 0);
    if (isFixed && !isSaid && starts.size() > 1) {
      // No size is common to all: each run of the model is one row.
      return rowByRow(inputs);
    }
    open.forEach((name, type) -> axes.put(name, axis(where, name, type, open, rows, isFixed)));
    return new BatchAxes(axes, size(where, inputs, axes));
  }

  /** One row in each run, which is all of each input: what a model without a batch axis takes. */
  static BatchAxes rowByRow(Map<String, TensorType> inputs) {
    Map<String, Integer> axes = new LinkedHashMap<>();
    inputs.keySet().forEach(name -> axes.put(name, NONE));
    return new BatchAxes(axes, OptionalInt.of(1));
  }

  int axis(String input) {
    return axes.get(input);
  }

  /** Whether no input has an axis for rows. */
  boolean isRowByRow() {
    return axes.values().stream().allMatch(axis -> axis == NONE);
  }

  /** Whether a size has a name that says that it counts rows. */
  static boolean isBatch(String name) {
    return name.toLowerCase(Locale.ROOT).contains("batch");
  }

  private static Optional<String> rowsName(
      Map<String, TensorType> inputs, Map<String, Integer> given, Map<String, TensorType> open) {
    Set<String> said = new LinkedHashSet<>();
    given.forEach(
        (name, axis) -> {
          if (axis != NONE && !inputs.get(name).names().get(axis).isEmpty()) {
            said.add(inputs.get(name).names().get(axis));
          }
        });
    if (said.size() == 1) {
      return said.stream().findFirst();
    }
    Set<String> all = new LinkedHashSet<>();
    Set<String> first = new LinkedHashSet<>();
    Set<String> common = null;
    for (TensorType type : open.values()) {
      Set<String> names = new LinkedHashSet<>(type.names());
      names.remove("");
      all.addAll(names);
      first.add(type.names().get(0));
      if (common == null) {
        common = names;
      } else {
        common.retainAll(names);
      }
    }
    List<String> batches = all.stream().filter(BatchAxes::isBatch).toList();
    if (batches.size() == 1) {
      return Optional.of(batches.get(0));
    }
    if (first.size() == 1) {
      return first.stream().filter(name -> !name.isEmpty()).findFirst();
    }
    if (common != null && common.size() == 1 && first.containsAll(common)) {
      return common.stream().findFirst();
    }
    return sharedByStates(open, first);
  }

  /** The name that begins an input and stands further back in all those that begin otherwise. */
  private static Optional<String> sharedByStates(Map<String, TensorType> open, Set<String> first) {
    List<TensorType> states = open.values().stream().filter(type -> type.shape()[0] > 1).toList();
    List<String> shared =
        first.stream()
            .filter(name -> !name.isEmpty())
            .filter(name -> states.stream().allMatch(type -> type.names().contains(name)))
            .toList();
    return !states.isEmpty() && shared.size() == 1 ? Optional.of(shared.get(0)) : Optional.empty();
  }

  private static int axis(
      String where,
      String name,
      TensorType type,
      Map<String, TensorType> open,
      Optional<String> rows,
      boolean isFixed) {
    if (rows.isPresent() && type.names().contains(rows.get())) {
      return type.names().indexOf(rows.get());
    }
    long first = type.shape()[0];
    boolean isOther =
        rows.isPresent()
            && !type.names().get(0).isEmpty()
            && open.entrySet().stream()
                .filter(other -> !other.getKey().equals(name))
                .anyMatch(other -> other.getValue().names().contains(type.names().get(0)));
    if (isFixed || first == 1 || (first < 0 && !isOther)) {
      return 0;
    }
    throw TareException.badInput(
        "%s: which axis of input \"%s\", %s, counts the rows does not show: %s; set inputs.%s.axis to"
            + " it, counted from 0, or to none if all rows share the input",
        where,
        name,
        type,
        isOther
            ? "its first size is named \"" + type.names().get(0) + "\", which is no number of rows"
            : "no size of it has the name of the rows of "
                + open.keySet().stream()
                    .filter(other -> !other.equals(name))
                    .map(other -> "\"" + other + "\"")
                    .collect(Collectors.joining(", ")),
        name);
  }

  private static OptionalInt size(
      String where, Map<String, TensorType> inputs, Map<String, Integer> axes) {
    Set<Long> sizes = new LinkedHashSet<>();
    List<String> told = new ArrayList<>();
    axes.forEach(
        (name, axis) -> {
          long size = axis == NONE ? -1 : inputs.get(name).shape()[axis];
          if (size > 0 && sizes.add(size)) {
            told.add(size + " in input \"" + name + "\"");
          }
        });
    if (sizes.size() > 1) {
      throw TareException.badInput(
          "%s: the axes of the rows have different sizes, %s; set inputs.NAME.axis, to none where all"
              + " rows share an input",
          where, String.join(", ", told));
    }
    boolean hasNone = axes.values().stream().allMatch(axis -> axis == NONE);
    return hasNone ? OptionalInt.of(1) : sizes.stream().mapToInt(Math::toIntExact).findFirst();
  }
}
