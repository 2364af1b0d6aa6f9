package org.tare.job;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;
import org.tare.spark.rows.BadRows;
import org.tare.spark.rows.InputSpec;

/**
 * How rows of a table become inputs of the model.
 *
 * @param inputs for the inputs of which something is said
 * @param batch rows per run of the model, unless the model fixes it
 * @param mask the input whose zeros say which places of a sequence are filling
 */
public record RowOptions(
    Map<String, InputSpec> inputs, int batch, BadRows badRows, MaskInput mask) {

  /**
   * The name of an input.
   *
   * @param name empty for none
   * @param isRequired whether a model without such an input is an error
   */
  public record MaskInput(Optional<String> name, boolean isRequired) {}

  /**
   * The mask of a model with these inputs. Of a model with a decoder it has to be said: which
   * sequence is meant does not show.
   *
   * @throws TareException if it is required and the model has no such input
   */
  public Optional<String> mask(List<String> modelInputs) {
    if (mask.name().isEmpty()) {
      return mask.name();
    }
    if (mask.isRequired()) {
      if (!modelInputs.contains(mask.name().get())) {
        throw TareException.usage(
            "mask cannot be \"%s\": it is an input of the model: %s",
            mask.name().get(), String.join(", ", modelInputs));
      }
      return mask.name();
    }
    boolean hasDecoder = modelInputs.stream().anyMatch(input -> input.startsWith("decoder"));
    return hasDecoder ? Optional.empty() : mask.name().filter(modelInputs::contains);
  }

  /** The same with another number of rows per run. */
  RowOptions withBatch(int rows) {
    return new RowOptions(inputs, rows, badRows, mask);
  }

  /** The same, where any share of bad rows may be skipped: it was checked on all rows before. */
  public RowOptions withoutLimit() {
    return new RowOptions(inputs, batch, new BadRows(badRows.skip(), 1), mask);
  }
}
