package org.tare.inspect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.tare.inspect.QuantizedOperator.Slot;
import org.tare.onnx.ElementType;
import org.tare.onnx.GraphScope;
import org.tare.onnx.GraphScope.Item;
import org.tare.onnx.GraphScope.Place;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.plan.FloatNode;

/**
 * What is quantized in a model, whoever wrote it: found from the operators of ONNX and of
 * com.microsoft, in subgraphs too. The model is not run.
 *
 * @param tensors the quantized tensors, in the order of the graph; a tensor that several nodes read
 *     is one
 * @param weights what constants take up, by the type they are stored in, floats included; other
 *     constants (shapes, indices) are none
 * @param qparamsBytes what constant scales and zero points take up
 * @param operators the nodes that compute with floats or with integers that stand for floats, by
 *     operator
 * @param conversions how many nodes convert between the two: QuantizeLinear, DequantizeLinear,
 *     DynamicQuantizeLinear, and what scales the products of ConvInteger and MatMulInteger
 * @param floatNodes the nodes that compute with floats
 */
public record ModelInspection(
    List<QuantizedTensor> tensors,
    List<Weights> weights,
    long qparamsBytes,
    List<OperatorCount> operators,
    int conversions,
    List<FloatNode> floatNodes) {

  /** What a quantized tensor is for. */
  public enum Kind {
    ACTIVATION,
    WEIGHT,
    BIAS
  }

  /** How a model says that it is quantized. */
  public enum Form {
    /** Float operators between QuantizeLinear and DequantizeLinear, for a runtime to fuse. */
    QDQ,
    /** Operators on integers with their scales beside: QLinearConv and the like. */
    QOPERATOR,
    /** The activations' scales are computed as the model runs. */
    DYNAMIC,
    /** Integers in the file alone; what computes, computes with floats. */
    WEIGHT_ONLY;

    /** The name for people: {@code weight-only}. */
    public String id() {
      return switch (this) {
        case QDQ -> "QDQ";
        case QOPERATOR -> "QOperator";
        case DYNAMIC -> "dynamic";
        case WEIGHT_ONLY -> "weight-only";
      };
    }
  }

  /**
   * Scales, or zero points, of one tensor.
   *
   * @param count 0 where they are not in the file: computed as the model runs
   * @param least NaN if there are none
   */
  public record Figures(long count, double least, double greatest) {
    static final Figures UNKNOWN = new Figures(0, Double.NaN, Double.NaN);

    static Figures of(double... values) {
      return values.length == 0
          ? UNKNOWN
          : new Figures(
              values.length,
              Arrays.stream(values).min().getAsDouble(),
              Arrays.stream(values).max().getAsDouble());
    }

    private Figures times(Figures other) {
      return count == 0 || other.count == 0
          ? UNKNOWN
          : new Figures(
              Math.max(count, other.count), least * other.least, greatest * other.greatest);
    }
  }

  /**
   * A quantized tensor.
   *
   * @param name of an activation in QDQ form or dynamic, that of the float tensor; in a subgraph,
   *     behind the names of the nodes that lead there
   * @param type of the integers, as {@code uint8}
   * @param values of a constant, how many it has; 0 of an activation
   * @param bytes of a constant, as it is stored
   * @param axis the axis along which the scales differ, or -1
   * @param blockSize how many values along the axis share a scale, or 0 if all at one place do
   */
  public record QuantizedTensor(
      String name,
      Kind kind,
      Form form,
      String type,
      long values,
      long bytes,
      Figures scale,
      Figures zeroPoint,
      int axis,
      int blockSize) {}

  /** How many values the constants of one type hold. */
  public record Weights(String type, long values, long bytes) {}

  /** How many nodes of one operator compute with integers, and with floats. */
  public record OperatorCount(String opType, int integers, int floats) {}

  public ModelInspection {
    tensors = List.copyOf(tensors);
    weights = List.copyOf(weights);
    operators = List.copyOf(operators);
    floatNodes = List.copyOf(floatNodes);
  }

  /**
   * Inspects a model.
   *
   * @param reasons why nodes stay float, by {@code OpType(name)}, from whoever quantized the model;
   *     for others the reason is what the structure shows
   */
  public static ModelInspection of(OnnxModel model, Map<String, String> reasons) {
    List<Item> items = new ArrayList<>();
    List<GraphScope> scopes = new ArrayList<>();
    GraphScope.read(model.graph(), items, scopes);
    QuantizedNeighbours neighbours = new QuantizedNeighbours();
    Search search = new Search(neighbours);
    items.forEach(search::visit);
    NodeArithmetic arithmetic = new NodeArithmetic(search.integers, neighbours);
    items.forEach(arithmetic::visit);
    Map<String, int[]> counts = new TreeMap<>();
    List<FloatNode> floats = new ArrayList<>();
    int conversions = 0;
    for (Item item : items) {
      String stated = reasons.get(item.node().toString());
      NodeArithmetic.Verdict verdict = arithmetic.verdict(item);
      boolean isFloat = stated != null || verdict.kind() == NodeArithmetic.Kind.FLOAT;
      if (isFloat) {
        floats.add(
            new FloatNode(
                item.op(),
                new Place(item.scope(), item.node().label()).label(),
                stated != null ? stated : verdict.reason()));
        counts.computeIfAbsent(item.op(), k -> new int[2])[1]++;
      } else if (verdict.kind() == NodeArithmetic.Kind.INTEGER) {
        counts.computeIfAbsent(item.op(), k -> new int[2])[0]++;
      } else if (verdict.kind() == NodeArithmetic.Kind.CONVERSION) {
        conversions++;
      }
    }
    List<OperatorCount> operators = new ArrayList<>();
    counts.forEach((op, count) -> operators.add(new OperatorCount(op, count[0], count[1])));
    return new ModelInspection(
        List.copyOf(new java.util.LinkedHashSet<>(search.found.values())),
        search.weights(scopes),
        search.qparamsBytes(),
        operators,
        conversions,
        floats);
  }

  /** Bytes of constants with their scales and zero points, to each value of them. */
  public double bytesPerWeight() {
    long values = weights.stream().mapToLong(Weights::values).sum();
    long bytes = weights.stream().mapToLong(Weights::bytes).sum() + qparamsBytes;
    return values == 0 ? 0 : (double) bytes / values;
  }

  /** How many tensors are of the kind. */
  public long count(Kind kind) {
    return tensors.stream().filter(tensor -> tensor.kind() == kind).count();
  }

  /** Finds the quantized tensors. */
  private static final class Search {
    private final Map<Place, QuantizedTensor> found = new LinkedHashMap<>();
    private final Set<Place> integers = new HashSet<>();
    private final Set<Place> qparams = new HashSet<>();
    private final QuantizedNeighbours neighbours;

    Search(QuantizedNeighbours neighbours) {
      this.neighbours = neighbours;
    }

    void visit(Item item) {
      if (item.is("QuantizeLinear")) {
        quantize(item);
      } else if (item.is("DequantizeLinear")) {
        dequantize(item);
      } else if (item.is("DynamicQuantizeLinear")) {
        add(item.scope().place(item.node().output(0)), dynamic(item, item.node().input(0)));
      } else if (item.is("MatMulNBits")) {
        matMulNBits(item);
      } else if (item.is("MatMulBnb4")) {
        matMulBnb4(item);
      } else if (item.is("GatherBlockQuantized")) {
        gatherBlockQuantized(item);
      } else {
        QuantizedOperator.of(item).ifPresent(operator -> operator(item, operator));
      }
    }

    private void quantize(Item item) {
      Node node = item.node();
      Place place = item.scope().place(node.output(0));
      Optional<Tensor> constant = item.scope().constant(node.input(0));
      Figures scale = figures(item, 1);
      Form form = scale.count() == 0 ? Form.DYNAMIC : Form.QDQ;
      if (form == Form.QDQ && constant.isEmpty() && feedsIntegers(item)) {
        form = Form.QOPERATOR;
      }
      Kind kind = constant.isEmpty() ? Kind.ACTIVATION : Kind.WEIGHT;
      ElementType type =
          integerType(
              item,
              2,
              ElementType.ofCode(node.intAttribute("output_dtype", ElementType.UINT8.code())));
      int rank = constant.map(Tensor::rank).orElse(0);
      add(
          place,
          new QuantizedTensor(
              item.scope().place(node.input(0)).label(),
              kind,
              form,
              type.id(),
              constant.map(Tensor::size).orElse(0L),
              constant.map(Search::bytes).orElse(0L),
              scale,
              zeroPoint(item, 2, scale),
              axis(node, scale, rank),
              (int) node.intAttribute("block_size", 0)));
    }

    private static boolean feedsIntegers(Item item) {
      return item.scope().consumers(item.node().output(0)).stream()
          .anyMatch(
              reader ->
                  QuantizedOperator.of(reader).isPresent()
                      || (reader.is("Clip") && feedsIntegers(reader)));
    }

    /** Where integers are made that a Clip keeps within fewer bits: the same tensor. */
    private Place unclipped(Item item, String tensor) {
      return item.scope()
          .producer(tensor)
          .filter(producer -> producer.is("Clip"))
          .map(clip -> clip.scope().place(clip.node().input(0)))
          .filter(integers::contains)
          .orElseGet(() -> item.scope().place(tensor));
    }

    private void dequantize(Item item) {
      Node node = item.node();
      Optional<Place> constantPlace = item.scope().source(node.input(0));
      Place place = constantPlace.orElseGet(() -> unclipped(item, node.input(0)));
      Figures scale = figures(item, 1);
      Figures zeroPoint = zeroPoint(item, 2, scale);
      int blockSize = (int) node.intAttribute("block_size", 0);
      if (constantPlace.isEmpty()) {
        ElementType stated = item.scope().type(node.input(0)).orElse(ElementType.UINT8);
        add(
            place,
            new QuantizedTensor(
                place.label(),
                Kind.ACTIVATION,
                scale.count() == 0 ? Form.DYNAMIC : Form.QDQ,
                integerType(item, 2, stated).id(),
                0,
                0,
                scale,
                zeroPoint,
                axis(node, scale, 0),
                blockSize));
        return;
      }
      Tensor constant = place.scope().constants().get(place.tensor());
      ElementType type = constant.type();
      boolean isBias =
          type == ElementType.INT32
              || item.scope().consumers(node.output(0)).stream()
                  .anyMatch(reader -> isBias(reader, node.output(0)));
      add(
          place,
          new QuantizedTensor(
              place.label(),
              isBias ? Kind.BIAS : Kind.WEIGHT,
              neighbours.meetsQuantizedActivation(item) ? Form.QDQ : Form.WEIGHT_ONLY,
              type.id(),
              constant.size(),
              bytes(constant),
              scale,
              zeroPoint,
              axis(node, scale, constant.rank()),
              blockSize));
    }

    private static boolean isBias(Item reader, String tensor) {
      return (reader.is("Conv") || reader.is("ConvTranspose") || reader.is("Gemm"))
          && reader.node().input(2).equals(tensor);
    }

    /** An activation that is quantized as the model runs. */
    private static QuantizedTensor dynamic(Item item, String tensor) {
      String name = item.scope().place(tensor).label();
      return activation(name, Form.DYNAMIC, ElementType.UINT8, Figures.UNKNOWN, Figures.UNKNOWN);
    }

    private void operator(Item item, QuantizedOperator operator) {
      Node node = item.node();
      boolean isInteger = item.is("ConvInteger") || item.is("MatMulInteger");
      boolean hasComputedScale =
          operator.inputs().stream()
              .anyMatch(slot -> slot.scale() >= 0 && figures(item, slot.scale()).count() == 0);
      Form form =
          isInteger || hasComputedScale || operator.dynamicInput() >= 0
              ? Form.DYNAMIC
              : item.is("QEmbedLayerNormalization") ? Form.WEIGHT_ONLY : Form.QOPERATOR;
      if (operator.dynamicInput() >= 0) {
        String input = node.input(operator.dynamicInput());
        // The integers have no name: they are inside of the operator.
        found.putIfAbsent(item.scope().place(input), dynamic(item, input));
      }
      for (Slot slot : operator.inputs()) {
        if (!node.input(slot.tensor()).isEmpty()) {
          operand(item, slot, form);
        }
      }
      String bias = operator.bias() < 0 ? "" : node.input(operator.bias());
      if (!bias.isEmpty()) {
        bias(item, operator, bias);
      }
      operator
          .output()
          .filter(slot -> !node.input(slot.scale()).isEmpty())
          .ifPresent(
              slot -> {
                Figures scale = figures(item, slot.scale());
                add(
                    item.scope().place(node.output(0)),
                    activation(
                        item.scope().place(node.output(0)).label(),
                        form,
                        integerType(item, slot.zeroPoint(), ElementType.UINT8),
                        scale,
                        zeroPoint(item, slot.zeroPoint(), scale)));
              });
    }

    private static QuantizedTensor activation(
        String name, Form form, ElementType type, Figures scale, Figures zeroPoint) {
      return new QuantizedTensor(
          name, Kind.ACTIVATION, form, type.id(), 0, 0, scale, zeroPoint, -1, 0);
    }

    private void operand(Item item, Slot slot, Form form) {
      Node node = item.node();
      String tensor = node.input(slot.tensor());
      Optional<Place> constantPlace = item.scope().source(tensor);
      Figures scale =
          slot.scale() < 0 ? productScale(item, slot.tensor()) : figures(item, slot.scale());
      Figures zeroPoint =
          node.input(slot.zeroPoint()).isEmpty()
              ? Figures.of(0)
              : zeroPoint(item, slot.zeroPoint(), scale);
      if (constantPlace.isEmpty()) {
        Place place = unclipped(item, tensor);
        add(
            place,
            activation(
                place.label(),
                form,
                integerType(item, slot.zeroPoint(), ElementType.UINT8),
                scale,
                zeroPoint));
        return;
      }
      Place place = constantPlace.get();
      Tensor constant = place.scope().constants().get(place.tensor());
      int rank = constant.rank();
      boolean hasAxis = Math.max(scale.count(), zeroPoint.count()) > 1;
      add(
          place,
          new QuantizedTensor(
              place.label(),
              Kind.WEIGHT,
              form,
              constant.type().id(),
              constant.size(),
              bytes(constant),
              scale,
              zeroPoint,
              hasAxis ? QuantizedOperator.weightAxis(node, rank) : -1,
              0));
    }

    private void bias(Item item, QuantizedOperator operator, String tensor) {
      Optional<Place> place = item.scope().constantPlace(tensor);
      if (place.isEmpty()) {
        return;
      }
      Tensor constant = item.scope().constant(tensor).orElseThrow();
      Figures scale =
          figures(item, operator.inputs().get(0).scale())
              .times(figures(item, operator.inputs().get(1).scale()));
      if (item.is("QGemm")) {
        scale = scale.times(Figures.of(item.node().floatAttribute("alpha", 1f)));
      }
      add(
          place.get(),
          new QuantizedTensor(
              place.get().label(),
              Kind.BIAS,
              Form.QOPERATOR,
              constant.type().id(),
              constant.size(),
              bytes(constant),
              scale,
              Figures.of(0),
              scale.count() > 1 ? 0 : -1,
              0));
    }

    /**
     * ConvInteger and MatMulInteger have no scales: the product is scaled after, by {@code
     * Mul(Cast(product), Mul(scale, scale))}, the scales in the order of the inputs.
     */
    private Figures productScale(Item item, int input) {
      for (Item cast : item.scope().consumers(item.node().output(0))) {
        for (Item scaling : cast.scope().consumers(cast.node().output(0))) {
          for (String factor : scaling.node().inputs()) {
            Optional<Item> product =
                scaling.scope().producer(factor).filter(producer -> producer.is("Mul"));
            if (scaling.is("Mul") && product.isPresent()) {
              return figures(product.get(), input);
            }
          }
        }
      }
      return Figures.UNKNOWN;
    }

    private void matMulNBits(Item item) {
      Node node = item.node();
      int bits = (int) node.intAttribute("bits", 4);
      long rows = node.intAttribute("N", 0);
      Figures scale = figures(item, 2);
      packed(
          item,
          1,
          bits,
          rows * node.intAttribute("K", 0),
          scale,
          blockZeroPoint(item, 3, bits, scale, rows),
          1);
    }

    private void gatherBlockQuantized(Item item) {
      Node node = item.node();
      Optional<Tensor> data = item.scope().constant(node.input(0));
      ElementType stored = data.map(tensor -> tensor.type()).orElse(ElementType.OTHER);
      int bits = stored.bits() == 8 ? (int) node.intAttribute("bits", 4) : stored.bits();
      long values = data.map(tensor -> tensor.size()).orElse(0L);
      long perElement = stored.bits() == 8 ? 8 / Math.max(1, bits) : 1;
      Figures scale = figures(item, 2);
      long lastDim =
          item.scope()
              .constant(node.input(2))
              .filter(tensor -> tensor.rank() > 0)
              .map(tensor -> tensor.dim(tensor.rank() - 1))
              .orElse(1L);
      Figures zeroPoint;
      if (node.input(3).isEmpty()) {
        // Of packed uint8, as in MatMulNBits; of int4 and uint4, zero.
        zeroPoint = Figures.of(stored.bits() == 8 ? 1 << (bits - 1) : 0);
      } else if (stored.bits() == 8) {
        long rows = lastDim == 0 ? 0 : scale.count() / lastDim;
        zeroPoint = blockZeroPoint(item, 3, bits, scale, rows);
      } else {
        zeroPoint = zeroPoint(item, 3, scale);
      }
      int axis = (int) node.intAttribute("quantize_axis", 1);
      String type = stored.isSigned() ? "int" + bits : "uint" + bits;
      packed(item, 0, type, values * perElement, scale, zeroPoint, axis);
    }

    /** Zero points of so many bits, packed in bytes; in the middle of the type if not given. */
    private Figures blockZeroPoint(Item item, int input, int bits, Figures scale, long rows) {
      String name = item.node().input(input);
      if (name.isEmpty()) {
        return Figures.of(1 << (bits - 1));
      }
      Optional<Tensor> constant = item.scope().constant(name);
      boolean isPacked = constant.filter(tensor -> tensor.type().bits() == 8).isPresent();
      if (!isPacked || rows <= 0) {
        return figures(item, input);
      }
      note(item, name);
      return Figures.of(constant.get().unpacked(bits, (int) rows, (int) (scale.count() / rows)));
    }

    private void matMulBnb4(Item item) {
      Node node = item.node();
      long values = node.intAttribute("N", 0) * node.intAttribute("K", 0);
      String type = node.intAttribute("quant_type", 1) == 0 ? "fp4" : "nf4";
      packed(item, 1, type, values, figures(item, 2), Figures.of(0), -1);
    }

    private void packed(
        Item item, int input, int bits, long values, Figures scale, Figures zeroPoint, int axis) {
      packed(item, input, "uint" + bits, values, scale, zeroPoint, axis);
    }

    private void packed(
        Item item,
        int input,
        String type,
        long values,
        Figures scale,
        Figures zeroPoint,
        int axis) {
      String tensor = item.node().input(input);
      Optional<Place> place = item.scope().constantPlace(tensor);
      if (place.isPresent()) {
        int blockSize = (int) item.node().intAttribute("block_size", 128);
        add(
            place.get(),
            new QuantizedTensor(
                place.get().label(),
                Kind.WEIGHT,
                Form.WEIGHT_ONLY,
                type,
                values,
                bytes(item.scope().constant(tensor).orElseThrow()),
                scale,
                zeroPoint,
                axis,
                blockSize));
      }
    }

    private void add(Place place, QuantizedTensor tensor) {
      integers.add(place);
      found.putIfAbsent(place, tensor);
    }

    /** The values of a constant input; none if it is computed. */
    private Figures figures(Item item, int input) {
      String name = item.node().input(input);
      note(item, name);
      return item.scope()
          .constant(name)
          .map(Tensor::numbers)
          .map(Figures::of)
          .orElse(Figures.UNKNOWN);
    }

    /** One zero where the zero point is not given, unknown where the scale is. */
    private Figures zeroPoint(Item item, int input, Figures scale) {
      if (item.node().input(input).isEmpty()) {
        return scale.count() == 0 ? Figures.UNKNOWN : Figures.of(0);
      }
      return figures(item, input);
    }

    private void note(Item item, String name) {
      item.scope().constantPlace(name).ifPresent(qparams::add);
    }

    private static ElementType integerType(Item item, int zeroPoint, ElementType absent) {
      return item.scope()
          .constant(item.node().input(zeroPoint))
          .map(tensor -> tensor.type())
          .orElse(absent);
    }

    /** The axis of QuantizeLinear and DequantizeLinear. */
    private static int axis(Node node, Figures scale, int rank) {
      if (scale.count() <= 1) {
        return -1;
      }
      long axis = node.intAttribute("axis", 1);
      return (int) (axis < 0 ? axis + rank : axis);
    }

    private static long bytes(Tensor tensor) {
      return tensor.type().bytes(tensor.size());
    }

    /** What constants take up by type: the quantized ones, and the floats. */
    List<Weights> weights(List<GraphScope> scopes) {
      Map<String, long[]> byType = new TreeMap<>();
      for (GraphScope scope : scopes) {
        scope
            .constants()
            .forEach(
                (name, tensor) -> {
                  Place place = new Place(scope, name);
                  QuantizedTensor quantized = found.get(place);
                  ElementType type = tensor.type();
                  long[] sums = null;
                  if (quantized != null) {
                    sums = byType.computeIfAbsent(quantized.type(), k -> new long[2]);
                    sums[0] += quantized.values();
                  } else if (type.isFloat() && !qparams.contains(place)) {
                    sums = byType.computeIfAbsent(type.id(), k -> new long[2]);
                    sums[0] += tensor.size();
                  }
                  if (sums != null) {
                    sums[1] += bytes(tensor);
                  }
                });
      }
      List<Weights> weights = new ArrayList<>();
      byType.forEach((type, sums) -> weights.add(new Weights(type, sums[0], sums[1])));
      return weights;
    }

    long qparamsBytes() {
      return qparams.stream()
          .mapToLong(place -> bytes(place.scope().constants().get(place.tensor())))
          .sum();
    }
  }
}
