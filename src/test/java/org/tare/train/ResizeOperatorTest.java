package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.tare.train.OperatorChecks.values;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.onnx.Node;
import org.tare.onnx.TestModel;
import org.tare.train.OperatorChecks.Case;
import org.tare.train.torch.TorchOperators;

/** Resize on libtorch. */
class ResizeOperatorTest {
  private static final long[] SHAPE = {1, 2, 4, 5};

  private static Case scaled(float[] scales, Object... attributes) {
    return of(
        TestModel.opset(18)
            .input("x", SHAPE)
            .constant("s", new long[] {scales.length}, scales)
            .node("Resize", List.of("x", "", "s"), List.of("y"), attributes),
        SHAPE,
        attributes);
  }

  private static Case sized(long[] shape, long[] sizes, Object... attributes) {
    return of(
        TestModel.opset(18)
            .input("x", shape)
            .longs("s", sizes)
            .node("Resize", List.of("x", "", "", "s"), List.of("y"), attributes),
        shape,
        attributes);
  }

  private static Case of(TestModel model, long[] shape, Object... attributes) {
    List<Object> told = new ArrayList<>();
    for (Object attribute : attributes) {
      told.add(attribute instanceof long[] axes ? axes.length + " axes" : attribute);
    }
    return new Case(told.toString(), model.output("y").read(), Map.of("x", values(1, shape)));
  }

  static Stream<Case> cases() {
    List<Case> cases = new ArrayList<>();
    for (String coordinates :
        List.of(
            "half_pixel",
            "half_pixel_symmetric",
            "pytorch_half_pixel",
            "align_corners",
            "asymmetric")) {
      for (String mode : List.of("nearest", "linear", "cubic")) {
        String key = "coordinate_transformation_mode";
        cases.add(scaled(new float[] {1, 1, 2, 2}, "mode", mode, key, coordinates));
        cases.add(scaled(new float[] {1, 1, 1.7f, 0.6f}, "mode", mode, key, coordinates));
        cases.add(sized(SHAPE, new long[] {1, 2, 3, 9}, "mode", mode, key, coordinates));
        cases.add(sized(SHAPE, new long[] {1, 2, 1, 1}, "mode", mode, key, coordinates));
      }
    }
    for (String rounding : List.of("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")) {
      cases.add(scaled(new float[] {1, 1, 0.5f, 1.5f}, "nearest_mode", rounding));
      cases.add(
          sized(
              SHAPE,
              new long[] {1, 2, 8, 3},
              "nearest_mode",
              rounding,
              "coordinate_transformation_mode",
              "asymmetric"));
    }
    cases.add(
        scaled(
            new float[] {1, 1, 1.5f, 2},
            "mode",
            "cubic",
            "cubic_coeff_a",
            -0.5f,
            "exclude_outside",
            1L));
    cases.add(sized(SHAPE, new long[] {7, 6}, "mode", "linear", "axes", new long[] {-2, 3}));
    cases.add(sized(new long[] {2, 3, 5}, new long[] {2, 3, 8}, "mode", "nearest"));
    cases.add(sized(new long[] {3, 5}, new long[] {6, 4}, "mode", "linear"));
    cases.add(sized(new long[] {1, 2, 3, 4, 2}, new long[] {1, 2, 5, 4, 3}, "mode", "linear"));
    return cases.stream();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void givesWhatOnnxRuntimeGives(Case one) {
    OperatorChecks.holdAgainstOnnxRuntime(one, 1e-5f);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradientIsThatOfDifferences(Case one) {
    OperatorChecks.holdAgainstDifferences(one);
  }

  static Stream<org.junit.jupiter.params.provider.Arguments> refusals() {
    return Stream.of(
        org.junit.jupiter.params.provider.Arguments.of(
            "its coordinate_transformation_mode is tf_crop_and_resize",
            scaled(new float[] {1}, "coordinate_transformation_mode", "tf_crop_and_resize")),
        org.junit.jupiter.params.provider.Arguments.of(
            "its antialias is set", scaled(new float[] {1}, "antialias", 1L)),
        org.junit.jupiter.params.provider.Arguments.of(
            "its keep_aspect_ratio_policy is not_larger",
            scaled(new float[] {1}, "keep_aspect_ratio_policy", "not_larger")));
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void whatHasNoFormIsNamed(String message, Case one) {
    Node node = one.model().graph().nodes().get(0);
    assertEquals(Optional.of(message), TorchOperators.obstacle(node));
  }
}
