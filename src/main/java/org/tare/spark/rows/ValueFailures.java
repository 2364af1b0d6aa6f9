package org.tare.spark.rows;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.tare.TareException;

/**
 * Failures of a model's run that come from values of a row: an id that is outside of the vocabulary
 * is known to be wrong only by the operator that looks it up.
 */
final class ValueFailures {
  /** What ONNX Runtime's Gather, GatherElements and GatherND say, from there on. */
  private static final Pattern OUT_OF_RANGE =
      Pattern.compile(
          "indices element out of data bounds.*"
              + "|Out of range value in index tensor.*"
              + "|invalid index found, index = .*"
              + "|GatherElements op: .*[Oo]ut of range.*");

  private ValueFailures() {}

  /** What the runtime said of the values, if the failure is of this kind. */
  static Optional<String> reason(TareException failure) {
    Matcher matcher = OUT_OF_RANGE.matcher(String.valueOf(failure.getMessage()));
    boolean isOfValues = failure.kind() == TareException.Kind.BAD_INPUT && matcher.find();
    return isOfValues ? Optional.of(matcher.group()) : Optional.empty();
  }
}
