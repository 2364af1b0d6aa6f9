package org.tare.inspect;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.tare.inspect.ModelInspection.Figures;
import org.tare.inspect.ModelInspection.Form;
import org.tare.inspect.ModelInspection.Kind;
import org.tare.inspect.ModelInspection.QuantizedTensor;
import org.tare.inspect.ModelInspection.Weights;
import org.tare.inspect.QuantizedOperator.Slot;
import org.tare.onnx.ElementType;
import org.tare.onnx.GraphScope;
import org.tare.onnx.GraphScope.Item;
import org.tare.onnx.GraphScope.Place;
import org.tare.onnx.Node;
import org.tare.onnx.Tensor;

/** The quantized tensors of a graph, found node by node in the order of the graph. */
final class QuantizedTensors {
  private final Map<Place, QuantizedTensor> found = new LinkedHashMap<>();
  private final Set<Place> integers = new HashSet<>();
  private final Set<Place> qparams = new HashSet<>();
  private final QuantizedNeighbours neighbours;

  QuantizedTensors(QuantizedNeighbours neighbours) {
    this.neighbours = neighbours;
  }

  /** The places that hold integers. */
  Set<Place> integers() {
    return integers;
  }

  /** What was found, in the order of the graph; equal ones once. */
  List<QuantizedTensor> found() {
    return List.copyOf(new LinkedHashSet<>(found.values()));
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
            constant.map(QuantizedTensors::bytes).orElse(0L),
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
      Item item, int input, String type, long values, Figures scale, Figures zeroPoint, int axis) {
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
