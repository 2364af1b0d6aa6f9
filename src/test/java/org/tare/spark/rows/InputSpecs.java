package org.tare.spark.rows;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Builds specs of inputs for tests: all is derived but for what is said. */
final class InputSpecs {
  private Optional<String> column = Optional.empty();
  private Optional<String> dtype = Optional.empty();
  private List<Long> shape = List.of();
  private double scale = 1;
  private List<Double> mean = List.of(0.0);
  private List<Double> std = List.of(1.0);
  private boolean channelsLast;
  private boolean image;
  private List<Integer> resize = List.of();
  private List<Integer> crop = List.of();
  private List<Double> value = List.of();
  private OptionalInt axis = OptionalInt.empty();

  InputSpecs column(String name) {
    column = Optional.of(name);
    return this;
  }

  InputSpecs dtype(String name) {
    dtype = Optional.of(name);
    return this;
  }

  InputSpecs shape(Long... sizes) {
    shape = List.of(sizes);
    return this;
  }

  InputSpecs scale(double factor) {
    scale = factor;
    return this;
  }

  InputSpecs mean(Double... values) {
    mean = List.of(values);
    return this;
  }

  InputSpecs std(Double... values) {
    std = List.of(values);
    return this;
  }

  InputSpecs nhwc() {
    channelsLast = true;
    return this;
  }

  InputSpecs image() {
    image = true;
    return this;
  }

  InputSpecs resize(Integer... sides) {
    resize = new ArrayList<>(List.of(sides));
    return this;
  }

  InputSpecs crop(Integer... sides) {
    crop = new ArrayList<>(List.of(sides));
    return this;
  }

  InputSpecs value(Double... numbers) {
    value = List.of(numbers);
    return this;
  }

  InputSpecs axis(int place) {
    axis = OptionalInt.of(place);
    return this;
  }

  InputSpec spec() {
    return new InputSpec(
        column, dtype, shape, scale, mean, std, channelsLast, image, resize, crop, value, axis);
  }
}
