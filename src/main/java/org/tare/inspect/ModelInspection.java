package org.tare.inspect;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.tare.onnx.GraphScope;
import org.tare.onnx.GraphScope.Item;
import org.tare.onnx.GraphScope.Place;
import org.tare.onnx.OnnxModel;
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

    Figures times(Figures other) {
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
    QuantizedTensors search = new QuantizedTensors(neighbours);
    items.forEach(search::visit);
    NodeArithmetic arithmetic = new NodeArithmetic(search.integers(), neighbours);
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
        search.found(),
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
}
