package org.tare.spark.rows;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Row;
import org.tare.TareException;
import org.tare.onnx.ElementType;

/**
 * What the bytes of binary columns are where nobody says it: the first rows show it by how many
 * bytes they have.
 *
 * @param bindings with what was found out
 * @param notes sentences for the user about what did not show
 */
record BinaryForms(List<InputBinding> bindings, List<String> notes) {
  /**
   * Settles the bindings of a table.
   *
   * @param head the first rows
   * @throws TareException if the first rows contradict each other, or show nothing since all are
   *     null
   */
  static BinaryForms settle(RowSource source, Map<String, InputSpec> specs, List<Row> head) {
    List<InputBinding> settled = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    for (InputBinding binding : source.bindings()) {
      boolean isOpen =
          binding.source() == InputBinding.Source.UINT8_BYTES
              && specs.getOrDefault(binding.input(), InputSpec.derived()).dtype().isEmpty();
      boolean isFixed = Arrays.stream(binding.shape()).allMatch(size -> size >= 0);
      if (isOpen && !isFixed && binding.elementType() != ElementType.UINT8) {
        notes.add(
            String.format(
                "column \"%s\" is read as uint8 bytes, since the shape of input \"%s\" does not"
                    + " tell how many values it has; set inputs.%s.dtype",
                binding.column(), binding.input(), binding.input()));
      }
      boolean shows = isOpen && isFixed && binding.elementType() == ElementType.FLOAT32;
      settled.add(shows && areFloats(source, binding, head) ? binding.asFloats() : binding);
    }
    return new BinaryForms(List.copyOf(settled), List.copyOf(notes));
  }

  /** Rows that fit neither form are bad, and say nothing of the others. */
  private static boolean areFloats(RowSource source, InputBinding binding, List<Row> head) {
    long values = Arrays.stream(binding.shape()).reduce(1, (a, b) -> a * b);
    Optional<Row> asBytes = Optional.empty();
    Optional<Row> asFloats = Optional.empty();
    boolean areNull = true;
    for (Row row : head) {
      if (row.isNullAt(binding.index())) {
        continue;
      }
      areNull = false;
      byte[] raw = row.getAs(binding.index());
      if (raw.length == values && asBytes.isEmpty()) {
        asBytes = Optional.of(row);
      } else if (raw.length == Float.BYTES * values && asFloats.isEmpty()) {
        asFloats = Optional.of(row);
      }
    }
    if (areNull && !head.isEmpty()) {
      throw TareException.badInput(
          "Cannot %s %s: column \"%s\" is null in %s%s, so what its bytes are does not show; set"
              + " inputs.%s.dtype to uint8 or float32",
          source.action(),
          source.model(),
          binding.column(),
          source.nameOf(head.get(0), 0),
          head.size() == 1 ? "" : " and in all of the first " + head.size() + " rows",
          binding.input());
    }
    if (asBytes.isPresent() && asFloats.isPresent()) {
      throw TareException.badInput(
          "Cannot %s %s: column \"%s\" holds %d bytes in %s and %d bytes in %s, so what they are"
              + " does not show; set inputs.%s.dtype to uint8 or float32",
          source.action(),
          source.model(),
          binding.column(),
          values,
          source.nameOf(asBytes.get(), head.indexOf(asBytes.get())),
          Float.BYTES * values,
          source.nameOf(asFloats.get(), head.indexOf(asFloats.get())),
          binding.input());
    }
    return asFloats.isPresent();
  }
}
