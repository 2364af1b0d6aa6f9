package org.tare.spark.rows;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Row;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.spark.rows.InputBinding.Source;

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
          binding.source() == Source.UINT8_BYTES
              && specs.getOrDefault(binding.input(), InputSpec.derived()).dtype().isEmpty();
      boolean isFixed = Arrays.stream(binding.shape()).allMatch(size -> size >= 0);
      if (isOpen && !isFixed && binding.elementType() != ElementType.UINT8) {
        notes.add(
            String.format(
                "column \"%s\" is read as uint8 bytes, since the shape of input \"%s\" does not"
                    + " tell how many values it has; set inputs.%s.dtype",
                binding.column(), binding.input(), binding.input()));
      }
      settled.add(isOpen && isFixed ? binding.asBytes(form(source, binding, head)) : binding);
    }
    return new BinaryForms(List.copyOf(settled), List.copyOf(notes));
  }

  /** The forms that bytes for an input of the type may have; the first is taken for granted. */
  private static List<Source> candidates(ElementType type) {
    return switch (type) {
      case FLOAT32 -> List.of(Source.UINT8_BYTES, Source.FLOAT32_BYTES);
      case FLOAT16 -> List.of(Source.UINT8_BYTES, Source.FLOAT16_BYTES, Source.FLOAT32_BYTES);
      case FLOAT64 -> List.of(Source.UINT8_BYTES, Source.FLOAT32_BYTES, Source.FLOAT64_BYTES);
      case INT32 -> List.of(Source.UINT8_BYTES, Source.INT32_BYTES);
      default -> List.of(Source.UINT8_BYTES);
    };
  }

  /** Rows that fit no form are bad, and say nothing of the others. */
  private static Source form(RowSource source, InputBinding binding, List<Row> head) {
    List<Source> candidates = candidates(binding.elementType());
    if (candidates.size() == 1) {
      return binding.source();
    }
    long values = Arrays.stream(binding.shape()).reduce(1, (a, b) -> a * b);
    Map<Source, Row> shown = new EnumMap<>(Source.class);
    boolean areNull = true;
    for (Row row : head) {
      if (row.isNullAt(binding.index())) {
        continue;
      }
      areNull = false;
      byte[] raw = row.getAs(binding.index());
      candidates.stream()
          .filter(form -> raw.length == form.bytes() * values)
          .forEach(form -> shown.putIfAbsent(form, row));
    }
    if (areNull && !head.isEmpty()) {
      throw TareException.badInput(
          "Cannot %s %s: column \"%s\" is null in %s%s, so what its bytes are does not show; set"
              + " inputs.%s.dtype to %s",
          source.action(),
          source.model(),
          binding.column(),
          source.nameOf(head.get(0), 0),
          head.size() == 1 ? "" : " and in all of the first " + head.size() + " rows",
          binding.input(),
          names(candidates));
    }
    if (shown.size() > 1) {
      List<Source> two = shown.keySet().stream().limit(2).toList();
      Row first = shown.get(two.get(0));
      Row second = shown.get(two.get(1));
      throw TareException.badInput(
          "Cannot %s %s: column \"%s\" holds %d bytes in %s and %d bytes in %s, so what they are"
              + " does not show; set inputs.%s.dtype to %s",
          source.action(),
          source.model(),
          binding.column(),
          two.get(0).bytes() * values,
          source.nameOf(first, head.indexOf(first)),
          two.get(1).bytes() * values,
          source.nameOf(second, head.indexOf(second)),
          binding.input(),
          names(two));
    }
    return shown.isEmpty() ? binding.source() : shown.keySet().iterator().next();
  }

  private static String names(List<Source> forms) {
    List<String> names = forms.stream().map(Source::dtype).toList();
    int last = names.size() - 1;
    return String.join(", ", names.subList(0, last)) + " or " + names.get(last);
  }
}
