package org.tare.rewrite;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.quant.DType;

/**
 * Small models of random operators, shapes and attributes, valid as far as this knows: tensors that
 * several nodes read, weights that several nodes share, weights in Constant nodes, outputs in the
 * middle, results nobody reads, and odd values.
 */
public final class RandomModel {
  private record Tensor(String name, long[] shape) {
    int rank() {
      return shape.length;
    }

    long dim(int axis) {
      return shape[axis];
    }

    long last() {
      return shape[shape.length - 1];
    }
  }

  private static final List<String> SAME_SHAPE =
      List.of(
          "Relu",
          "Sigmoid",
          "Tanh",
          "HardSigmoid",
          "LeakyRelu",
          "Erf",
          "Identity",
          "Dropout",
          "Neg",
          "HardSwish",
          "Gelu");

  private final Random random;
  private final int opset;
  private final TestModel model;
  private final List<Tensor> live = new ArrayList<>();
  private final List<Tensor> weights = new ArrayList<>();
  private final Map<String, Values> inputs = new LinkedHashMap<>();
  private int names;
  private boolean usesFunction;

  public RandomModel(Random random) {
    this.random = random;
    this.opset = List.of(12, 13, 17, 18, 20, 21).get(random.nextInt(6));
    this.model = TestModel.opset(opset);
    int given = 1 + random.nextInt(2);
    for (int i = 0; i < given; i++) {
      long[] shape = shape(1 + random.nextInt(4));
      String name = "x" + i;
      model.input(name, shape);
      inputs.put(name, new Values(shape, values(shape)));
      live.add(new Tensor(name, shape));
    }
    int nodes = 2 + random.nextInt(11);
    for (int i = 0; i < nodes; i++) {
      // The newest tensor most often, so that chains come about.
      boolean newest = random.nextInt(4) > 0;
      add(live.get(newest ? live.size() - 1 : random.nextInt(live.size())));
    }
    model.domain(Node.MICROSOFT, "Attention");
    if (usesFunction) {
      model.domain("local", "Scaled");
      model.function(
          "local.Scaled",
          List.of(),
          List.of("in", "by"),
          List.of("out"),
          TestModel.opset(opset)
              .node("Mul", List.of("in", "by"), List.of("product"))
              .node("Relu", List.of("product"), List.of("out")));
    }
    List<Tensor> computed = new ArrayList<>(live.subList(given, live.size()));
    Collections.shuffle(computed, random);
    Tensor last = live.get(live.size() - 1);
    int outputs = computed.isEmpty() ? 0 : random.nextInt(Math.min(3, computed.size()));
    computed.remove(last);
    if (live.size() == given) {
      last = emit("Neg", last.shape(), List.of(last.name()));
    }
    model.output(last.name(), last.shape());
    computed.stream().limit(outputs).forEach(t -> model.output(t.name(), t.shape()));
  }

  public byte[] bytes() {
    return model.bytes();
  }

  public Map<String, Values> inputs() {
    return inputs;
  }

  /** The float model's results. */
  Map<String, Values> run() {
    return TestModel.run(model.read(), inputs);
  }

  private boolean rarely() {
    return random.nextInt(50) == 0;
  }

  private long size(int most) {
    return rarely() && rarely() ? 0 : 1 + random.nextInt(most);
  }

  private long[] shape(int rank) {
    return LongStream.range(0, rank).map(i -> size(6)).toArray();
  }

  private float[] values(long[] shape) {
    float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    float scale =
        switch (random.nextInt(40)) {
          case 0 -> 0f;
          case 1 -> 1e-40f;
          case 2 -> 1e30f;
          case 3 -> 1e-20f;
          default -> 1f;
        };
    boolean mixed = random.nextInt(20) == 0;
    float shift = random.nextInt(6) == 0 ? 3 * scale : 0;
    for (int i = 0; i < values.length; i++) {
      float one = mixed && random.nextInt(3) == 0 ? 1e-40f : scale;
      values[i] = (float) random.nextGaussian() * one + shift;
    }
    return values;
  }

  private String fresh() {
    return "t" + names++;
  }

  private String weight(long... shape) {
    if (random.nextInt(3) == 0) {
      for (Tensor known : weights) {
        if (Arrays.equals(known.shape(), shape)) {
          return known.name();
        }
      }
    }
    String name = fresh();
    if (random.nextInt(4) == 0) {
      computedWeight(name, shape);
    } else if (random.nextInt(3) == 0) {
      model.node(
          "Constant",
          List.of(),
          List.of(name),
          "value",
          org.tare.onnx.Tensor.ofFloats(random.nextBoolean() ? "" : name, shape, values(shape)));
    } else {
      model.constant(name, shape, values(shape));
    }
    weights.add(new Tensor(name, shape));
    return name;
  }

  /** A constant that nodes compute. */
  private void computedWeight(String name, long[] shape) {
    float[] values = values(shape);
    String from = fresh();
    int axis = shape.length == 0 ? 0 : random.nextInt(shape.length);
    int way = shape.length == 0 ? random.nextInt(2) : random.nextInt(opset < 13 ? 5 : 8);
    switch (way) {
      case 0 -> {
        model.constant(from, shape, values);
        model.node("Identity", List.of(from), List.of(name));
      }
      case 1 -> {
        model.initializer(wide(from, shape, values));
        model.node("Cast", List.of(from), List.of(name), "to", 1L);
      }
      case 2 -> {
        long[] reversed = new long[shape.length];
        long[] perm = new long[shape.length];
        for (int i = 0; i < shape.length; i++) {
          perm[i] = shape.length - 1 - i;
          reversed[i] = shape[(int) perm[i]];
        }
        model.constant(from, reversed, values);
        model.node("Transpose", List.of(from), List.of(name), "perm", perm);
      }
      case 3 -> {
        long[] larger = with(shape, axis, shape[axis] + 2);
        model.constant(from, larger, values(larger));
        model.node(
            "Slice", List.of(from, longs(1), longs(shape[axis] + 1), longs(axis)), List.of(name));
      }
      case 4 -> {
        long[] first = with(shape, axis, shape[axis] / 2);
        long[] second = with(shape, axis, shape[axis] - shape[axis] / 2);
        String other = fresh();
        model.constant(from, first, values(first));
        model.constant(other, second, values(second));
        model.node("Concat", List.of(from, other), List.of(name), "axis", (long) axis);
      }
      case 5 -> {
        String unsqueezed = fresh();
        model.constant(from, shape, values);
        model.node("Unsqueeze", List.of(from, longs(axis)), List.of(unsqueezed));
        model.node("Squeeze", List.of(unsqueezed, longs(axis)), List.of(name));
      }
      case 6 -> {
        long[] larger = with(shape, axis, shape[axis] + 1);
        model.constant(from, larger, values(larger));
        model.node(
            "Split",
            List.of(from, longs(shape[axis], 1)),
            List.of(name, fresh()),
            "axis",
            (long) axis);
      }
      default ->
          model.node(
              "ConstantOfShape",
              List.of(longs(shape)),
              List.of(name),
              "value",
              org.tare.onnx.Tensor.ofFloats("", new long[] {1}, 0.5f));
    }
  }

  private static org.tare.onnx.Tensor wide(String name, long[] shape, float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putDouble(value);
    }
    return org.tare.onnx.Tensor.ofBytes(name, ElementType.FLOAT64, shape, bytes.array());
  }

  /** A graph input that has a default: callers may give another value. */
  private String defaultInput(long... shape) {
    String name = fresh();
    model.input(name, shape);
    model.constant(name, shape, values(shape));
    return name;
  }

  private String longs(long... values) {
    String name = fresh();
    model.longs(name, values);
    return name;
  }

  private Tensor emit(String op, long[] shape, List<String> from, Object... attributes) {
    Tensor made = new Tensor(fresh(), shape);
    model.node(op, from, List.of(made.name()), attributes);
    live.add(made);
    return made;
  }

  private static long[] with(long[] shape, int axis, long size) {
    long[] changed = shape.clone();
    changed[axis] = size;
    return changed;
  }

  private static long[] plus(long[] shape, long size) {
    long[] longer = Arrays.copyOf(shape, shape.length + 1);
    longer[shape.length] = size;
    return longer;
  }

  private static long[] without(long[] shape, int axis) {
    return LongStream.concat(
            Arrays.stream(shape, 0, axis), Arrays.stream(shape, axis + 1, shape.length))
        .toArray();
  }

  private static long count(long[] shape) {
    return Arrays.stream(shape).reduce(1, (a, b) -> a * b);
  }

  private void add(Tensor x) {
    if (count(x.shape()) > 4000 || x.rank() > 5) {
      emit("Relu", x.shape(), List.of(x.name()));
      return;
    }
    if (opset < 13) {
      addOfOldSets(x);
      return;
    }
    switch (random.nextInt(22)) {
      case 19 -> plainMoves(x);
      case 20 -> channelAffine(x);
      case 21 -> softmaxOfMany(x);
      case 0, 1 -> matMul(x);
      case 2 -> gemm(x);
      case 3, 4, 5 -> conv(x);
      case 6 -> convTranspose(x);
      case 7, 8 -> binary(x);
      case 9 -> pool(x);
      case 10, 11 -> move(x);
      case 12 -> moreMoves(x);
      case 13 -> normalize(x);
      case 14 -> recurrent(x);
      case 15 -> choose(x);
      case 16 -> attention(x);
      default -> function(x);
    }
  }

  /** Operators whose form is the same before set 13. */
  private void addOfOldSets(Tensor x) {
    switch (random.nextInt(8)) {
      case 0, 1 -> matMul(x);
      case 2 -> conv(x);
      case 3 -> convTranspose(x);
      case 4 -> binary(x);
      case 5 -> recurrent(x);
      case 6 -> {
        usesFunction = true;
        emit("Scaled", x.shape(), List.of(x.name(), weight(new long[0])));
      }
      default -> function(x);
    }
  }

  /** What changes no value: a Cast to the same type, and NHWC around a convolution. */
  private void plainMoves(Tensor x) {
    if (x.rank() != 4 || count(x.shape()) == 0 || random.nextBoolean()) {
      emit("Cast", x.shape(), List.of(x.name()), "to", 1L);
      return;
    }
    long[] nchw = {x.dim(0), x.dim(3), x.dim(1), x.dim(2)};
    conv(emit("Transpose", nchw, List.of(x.name()), "perm", new long[] {0, 3, 1, 2}));
    Tensor y = live.get(live.size() - 1);
    long[] nhwc = {y.dim(0), y.dim(2), y.dim(3), y.dim(1)};
    Tensor back = emit("Transpose", nhwc, List.of(y.name()), "perm", new long[] {0, 2, 3, 1});
    emit("Add", nhwc, List.of(back.name(), weight(back.last())));
  }

  /** A batch norm as frameworks without the operator write it. */
  private void channelAffine(Tensor given) {
    conv(given);
    Tensor x = live.get(live.size() - 1);
    if (x.rank() < 2) {
      return;
    }
    long[] shape = new long[x.rank() - 1];
    Arrays.fill(shape, 1);
    shape[0] = x.dim(1);
    for (String op : List.of("Sub", "Mul", "Add")) {
      String other = random.nextInt(6) == 0 ? defaultInput(shape) : weight(shape);
      x = emit(op, x.shape(), List.of(x.name(), other));
    }
  }

  private void softmaxOfMany(Tensor x) {
    if (x.rank() == 0
        || x.rank() > 3
        || count(x.shape()) == 0
        || count(x.shape()) > 40 * x.last()) {
      function(x);
      return;
    }
    long places = 300;
    long[] wide = with(x.shape(), x.rank() - 1, places);
    Tensor scores = emit("MatMul", wide, List.of(x.name(), weight(x.last(), places)));
    Tensor shares = emit("Softmax", wide, List.of(scores.name()), "axis", (long) x.rank() - 1);
    emit("MatMul", with(wide, x.rank() - 1, 3), List.of(shares.name(), weight(places, 3)));
  }

  private void function(Tensor x) {
    String op = SAME_SHAPE.get(random.nextInt(SAME_SHAPE.size()));
    boolean isThere =
        (!op.equals("HardSwish") || opset >= 14) && (!op.equals("Gelu") || opset >= 20);
    emit(isThere ? op : "Relu", x.shape(), List.of(x.name()));
  }

  private void matMul(Tensor x) {
    if (x.rank() == 0) {
      function(x);
      return;
    }
    long n = size(rarely() ? 70 : 6);
    switch (random.nextInt(8)) {
      case 0 -> {
        long[] rest = without(x.shape(), x.rank() - 1);
        emit("MatMul", rest, List.of(x.name(), weight(x.last())));
      }
      case 1 -> {
        if (x.rank() == 3) {
          long batch = random.nextBoolean() ? x.dim(0) : 1;
          emit("MatMul", with(x.shape(), 2, n), List.of(x.name(), weight(batch, x.last(), n)));
        } else {
          function(x);
        }
      }
      case 2 -> {
        if (x.rank() >= 2) {
          emit(
              "MatMul",
              with(x.shape(), x.rank() - 2, n),
              List.of(weight(n, x.dim(x.rank() - 2)), x.name()));
        } else {
          function(x);
        }
      }
      case 3 -> {
        if (x.rank() == 2) {
          Tensor turned =
              emit(
                  "Transpose",
                  new long[] {x.dim(1), x.dim(0)},
                  List.of(x.name()),
                  "perm",
                  new long[] {1, 0});
          emit("MatMul", new long[] {x.dim(0), x.dim(0)}, List.of(x.name(), turned.name()));
        } else {
          function(x);
        }
      }
      case 4 -> {
        String rows = "abe".substring(0, Math.min(3, x.rank() - 1));
        boolean turned = random.nextBoolean();
        // ONNX Runtime 1.29 divides by zero in an Einsum of empty tensors, and the JVM ends.
        if (x.rank() <= 4 && count(x.shape()) > 0 && n > 0) {
          emit(
              "Einsum",
              with(x.shape(), x.rank() - 1, n),
              List.of(x.name(), turned ? weight(n, x.last()) : weight(x.last(), n)),
              "equation",
              rows + "c," + (turned ? "dc" : "cd") + "->" + rows + "d");
        } else {
          function(x);
        }
      }
      default ->
          emit("MatMul", with(x.shape(), x.rank() - 1, n), List.of(x.name(), weight(x.last(), n)));
    }
  }

  private void gemm(Tensor given) {
    Tensor x = given;
    if (x.rank() != 2) {
      if (x.rank() == 0) {
        function(x);
        return;
      }
      int axis = random.nextInt(x.rank() + 1);
      long outer = count(Arrays.copyOf(x.shape(), axis));
      long inner = count(Arrays.copyOfRange(x.shape(), axis, x.rank()));
      x = emit("Flatten", new long[] {outer, inner}, List.of(x.name()), "axis", (long) axis);
    }
    boolean transA = random.nextInt(6) == 0;
    boolean transB = random.nextBoolean();
    long m = x.dim(transA ? 1 : 0);
    long k = x.dim(transA ? 0 : 1);
    long n = size(6);
    List<String> from = new ArrayList<>(List.of(x.name(), transB ? weight(n, k) : weight(k, n)));
    switch (random.nextInt(6)) {
      case 0 -> {}
      case 1 -> from.add(weight(1, n));
      case 2 -> from.add(weight(1));
      case 3 -> from.add(weight(m, n));
      default -> from.add(weight(n));
    }
    emit(
        "Gemm",
        new long[] {m, n},
        from,
        "transA",
        transA ? 1L : 0L,
        "transB",
        transB ? 1L : 0L,
        "alpha",
        random.nextBoolean() ? 1f : 0.5f,
        "beta",
        random.nextBoolean() ? 1f : -2f);
  }

  private void conv(Tensor x) {
    int axes = x.rank() - 2;
    // ONNX Runtime 1.29 never ends a Conv of no channels.
    if (axes < 1 || axes > 2 || count(x.shape()) == 0) {
      function(x);
      return;
    }
    long in = x.dim(1);
    long groups = random.nextInt(3) == 0 && in > 0 ? in : 1;
    long out = groups * (1 + random.nextInt(3));
    long[] kernel = new long[axes];
    long[] pads = new long[2 * axes];
    long[] strides = new long[axes];
    long[] dilations = new long[axes];
    long[] shape = x.shape().clone();
    shape[1] = out;
    for (int i = 0; i < axes; i++) {
      kernel[i] = 1 + random.nextInt(3);
      strides[i] = 1 + random.nextInt(2);
      dilations[i] = 1 + random.nextInt(2);
      pads[i] = random.nextInt(2);
      pads[axes + i] = random.nextInt(3);
      long reach = dilations[i] * (kernel[i] - 1) + 1;
      long padded = x.dim(2 + i) + pads[i] + pads[axes + i];
      if (padded < reach) {
        pads[i] += reach - padded;
        padded = reach;
      }
      shape[2 + i] = (padded - reach) / strides[i] + 1;
    }
    long[] weight =
        LongStream.concat(LongStream.of(out, groups == 0 ? in : in / groups), Arrays.stream(kernel))
            .toArray();
    List<String> from = new ArrayList<>(List.of(x.name(), weight(weight)));
    if (random.nextBoolean()) {
      from.add(weight(out));
    }
    emit(
        "Conv",
        shape,
        from,
        "pads",
        pads,
        "strides",
        strides,
        "dilations",
        dilations,
        "group",
        groups);
  }

  private void convTranspose(Tensor x) {
    int axes = x.rank() - 2;
    // ONNX Runtime 1.29 ends the JVM in a ConvTranspose of empty tensors.
    if (axes < 1 || axes > 2 || count(x.shape()) == 0) {
      function(x);
      return;
    }
    long in = x.dim(1);
    long groups = random.nextInt(3) == 0 && in > 0 ? in : 1;
    long perGroup = 1 + random.nextInt(3);
    long[] kernel = new long[axes];
    long[] strides = new long[axes];
    long[] shape = x.shape().clone();
    shape[1] = groups * perGroup;
    for (int i = 0; i < axes; i++) {
      kernel[i] = 1 + random.nextInt(3);
      strides[i] = 1 + random.nextInt(2);
      shape[2 + i] = strides[i] * (x.dim(2 + i) - 1) + kernel[i];
    }
    long[] weight = LongStream.concat(LongStream.of(in, perGroup), Arrays.stream(kernel)).toArray();
    List<String> from = new ArrayList<>(List.of(x.name(), weight(weight)));
    if (random.nextBoolean()) {
      from.add(weight(shape[1]));
    }
    emit("ConvTranspose", shape, from, "strides", strides, "group", groups);
  }

  /** Another tensor of the same shape, or a constant that spreads over it. */
  private String operand(Tensor x) {
    List<Tensor> alike =
        live.stream().filter(other -> Arrays.equals(other.shape(), x.shape())).toList();
    if (random.nextInt(3) > 0) {
      return alike.get(random.nextInt(alike.size())).name();
    }
    long[] shape = x.shape().clone();
    switch (random.nextInt(4)) {
      case 0 -> shape = new long[0];
      case 1 -> {
        for (int i = 0; i < shape.length; i++) {
          shape[i] = i == 1 ? shape[i] : 1;
        }
      }
      case 2 -> shape = x.rank() == 0 ? shape : new long[] {x.last()};
      default -> {}
    }
    return weight(shape);
  }

  private void binary(Tensor x) {
    String op = List.of("Add", "Mul", "Sub", "Add", "Mul", "Div").get(random.nextInt(6));
    // What an activation is divided by may be rounded to zero; a constant stays as it is.
    boolean divides = op.equals("Div");
    String other = divides ? weight(x.shape()) : operand(x);
    if (!divides && random.nextInt(12) == 0) {
      other = defaultInput(x.rank() == 0 ? new long[0] : new long[] {x.last()});
    }
    boolean first = divides || random.nextBoolean();
    emit(op, x.shape(), first ? List.of(x.name(), other) : List.of(other, x.name()));
  }

  private void pool(Tensor x) {
    int axes = x.rank() - 2;
    if (axes < 1 || axes > 2 || count(x.shape()) == 0) {
      function(x);
      return;
    }
    long[] shape = x.shape().clone();
    if (random.nextInt(3) == 0) {
      Arrays.fill(shape, 2, shape.length, 1);
      emit("GlobalAveragePool", shape, List.of(x.name()));
      return;
    }
    long[] kernel = new long[axes];
    long[] pads = new long[2 * axes];
    long[] strides = new long[axes];
    for (int i = 0; i < axes; i++) {
      kernel[i] = 1 + random.nextInt(3);
      strides[i] = 1 + random.nextInt(2);
      pads[i] = random.nextInt((int) kernel[i]);
      long padded = x.dim(2 + i) + pads[i];
      if (padded < kernel[i]) {
        kernel[i] = 1;
        pads[i] = 0;
        padded = x.dim(2 + i);
      }
      shape[2 + i] = (padded - kernel[i]) / strides[i] + 1;
    }
    if (random.nextBoolean()) {
      emit(
          "MaxPool",
          shape,
          List.of(x.name()),
          "kernel_shape",
          kernel,
          "pads",
          pads,
          "strides",
          strides);
    } else {
      averagePool(x, shape, kernel, pads, strides);
    }
  }

  private void averagePool(Tensor x, long[] shape, long[] kernel, long[] pads, long[] strides) {
    int axes = kernel.length;
    boolean beginsInside = true;
    long[] dilations = new long[axes];
    for (int i = 0; i < axes; i++) {
      long padded = x.dim(2 + i) + pads[i];
      boolean fits = padded >= 2 * (kernel[i] - 1) + 1;
      dilations[i] = opset >= 19 && fits && random.nextInt(4) == 0 ? 2 : 1;
      long window = (kernel[i] - 1) * dilations[i] + 1;
      shape[2 + i] = (padded - window) / strides[i] + 1;
      boolean hasRest = (padded - window) % strides[i] != 0;
      beginsInside &= !hasRest || shape[2 + i] * strides[i] < padded;
    }
    // ONNX Runtime 1.29's shapes count a window that begins outside of the input; its results
    // don't.
    long ceil = beginsInside ? random.nextInt(2) : 0;
    for (int i = 0; i < axes && ceil == 1; i++) {
      long padded = x.dim(2 + i) + pads[i];
      long window = (kernel[i] - 1) * dilations[i] + 1;
      shape[2 + i] += (padded - window) % strides[i] != 0 ? 1 : 0;
    }
    List<Object> attributes =
        new ArrayList<>(
            List.of("kernel_shape", kernel, "pads", pads, "strides", strides, "ceil_mode", ceil));
    attributes.addAll(List.of("count_include_pad", (long) random.nextInt(2)));
    if (opset >= 19) {
      attributes.addAll(List.of("dilations", dilations));
    }
    emit("AveragePool", shape, List.of(x.name()), attributes.toArray());
  }

  private void move(Tensor x) {
    if (x.rank() == 0) {
      emit("Unsqueeze", new long[] {1}, List.of(x.name(), longs(0)));
      return;
    }
    int axis = random.nextInt(x.rank());
    long size = x.dim(axis);
    switch (random.nextInt(9)) {
      case 0 -> emit("Reshape", new long[] {count(x.shape())}, List.of(x.name(), longs(-1)));
      case 1 -> {
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < x.rank(); i++) {
          order.add(i);
        }
        Collections.shuffle(order, random);
        // ONNX Runtime 1.29 takes any Transpose after a Gemm for one that exchanges the axes.
        if (order.equals(List.of(0, 1))) {
          Collections.reverse(order);
        }
        long[] perm = order.stream().mapToLong(i -> i).toArray();
        long[] shape = order.stream().mapToLong(i -> x.dim(i)).toArray();
        emit("Transpose", shape, List.of(x.name()), "perm", perm);
      }
      case 2 -> {
        if (size == 1) {
          emit("Squeeze", without(x.shape(), axis), List.of(x.name(), longs(axis)));
        } else {
          emit("Unsqueeze", plus(x.shape(), 1), List.of(x.name(), longs(x.rank())));
        }
      }
      case 3 -> {
        long stop = size == 0 ? 0 : 1 + random.nextInt((int) size);
        emit(
            "Slice",
            with(x.shape(), axis, stop),
            List.of(x.name(), longs(0), longs(stop), longs(axis)));
      }
      case 4 -> {
        long cut = random.nextInt((int) size + 1);
        Tensor first = new Tensor(fresh(), with(x.shape(), axis, cut));
        Tensor second = new Tensor(fresh(), with(x.shape(), axis, size - cut));
        model.node(
            "Split",
            List.of(x.name(), longs(cut, size - cut)),
            List.of(first.name(), second.name()),
            "axis",
            (long) axis);
        live.add(first);
        live.add(second);
      }
      case 5 -> {
        long[] pads = new long[2 * x.rank()];
        pads[axis] = random.nextInt(3);
        String mode = random.nextInt(3) == 0 && size > 0 ? "edge" : "constant";
        List<String> from = new ArrayList<>(List.of(x.name(), longs(pads)));
        if (mode.equals("constant") && random.nextBoolean()) {
          String value = fresh();
          model.constant(value, new long[0], random.nextInt(2));
          from.add(value);
        }
        if (opset >= 18 && random.nextBoolean()) {
          from.set(1, longs(pads[axis], 0));
          while (from.size() < 3) {
            from.add("");
          }
          from.add(longs(random.nextBoolean() ? axis : axis - x.rank()));
        }
        emit("Pad", with(x.shape(), axis, size + pads[axis]), from, "mode", mode);
      }
      case 6 -> {
        if (size == 0) {
          function(x);
        } else {
          long[] indices = LongStream.range(0, 3).map(i -> random.nextInt((int) size)).toArray();
          emit(
              "Gather",
              with(x.shape(), axis, 3),
              List.of(x.name(), longs(indices)),
              "axis",
              (long) axis);
        }
      }
      case 7 -> {
        List<Tensor> alike =
            live.stream().filter(other -> Arrays.equals(other.shape(), x.shape())).toList();
        String other =
            random.nextInt(4) == 0
                ? weight(x.shape())
                : alike.get(random.nextInt(alike.size())).name();
        emit(
            "Concat",
            with(x.shape(), axis, 2 * size),
            List.of(x.name(), other),
            "axis",
            (long) axis);
      }
      default -> {
        if (x.rank() == 4 && count(x.shape()) > 0) {
          String scales = fresh();
          model.constant(scales, new long[] {4}, 1f, 1f, 2f, 2f);
          long[] shape = {x.dim(0), x.dim(1), 2 * x.dim(2), 2 * x.dim(3)};
          String mode = List.of("nearest", "linear", "cubic").get(random.nextInt(3));
          emit("Resize", shape, List.of(x.name(), "", scales), "mode", mode);
        } else {
          function(x);
        }
      }
    }
  }

  private void moreMoves(Tensor x) {
    if (x.rank() == 0 || count(x.shape()) == 0) {
      function(x);
      return;
    }
    int axis = random.nextInt(x.rank());
    switch (random.nextInt(6)) {
      case 0 -> {
        String indices = fresh();
        long[] chosen =
            LongStream.range(0, count(x.shape()))
                .map(i -> random.nextInt((int) x.dim(axis)))
                .toArray();
        model.initializer(org.tare.onnx.Tensor.ofLongs(indices, x.shape(), chosen));
        emit("GatherElements", x.shape(), List.of(x.name(), indices), "axis", (long) axis);
      }
      case 1 -> {
        long k = 1 + random.nextInt((int) x.dim(axis));
        Tensor values = new Tensor(fresh(), with(x.shape(), axis, k));
        model.node(
            "TopK",
            List.of(x.name(), longs(k)),
            List.of(values.name(), fresh()),
            "axis",
            (long) axis);
        live.add(values);
      }
      case 2 -> {
        long[] wider = x.dim(axis) == 1 ? with(x.shape(), axis, 3) : x.shape();
        emit("Expand", wider, List.of(x.name(), longs(wider)));
      }
      case 3 -> {
        long[] repeats = new long[x.rank()];
        Arrays.fill(repeats, 1);
        repeats[axis] = 2;
        emit("Tile", with(x.shape(), axis, 2 * x.dim(axis)), List.of(x.name(), longs(repeats)));
      }
      case 4 -> {
        if (x.rank() == 4 && x.dim(1) % 4 == 0) {
          long[] shape = {x.dim(0), x.dim(1) / 4, 2 * x.dim(2), 2 * x.dim(3)};
          emit("DepthToSpace", shape, List.of(x.name()), "blocksize", 2L);
        } else {
          function(x);
        }
      }
      default -> {
        if (x.rank() == 4 && x.dim(2) % 2 == 0 && x.dim(3) % 2 == 0) {
          long[] shape = {x.dim(0), x.dim(1) * 4, x.dim(2) / 2, x.dim(3) / 2};
          emit("SpaceToDepth", shape, List.of(x.name()), "blocksize", 2L);
        } else {
          function(x);
        }
      }
    }
  }

  private void normalize(Tensor x) {
    if (x.rank() == 0 || count(x.shape()) == 0) {
      function(x);
      return;
    }
    int axis = random.nextInt(x.rank());
    switch (random.nextInt(7)) {
      case 6 -> {
        // Sets 18 and 20 have a scale for each group, set 21 one for each channel.
        if (opset >= 18 && x.rank() >= 3 && x.dim(1) % 2 == 0) {
          long scales = opset < 21 ? 2 : x.dim(1);
          emit(
              "GroupNormalization",
              x.shape(),
              List.of(x.name(), weight(scales), weight(scales)),
              "num_groups",
              2L);
        } else {
          function(x);
        }
      }
      case 0 -> {
        if (opset >= 17) {
          List<String> from = new ArrayList<>(List.of(x.name(), weight(x.last())));
          if (random.nextBoolean()) {
            from.add(weight(x.last()));
          }
          emit("LayerNormalization", x.shape(), from);
        } else {
          function(x);
        }
      }
      case 1 -> {
        if (x.rank() >= 3) {
          emit(
              "InstanceNormalization",
              x.shape(),
              List.of(x.name(), weight(x.dim(1)), weight(x.dim(1))));
        } else {
          function(x);
        }
      }
      case 2 -> {
        long[] shape = with(x.shape(), axis, 1);
        if (opset < 18) {
          emit("ReduceMean", shape, List.of(x.name()), "axes", new long[] {axis});
        } else {
          emit("ReduceMean", shape, List.of(x.name(), longs(axis)));
        }
      }
      case 3 -> {
        if (x.rank() >= 2) {
          String variance = fresh();
          float[] positive = new float[(int) x.dim(1)];
          Arrays.fill(positive, 0.5f);
          model.constant(variance, new long[] {x.dim(1)}, positive);
          emit(
              "BatchNormalization",
              x.shape(),
              List.of(x.name(), weight(x.dim(1)), weight(x.dim(1)), weight(x.dim(1)), variance));
        } else {
          function(x);
        }
      }
      default -> emit("Softmax", x.shape(), List.of(x.name()), "axis", (long) axis);
    }
  }

  private void recurrent(Tensor x) {
    if (x.rank() != 3 || count(x.shape()) == 0) {
      function(x);
      return;
    }
    String op = List.of("LSTM", "GRU", "RNN").get(random.nextInt(3));
    int gates = op.equals("LSTM") ? 4 : op.equals("GRU") ? 3 : 1;
    long hidden = 1 + random.nextInt(4);
    long directions = 1 + random.nextInt(2);
    List<String> from =
        new ArrayList<>(
            List.of(
                x.name(),
                weight(directions, gates * hidden, x.last()),
                weight(directions, gates * hidden, hidden)));
    if (random.nextBoolean()) {
      from.add(weight(directions, 2 * gates * hidden));
    }
    emit(
        op,
        new long[] {x.dim(0), directions, x.dim(1), hidden},
        from,
        "hidden_size",
        hidden,
        "direction",
        directions == 2 ? "bidirectional" : "forward");
  }

  /** ONNX Runtime's own; without a bias its 1.29 ends the JVM. */
  private void attention(Tensor given) {
    Tensor x = given;
    if (x.rank() == 2) {
      x = emit("Unsqueeze", new long[] {x.dim(0), x.dim(1), 1}, List.of(x.name(), longs(2)));
    }
    if (x.rank() != 3 || count(x.shape()) == 0) {
      function(x);
      return;
    }
    long heads = 1 + random.nextInt(2);
    long hidden = heads * (1 + random.nextInt(4));
    long values = random.nextInt(4) == 0 ? hidden + heads : hidden;
    long columns = 2 * hidden + values;
    List<String> from =
        new ArrayList<>(List.of(x.name(), weight(x.last(), columns), weight(columns), "", "", ""));
    List<Object> attributes =
        new ArrayList<>(List.of("num_heads", heads, "unidirectional", (long) random.nextInt(2)));
    if (values != hidden || random.nextInt(4) == 0) {
      attributes.addAll(List.of("qkv_hidden_sizes", new long[] {hidden, hidden, values}));
    }
    if (random.nextInt(3) == 0) {
      attributes.addAll(List.of("scale", 0.5f));
    }
    if (random.nextInt(3) == 0) {
      int[] ends = random.ints((int) x.dim(0), 1, (int) x.dim(1) + 1).toArray();
      String mask = fresh();
      model.initializer(
          org.tare.onnx.Tensor.ofQuantized(mask, DType.INT32, new long[] {x.dim(0)}, ends));
      from.set(3, mask);
    }
    if (random.nextInt(4) == 0) {
      from.set(5, weight(x.dim(0), heads, x.dim(1), x.dim(1)));
    }
    while (from.get(from.size() - 1).isEmpty()) {
      from.remove(from.size() - 1);
    }
    emit("Attention", new long[] {x.dim(0), x.dim(1), values}, from, attributes.toArray());
  }

  private void choose(Tensor x) {
    switch (random.nextInt(4)) {
      case 0 -> {
        String condition = fresh();
        model.node("Greater", List.of(x.name(), operand(x)), List.of(condition));
        emit("Where", x.shape(), List.of(condition, x.name(), operand(x)));
      }
      case 1 -> {
        long[] shape = random.nextBoolean() || x.rank() == 0 ? new long[0] : new long[] {x.last()};
        emit("PRelu", x.shape(), List.of(x.name(), weight(shape)));
      }
      case 2 -> {
        if (x.rank() == 0) {
          function(x);
          return;
        }
        // Rows of a table by the places of the greatest values.
        String rows = fresh();
        int axis = random.nextInt(x.rank());
        model.node("ArgMax", List.of(x.name()), List.of(rows), "axis", (long) axis, "keepdims", 0L);
        long width = 1024 / 6 + 1;
        long places = Math.max(1, x.dim(axis));
        emit("Gather", plus(without(x.shape(), axis), width), List.of(weight(places, width), rows));
      }
      default -> {
        List<String> from = new ArrayList<>(List.of(x.name()));
        String low = fresh();
        model.constant(low, new long[0], random.nextBoolean() ? 0f : -1f);
        from.add(random.nextInt(4) == 0 ? "" : low);
        if (random.nextBoolean()) {
          String high = fresh();
          float bound = random.nextInt(4) == 0 ? Float.POSITIVE_INFINITY : 6f;
          model.constant(high, new long[0], bound);
          from.add(high);
        }
        emit("Clip", x.shape(), from);
      }
    }
  }
}
