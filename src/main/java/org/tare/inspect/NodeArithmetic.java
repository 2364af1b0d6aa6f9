package org.tare.inspect;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.Attention;
import org.tare.onnx.ElementType;
import org.tare.onnx.GraphScope;
import org.tare.onnx.GraphScope.Item;
import org.tare.onnx.GraphScope.Place;
import org.tare.onnx.Operators;

/**
 * Whether the nodes of a quantized model compute with integers or with floats, as far as the
 * structure shows it.
 *
 * <p>An operator on integers computes with integers. A float operator does if a runtime can fuse
 * its pairs: all that it reads is dequantized and all that it computes is quantized again, after a
 * Relu or Clip if there is one; of MatMul and Gemm the result may stay float. Operators for which
 * ONNX Runtime has no integer kernel are left out of that. What touches no floats (shapes, indices,
 * conditions) and nodes that hold subgraphs are neither.
 */
final class NodeArithmetic {
  enum Kind {
    INTEGER,
    FLOAT,
    CONVERSION,
    NEITHER
  }

  /**
   * @param reason why a node is float, else empty
   */
  record Verdict(Kind kind, String reason) {}

  private enum Content {
    FLOAT,
    QUANTIZED,
    OTHER
  }

  private static final Verdict INTEGER = new Verdict(Kind.INTEGER, "");
  private static final Verdict CONVERSION = new Verdict(Kind.CONVERSION, "");
  private static final Verdict NEITHER = new Verdict(Kind.NEITHER, "");

  private final Set<Place> quantized;
  private final QuantizedNeighbours neighbours;
  private final Map<Item, Verdict> verdicts = new HashMap<>();
  private final Map<Place, Content> contents = new HashMap<>();

  /**
   * @param quantized the places of the tensors that hold integers
   */
  NodeArithmetic(Set<Place> quantized, QuantizedNeighbours neighbours) {
    this.quantized = quantized;
    this.neighbours = neighbours;
  }

  Verdict verdict(Item item) {
    return verdicts.get(item);
  }

  /** Judges a node. The nodes whose outputs it reads come first. */
  void visit(Item item) {
    verdicts.put(item, judge(item));
    Content result = result(item);
    for (String output : item.node().outputs()) {
      if (!output.isEmpty()) {
        contents.put(item.scope().place(output), stated(item.scope(), output).orElse(result));
      }
    }
  }

  private Verdict judge(Item item) {
    if (item.hasSubgraph()) {
      return NEITHER;
    }
    if (item.is("QuantizeLinear")
        || item.is("DequantizeLinear")
        || item.is("DynamicQuantizeLinear")
        || isScaling(item)) {
      return CONVERSION;
    }
    if (item.isKnownDomain() && Operators.STORED_WEIGHT.contains(item.op())) {
      // ONNX Runtime's level 4: the activations are quantized on the way.
      return item.node().intAttribute("accuracy_level", 0) == 4
          ? INTEGER
          : new Verdict(Kind.FLOAT, "only its weight is quantized");
    }
    if (QuantizedOperator.of(item).isPresent()) {
      return INTEGER;
    }
    if (item.isKnownDomain()
        && (Operators.WITHOUT_FLOAT_RESULT.contains(item.op()) || item.is("Cast"))) {
      return NEITHER;
    }
    boolean readsIntegers =
        item.node().inputs().stream()
            .anyMatch(in -> !in.isEmpty() && content(item, in) == Content.QUANTIZED);
    if (readsIntegers) {
      return INTEGER;
    }
    boolean readsFloats = item.node().inputs().stream().anyMatch(in -> isComputedFloat(item, in));
    return readsFloats && result(item) == Content.FLOAT ? judgeFloat(item) : NEITHER;
  }

  private Verdict judgeFloat(Item item) {
    List<String> inputs = item.node().inputs();
    boolean isFusedFunction =
        QuantizedNeighbours.isFunction(item)
            && item.scope()
                .producer(item.node().input(0))
                .filter(producer -> INTEGER.equals(verdicts.get(producer)))
                .isPresent()
            && neighbours.isQuantizedAgain(item);
    if (isFusedFunction) {
      return INTEGER;
    }
    boolean readsActivation =
        inputs.stream().anyMatch(in -> QuantizedNeighbours.isDequantizedActivation(item, in));
    if (!readsActivation) {
      boolean readsWeight =
          inputs.stream().anyMatch(in -> isComputedFloat(item, in) && dequantized(item, in));
      return new Verdict(
          Kind.FLOAT, readsWeight ? "only its weight is quantized" : "no quantized input");
    }
    if (Attention.matches(item.node())) {
      return new Verdict(Kind.FLOAT, "ONNX Runtime does not fuse the pairs around it");
    }
    if (!item.isKnownDomain() || !Operators.FUSES_PAIRS.contains(item.op())) {
      return new Verdict(Kind.FLOAT, "no integer kernel is known for it");
    }
    boolean readsFloat =
        inputs.stream()
            .anyMatch(
                in ->
                    isComputedFloat(item, in)
                        ? !dequantized(item, in)
                        : Operators.QUANTIZED_OPERANDS.contains(item.op())
                            && !in.isEmpty()
                            && content(item, in) == Content.FLOAT);
    if (readsFloat) {
      return new Verdict(Kind.FLOAT, "not all that it reads is quantized");
    }
    if (item.is("MatMul") || item.is("Gemm") || neighbours.isQuantizedAgain(item)) {
      return INTEGER;
    }
    return new Verdict(Kind.FLOAT, "what it computes is not quantized");
  }

  /** A node that scales the product of ConvInteger or MatMulInteger back to floats. */
  private static boolean isScaling(Item item) {
    if (!item.is("Mul")) {
      return false;
    }
    for (String input : item.node().inputs()) {
      Optional<Item> producer = item.scope().producer(input);
      boolean isScale = producer.filter(p -> p.is("DynamicQuantizeLinear")).isPresent();
      boolean isProduct =
          producer
              .filter(p -> p.is("Cast"))
              .flatMap(cast -> cast.scope().producer(cast.node().input(0)))
              .filter(p -> p.is("ConvInteger") || p.is("MatMulInteger"))
              .isPresent();
      if (isScale || isProduct) {
        return true;
      }
    }
    return false;
  }

  private boolean isComputedFloat(Item item, String input) {
    return !input.isEmpty()
        && item.scope().constantPlace(input).isEmpty()
        && content(item, input) == Content.FLOAT;
  }

  private static boolean dequantized(Item item, String input) {
    return item.scope().producer(input).filter(p -> p.is("DequantizeLinear")).isPresent();
  }

  private Content content(Item item, String tensor) {
    GraphScope scope = item.scope();
    Place place = scope.place(tensor);
    if (quantized.contains(place)) {
      return Content.QUANTIZED;
    }
    Content computed = contents.get(place);
    if (computed != null) {
      return computed;
    }
    return scope
        .constant(tensor)
        .map(constant -> of(constant.type()))
        .or(() -> stated(scope, tensor))
        .orElse(Content.FLOAT);
  }

  private Optional<Content> stated(GraphScope scope, String tensor) {
    return quantized.contains(scope.place(tensor))
        ? Optional.of(Content.QUANTIZED)
        : scope.type(tensor).filter(type -> type != ElementType.OTHER).map(NodeArithmetic::of);
  }

  private static Content of(ElementType type) {
    return type.isFloat() ? Content.FLOAT : Content.OTHER;
  }

  private Content result(Item item) {
    String op = item.op();
    if (!item.isKnownDomain() || item.hasSubgraph()) {
      return Content.FLOAT;
    }
    if (op.equals("Cast")) {
      return of(ElementType.ofCode(item.node().intAttribute("to", 1)));
    }
    if (op.equals("ConstantOfShape")) {
      return item.node()
          .tensorAttribute("value")
          .map(value -> of(value.type()))
          .orElse(Content.FLOAT);
    }
    if (Operators.WITHOUT_FLOAT_RESULT.contains(op)) {
      return Content.OTHER;
    }
    if (op.equals("DequantizeLinear")
        || Operators.STORED_WEIGHT.contains(op)
        || QuantizedOperator.of(item).isPresent()) {
      return Content.FLOAT;
    }
    Content result = Content.OTHER;
    for (String input : item.node().inputs()) {
      Content content = input.isEmpty() ? Content.OTHER : content(item, input);
      if (content == Content.QUANTIZED) {
        return Content.QUANTIZED;
      }
      result = content == Content.FLOAT ? content : result;
    }
    return result;
  }
}
