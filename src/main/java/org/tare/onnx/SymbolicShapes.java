package org.tare.onnx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.tare.onnx.proto.Onnx.TensorShapeProto.Dimension;
import org.tare.onnx.proto.Onnx.ValueInfoProto;

/**
 * The shapes of a graph's tensors with a name for each size that varies, so that it shows which are
 * equal. ONNX Runtime's own inference gives numbers and forgets which of the unknown ones are the
 * same. Sizes are followed through the arithmetic that graphs do with them: Shape, Gather, Concat,
 * Reshape.
 *
 * <p>What does not follow is left out: a shape that is here holds for every run.
 */
public final class SymbolicShapes {
  /** Longer tensors of integers are no shapes. */
  private static final int MOST_SIZES = 16;

  private static final Size ONE = new Size(1, "");

  /**
   * How long an axis is.
   *
   * @param number -1 if it varies
   * @param name of what varies; equal names are equal sizes
   */
  public record Size(long number, String name) {
    public static Size of(long number) {
      return new Size(number, "");
    }

    public boolean isNumber() {
      return number >= 0;
    }
  }

  private final Graph graph;
  private final Map<String, List<Size>> shapes = new HashMap<>();

  /** What tensors hold that are made of sizes. */
  private final Map<String, List<Size>> values = new HashMap<>();

  private int unknown;

  private SymbolicShapes(Graph graph) {
    this.graph = graph;
  }

  /** The shapes of the tensors that the graph's nodes write, as far as they follow. */
  public static Map<String, List<Size>> of(Graph graph) {
    SymbolicShapes inference = new SymbolicShapes(graph);
    // By ONNX's specification equal names are equal sizes, but some exporters have one name for all
    // that varies: then a shape holds it twice.
    boolean trustsNames = graph.inputs().stream().allMatch(SymbolicShapes::hasDistinctNames);
    graph.inputs().forEach(input -> inference.addInput(input, trustsNames));
    for (Node node : graph.nodes()) {
      if (node.isStandard()) {
        inference.visit(node);
      }
    }
    return Collections.unmodifiableMap(inference.shapes);
  }

  private static boolean hasDistinctNames(ValueInfoProto input) {
    Set<String> names = new HashSet<>();
    return input.getType().getTensorType().getShape().getDimList().stream()
        .map(Dimension::getDimParam)
        .allMatch(name -> name.isEmpty() || names.add(name));
  }

  private void addInput(ValueInfoProto input, boolean trustsNames) {
    if (!input.getType().getTensorType().hasShape()) {
      return;
    }
    List<Size> shape = new ArrayList<>();
    for (Dimension size : input.getType().getTensorType().getShape().getDimList()) {
      if (size.hasDimValue() && size.getDimValue() >= 0) {
        shape.add(Size.of(size.getDimValue()));
      } else {
        boolean isNamed = trustsNames && !size.getDimParam().isEmpty();
        shape.add(isNamed ? new Size(-1, size.getDimParam()) : unknown());
      }
    }
    shapes.put(input.getName(), shape);
  }

  /** A size that is like no other. */
  private Size unknown() {
    return new Size(-1, "tare_" + unknown++);
  }

  private Optional<List<Size>> shape(String tensor) {
    List<Size> known = shapes.get(tensor);
    return known != null
        ? Optional.of(known)
        : graph
            .constant(tensor)
            .map(constant -> Arrays.stream(constant.shape()).mapToObj(Size::of).toList());
  }

  private Optional<List<Size>> values(String tensor) {
    List<Size> known = values.get(tensor);
    return known != null
        ? Optional.of(known)
        : graph
            .constant(tensor)
            .filter(constant -> constant.type() == ElementType.INT64)
            .filter(constant -> constant.size() <= MOST_SIZES)
            .filter(constant -> constant.rank() <= 1)
            .map(SymbolicShapes::sizes);
  }

  /** Negative numbers stay what they are: -1 of a Reshape. */
  private static List<Size> sizes(Tensor constant) {
    List<Size> sizes = new ArrayList<>();
    for (long value : constant.longs()) {
      sizes.add(Size.of(value));
    }
    return sizes;
  }

  private Optional<long[]> numbers(String tensor) {
    return graph
        .constant(tensor)
        .filter(constant -> constant.type() == ElementType.INT64)
        .map(Tensor::longs);
  }

  private void visit(Node node) {
    Optional<List<Size>> first = shape(node.input(0));
    Optional<List<Size>> found =
        switch (node.opType()) {
          case "MatMul" -> product(node);
          case "Gather" -> gathered(node);
          case "Shape" -> first.flatMap(shape -> shapeOf(node, shape));
          case "Unsqueeze" -> first.flatMap(shape -> unsqueezed(node, shape));
          case "Squeeze" -> first.flatMap(shape -> squeezed(node, shape));
          case "Concat" -> concatenated(node);
          case "Reshape" -> first.flatMap(shape -> reshaped(node, shape));
          case "Transpose" -> first.flatMap(shape -> transposed(node, shape));
          case "Slice" -> first.flatMap(shape -> sliced(node, shape));
          default -> {
            if (Operators.SAME_SHAPE.contains(node.opType())) {
              passOnValues(node);
              yield first;
            } else if (Operators.BROADCASTS.contains(node.opType())) {
              yield broadcast(node.inputs().stream().map(this::shape).toList());
            }
            yield Operators.REDUCES.contains(node.opType())
                ? first.flatMap(shape -> reduced(node, shape))
                : Optional.empty();
          }
        };
    found.ifPresent(shape -> shapes.put(node.output(0), List.copyOf(shape)));
  }

  private void passOnValues(Node node) {
    boolean isCopy = node.opType().equals("Cast") || node.opType().equals("Identity");
    if (isCopy) {
      values(node.input(0)).ifPresent(sizes -> values.put(node.output(0), sizes));
    }
  }

  private Optional<List<Size>> broadcast(List<Optional<List<Size>>> all) {
    List<Size> result = List.of();
    for (Optional<List<Size>> shape : all) {
      if (shape.isEmpty()) {
        return Optional.empty();
      }
      result = broadcast(result, shape.get());
    }
    return Optional.of(result);
  }

  private List<Size> broadcast(List<Size> left, List<Size> right) {
    int rank = Math.max(left.size(), right.size());
    List<Size> result = new ArrayList<>();
    for (int i = rank; i > 0; i--) {
      Size a = i > left.size() ? ONE : left.get(left.size() - i);
      Size b = i > right.size() ? ONE : right.get(right.size() - i);
      if (a.equals(b) || b.equals(ONE)) {
        result.add(a);
      } else if (a.equals(ONE)) {
        result.add(b);
      } else if (a.isNumber() || b.isNumber()) {
        // A size that varies has to be 1 or the number, which is above 1 or 0.
        result.add(a.isNumber() ? a : b);
      } else {
        result.add(unknown());
      }
    }
    return result;
  }

  private Optional<List<Size>> product(Node node) {
    List<Size> left = shape(node.input(0)).orElse(List.of());
    List<Size> right = shape(node.input(1)).orElse(List.of());
    if (left.size() < 2 || right.size() < 2) {
      return Optional.empty();
    }
    List<Size> result =
        new ArrayList<>(
            broadcast(left.subList(0, left.size() - 2), right.subList(0, right.size() - 2)));
    result.add(left.get(left.size() - 2));
    result.add(right.get(right.size() - 1));
    return Optional.of(result);
  }

  private Optional<List<Size>> gathered(Node node) {
    Optional<List<Size>> data = shape(node.input(0));
    Optional<List<Size>> index = shape(node.input(1));
    if (data.isEmpty() || index.isEmpty()) {
      return Optional.empty();
    }
    int axis = axis(node.intAttribute("axis", 0), data.get().size());
    List<Size> result = new ArrayList<>(data.get().subList(0, axis));
    result.addAll(index.get());
    result.addAll(data.get().subList(axis + 1, data.get().size()));
    Optional<List<Size>> sizes = values(node.input(0));
    Optional<long[]> chosen = numbers(node.input(1));
    if (sizes.isPresent() && chosen.isPresent()) {
      List<Size> picked = new ArrayList<>();
      for (long i : chosen.get()) {
        picked.add(sizes.get().get(axis(i, sizes.get().size())));
      }
      values.put(node.output(0), picked);
    }
    return Optional.of(result);
  }

  private static int axis(long axis, int rank) {
    return (int) (axis < 0 ? axis + rank : axis);
  }

  private Optional<List<Size>> shapeOf(Node node, List<Size> shape) {
    int from = bound(node.intAttribute("start", 0), shape.size());
    int to = bound(node.intAttribute("end", shape.size()), shape.size());
    List<Size> part = from < to ? shape.subList(from, to) : List.of();
    values.put(node.output(0), List.copyOf(part));
    return Optional.of(List.of(Size.of(part.size())));
  }

  private static int bound(long place, int size) {
    return (int) Math.max(0, Math.min(size, place < 0 ? place + size : place));
  }

  private Optional<List<Size>> unsqueezed(Node node, List<Size> shape) {
    return numbers(node.input(1))
        .map(
            axes -> {
              int rank = shape.size() + axes.length;
              Set<Integer> added = new TreeSet<>();
              for (long axis : axes) {
                added.add(axis(axis, rank));
              }
              List<Size> result = new ArrayList<>(shape);
              added.forEach(axis -> result.add(axis, ONE));
              values(node.input(0)).ifPresent(sizes -> values.put(node.output(0), sizes));
              return result;
            });
  }

  private Optional<List<Size>> squeezed(Node node, List<Size> shape) {
    return numbers(node.input(1))
        .map(
            axes -> {
              Set<Integer> gone = new TreeSet<>(Comparator.reverseOrder());
              for (long axis : axes) {
                gone.add(axis(axis, shape.size()));
              }
              List<Size> result = new ArrayList<>(shape);
              gone.forEach(axis -> result.remove((int) axis));
              values(node.input(0)).ifPresent(sizes -> values.put(node.output(0), sizes));
              return result;
            });
  }

  private Optional<List<Size>> concatenated(Node node) {
    List<Size> all = new ArrayList<>();
    List<Size> result = null;
    boolean hasValues = true;
    long length = 0;
    for (String input : node.inputs()) {
      Optional<List<Size>> shape = shape(input);
      if (shape.isEmpty() || shape.get().isEmpty()) {
        return Optional.empty();
      }
      int axis = axis(node.intAttribute("axis", 0), shape.get().size());
      Size along = shape.get().get(axis);
      length = along.isNumber() && length >= 0 ? length + along.number() : -1;
      result = result == null ? new ArrayList<>(shape.get()) : result;
      result.set(axis, length >= 0 ? Size.of(length) : unknown());
      Optional<List<Size>> sizes = values(input);
      hasValues &= sizes.isPresent() && shape.get().size() == 1;
      sizes.ifPresent(all::addAll);
    }
    if (hasValues) {
      values.put(node.output(0), all);
    }
    return Optional.ofNullable(result);
  }

  private Optional<List<Size>> reshaped(Node node, List<Size> shape) {
    Optional<List<Size>> target = values(node.input(1));
    if (target.isEmpty() || node.intAttribute("allowzero", 0) != 0) {
      return Optional.empty();
    }
    List<Size> result = new ArrayList<>(target.get());
    int open = -1;
    for (int i = 0; i < result.size(); i++) {
      Size size = result.get(i);
      if (size.name().isEmpty() && size.number() == 0) {
        if (i >= shape.size()) {
          return Optional.empty();
        }
        result.set(i, shape.get(i));
      } else if (size.name().isEmpty() && size.number() < 0) {
        open = i;
      }
    }
    if (open >= 0) {
      List<Size> others = new ArrayList<>(result);
      others.remove(open);
      result.set(open, quotient(shape, others));
    }
    return Optional.of(result);
  }

  /** What is left of the product of sizes after division by others. */
  private Size quotient(List<Size> sizes, List<Size> others) {
    List<Size> names = new ArrayList<>(sizes.stream().filter(size -> !size.isNumber()).toList());
    for (Size other : others) {
      if (!other.isNumber() && !names.remove(other)) {
        return unknown();
      }
    }
    long above = product(sizes);
    long below = product(others);
    if (below == 0 || above % below != 0 || names.size() > 1) {
      return unknown();
    }
    if (names.isEmpty()) {
      return Size.of(above / below);
    }
    return above == below ? names.get(0) : unknown();
  }

  private static long product(List<Size> sizes) {
    long product = 1;
    for (Size size : sizes) {
      product *= size.isNumber() ? size.number() : 1;
    }
    return product;
  }

  private static Optional<List<Size>> transposed(Node node, List<Size> shape) {
    List<Long> order = node.intsAttribute("perm");
    List<Size> result = new ArrayList<>(shape);
    if (order.isEmpty()) {
      Collections.reverse(result);
      return Optional.of(result);
    }
    if (order.size() != shape.size()) {
      return Optional.empty();
    }
    for (int i = 0; i < order.size(); i++) {
      result.set(i, shape.get((int) (long) order.get(i)));
    }
    return Optional.of(result);
  }

  private Optional<List<Size>> sliced(Node node, List<Size> shape) {
    Optional<long[]> axes = numbers(node.input(3));
    if (axes.isEmpty()) {
      return Optional.empty();
    }
    List<Size> result = new ArrayList<>(shape);
    for (long axis : axes.get()) {
      result.set(axis(axis, shape.size()), unknown());
    }
    return Optional.of(result);
  }

  private Optional<List<Size>> reduced(Node node, List<Size> shape) {
    List<Long> axes = new ArrayList<>(node.intsAttribute("axes"));
    if (!node.input(1).isEmpty()) {
      Optional<long[]> given = numbers(node.input(1));
      if (given.isEmpty()) {
        return Optional.empty();
      }
      for (long axis : given.get()) {
        axes.add(axis);
      }
    }
    if (axes.isEmpty()) {
      return Optional.empty();
    }
    boolean keeps = node.intAttribute("keepdims", 1) != 0;
    Set<Integer> reduced = new HashSet<>();
    axes.forEach(axis -> reduced.add(axis(axis, shape.size())));
    List<Size> result = new ArrayList<>();
    for (int i = 0; i < shape.size(); i++) {
      if (!reduced.contains(i)) {
        result.add(shape.get(i));
      } else if (keeps) {
        result.add(ONE);
      }
    }
    return Optional.of(result);
  }
}
