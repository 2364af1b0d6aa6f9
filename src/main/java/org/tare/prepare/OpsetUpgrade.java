package org.tare.prepare;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.tare.TareException;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;

/**
 * Raises ONNX's operator set to {@value OnnxModel#MINIMUM_OPSET}, from 7 on: per-axis
 * DequantizeLinear needs it. Only operators whose form or meaning changed on the way are touched:
 *
 * <ul>
 *   <li>attributes that became inputs: Squeeze, Unsqueeze, ReduceSum (axes), Split (split), Clip
 *       (min, max), Pad (pads, value), Slice (starts, ends, axes), TopK (k), Dropout (ratio)
 *   <li>Upsample and Resize of set 10 become Resize of set 11 with asymmetric coordinates
 *   <li>Softmax, LogSoftmax and Hardmax flattened all axes from the given one on; where that is not
 *       the last axis, reshaping around the new form keeps it
 *   <li>BatchNormalization without its old "spatial" attribute
 *   <li>Scatter became ScatterElements
 * </ul>
 *
 * <p>On request it goes on to {@value OnnxModel#BLOCKED_OPSET}: the axes of reductions and of DFT
 * become inputs, an even Split says how many outputs it has, GridSample's modes have other names,
 * RoiAlign says which coordinates it has, GroupNormalization gets a scale and a bias per channel.
 */
public final class OpsetUpgrade {
  private static final int OLDEST = 7;
  private static final Set<String> REDUCTIONS =
      Set.of(
          "ReduceMean",
          "ReduceMax",
          "ReduceMin",
          "ReduceProd",
          "ReduceL1",
          "ReduceL2",
          "ReduceLogSum",
          "ReduceLogSumExp",
          "ReduceSumSquare");
  private static final Set<String> COERCED = Set.of("Softmax", "LogSoftmax", "Hardmax");

  private final Graph graph;
  private final int from;
  private final int target;
  private final Map<String, TensorType> types;
  private final List<Node> nodes = new ArrayList<>();

  private OpsetUpgrade(Graph graph, int from, int target, Map<String, TensorType> types) {
    this.graph = graph;
    this.from = from;
    this.target = target;
    this.types = types;
  }

  /**
   * Raises a model that is older than {@value OnnxModel#MINIMUM_OPSET}, or than one of its
   * functions, and puts functions in the place of their calls.
   *
   * @param types finds the types of the model's tensors; asked only where their ranks make the
   *     result simpler
   */
  static void apply(OnnxModel model, Function<OnnxModel, Map<String, TensorType>> types) {
    boolean asksRanks =
        model.opset() >= OLDEST
            && model.opset() < OnnxModel.MINIMUM_OPSET
            && model.graph().nodes().stream().anyMatch(OpsetUpgrade::isFlattening);
    int target = Math.max(OnnxModel.MINIMUM_OPSET, model.newestFunctionOpset());
    raise(model, target, asksRanks ? types.apply(model) : Map.of());
    int opset = model.opset();
    model.inlineFunctions((body, from) -> raiseBody(body, from, opset));
  }

  private static void raiseBody(Graph body, int from, int target) {
    if (from > 0 && from < target) {
      checkOldest(from);
      raise(body, from, target, Map.of());
    }
  }

  private static boolean isFlattening(Node node) {
    return node.isStandard()
        && COERCED.contains(node.opType())
        && node.intAttribute("axis", 1) != -1;
  }

  /**
   * Raises a model that is older than the given set.
   *
   * @param types of the model's tensors, as far as they are known
   */
  public static void raise(OnnxModel model, int target, Map<String, TensorType> types) {
    int opset = model.opset();
    if (opset >= target) {
      return;
    }
    checkOldest(opset);
    raise(model.graph(), opset, target, types);
    model.setOpset(target);
  }

  private static void checkOldest(int opset) {
    if (opset < OLDEST) {
      throw TareException.badInput(
          "Cannot use a model of operator set %d: Tare reads %d and newer; export it again, or convert"
              + " it with ONNX's version converter",
          opset, OLDEST);
    }
  }

  private static void raise(Graph graph, int from, int target, Map<String, TensorType> types) {
    // A name inside may be another tensor's outside.
    graph.editSubgraphs(inner -> raise(inner, from, target, Map.of()));
    OpsetUpgrade upgrade = new OpsetUpgrade(graph, from, target, types);
    for (Node node : graph.nodes()) {
      if (node.isStandard() && from < OnnxModel.MINIMUM_OPSET) {
        upgrade.convert(node);
      } else {
        upgrade.nodes.add(node);
      }
    }
    if (target > OnnxModel.MINIMUM_OPSET) {
      List<Node> at13 = List.copyOf(upgrade.nodes);
      upgrade.nodes.clear();
      for (Node node : at13) {
        if (node.isStandard()) {
          upgrade.convertBeyond13(node);
        }
        upgrade.nodes.add(node);
      }
    }
    graph.setNodes(upgrade.nodes);
  }

  /** Whether a set's changes lie on the way. */
  private boolean passes(int set) {
    return from < set && set <= target;
  }

  private void convertBeyond13(Node node) {
    if (passes(18) && REDUCTIONS.contains(node.opType())) {
      intsToInput(node, "axes", 1);
    }
    boolean isEvenSplit = node.opType().equals("Split") && node.input(1).isEmpty();
    if (passes(18) && isEvenSplit) {
      node.setInt("num_outputs", node.outputs().size());
    }
    if (passes(16) && node.opType().equals("RoiAlign")) {
      node.setString("coordinate_transformation_mode", "output_half_pixel");
    }
    if (passes(20) && node.opType().equals("DFT")) {
      node.setInput(2, scalar(node, "axis", node.intAttribute("axis", 1)));
      node.removeAttribute("axis");
    }
    if (passes(21) && node.opType().equals("GroupNormalization")) {
      perChannel(node, 1);
      perChannel(node, 2);
    }
    if (passes(20) && node.opType().equals("GridSample")) {
      switch (node.stringAttribute("mode", "bilinear")) {
        case "bilinear" -> node.setString("mode", "linear");
        case "bicubic" -> node.setString("mode", "cubic");
        default -> {}
      }
    }
  }

  /**
   * Lets an input of a GroupNormalization, one value for each group, be one for each channel: set
   * 21 reads it so. Of a constant beside a known number of channels the values are repeated; else
   * the model does it as it runs.
   */
  private void perChannel(Node node, int input) {
    long groups = node.intAttribute("num_groups", 1);
    TensorType type = types.get(node.input(0));
    long channels = type != null && type.rank() > 1 ? type.shape()[1] : -1;
    Optional<Tensor> constant = graph.constant(node.input(input)).filter(Tensor::isFloat);
    String name = graph.freshName(node.input(input) + "_channels");
    if (constant.isPresent() && channels > 0) {
      float[] of = constant.get().floats();
      float[] repeated = new float[(int) channels];
      for (int c = 0; c < repeated.length; c++) {
        repeated[c] = of[(int) (c * groups / channels)];
      }
      graph.addConstant(Tensor.ofFloats(name, new long[] {channels}, repeated));
    } else {
      expand(node, input, groups, name);
    }
    node.setInput(input, name);
  }

  /** values [groups] to [groups, channels / groups], read in one go. */
  private void expand(Node node, int input, long groups, String name) {
    String count = added(node, "Shape", "count", List.of(node.input(0)));
    nodes.get(nodes.size() - 1).setInt("start", 1);
    nodes.get(nodes.size() - 1).setInt("end", 2);
    String divisor = constant(node, "groups", List.of(groups));
    String each = added(node, "Div", "each", List.of(count, divisor));
    String shape = added(node, "Concat", "grid", List.of(divisor, each));
    nodes.get(nodes.size() - 1).setInt("axis", 0);
    String last = constant(node, "last", List.of(1L));
    String column = added(node, "Unsqueeze", "column", List.of(node.input(input), last));
    String grid = added(node, "Expand", "expanded", List.of(column, shape));
    String flat = constant(node, "all", List.of(-1L));
    nodes.add(Node.of("Reshape", name, List.of(grid, flat), List.of(name)));
  }

  private String added(Node of, String operator, String what, List<String> inputs) {
    String name = graph.freshName(of.label() + "_" + what);
    nodes.add(Node.of(operator, name, inputs, List.of(name)));
    return name;
  }

  private void convert(Node node) {
    switch (node.opType()) {
      case "Squeeze", "Unsqueeze", "ReduceSum" -> intsToInput(node, "axes", 1);
      case "Split" -> intsToInput(node, "split", 1);
      case "Slice" -> convertSlice(node);
      case "Clip" -> convertClip(node);
      case "Pad" -> convertPad(node);
      case "TopK" -> convertTopK(node);
      case "Dropout" -> convertDropout(node);
      case "BatchNormalization" -> node.removeAttribute("spatial");
      case "Scatter" -> {
        Node scatter = Node.of("ScatterElements", node.name(), node.inputs(), node.outputs());
        scatter.copyAttributes(node);
        nodes.add(scatter);
        return;
      }
      case "Upsample", "Resize" -> {
        if (from < 11) {
          nodes.add(asResize(node));
          return;
        }
      }
      default -> {
        if (COERCED.contains(node.opType())) {
          convertSoftmax(node);
          return;
        }
      }
    }
    nodes.add(node);
  }

  private void intsToInput(Node node, String attribute, int index) {
    List<Long> values = node.intsAttribute(attribute);
    if (!values.isEmpty()) {
      node.setInput(index, constant(node, attribute, values));
    }
    node.removeAttribute(attribute);
  }

  private String constant(Node node, String what, List<Long> values) {
    String name = graph.freshName(node.label() + "_" + what);
    long[] array = values.stream().mapToLong(Long::longValue).toArray();
    graph.addConstant(Tensor.ofLongs(name, new long[] {array.length}, array));
    return name;
  }

  private String scalar(Node node, String what, long value) {
    String name = graph.freshName(node.label() + "_" + what);
    graph.addConstant(Tensor.ofLongs(name, new long[0], value));
    return name;
  }

  private String constant(Node node, String what, float value) {
    String name = graph.freshName(node.label() + "_" + what);
    graph.addConstant(Tensor.ofFloats(name, new long[0], value));
    return name;
  }

  private void convertSlice(Node node) {
    if (from < 10) {
      intsToInput(node, "starts", 1);
      intsToInput(node, "ends", 2);
      intsToInput(node, "axes", 3);
    }
  }

  private void floatToInput(Node node, String attribute, int input) {
    if (node.hasAttribute(attribute)) {
      node.setInput(input, constant(node, attribute, node.floatAttribute(attribute, 0f)));
      node.removeAttribute(attribute);
    }
  }

  private void convertClip(Node node) {
    if (from < 11) {
      floatToInput(node, "min", 1);
      floatToInput(node, "max", 2);
    }
  }

  private void convertPad(Node node) {
    if (from < 11) {
      float value = node.floatAttribute("value", 0f);
      intsToInput(node, "pads", 1);
      if (value != 0f) {
        node.setInput(2, constant(node, "value", value));
      }
      node.removeAttribute("value");
    }
  }

  private void convertTopK(Node node) {
    if (from < 10) {
      node.setInput(1, constant(node, "k", List.of(node.intAttribute("k", 1))));
      node.removeAttribute("k");
    }
  }

  private void convertDropout(Node node) {
    if (from < 12) {
      floatToInput(node, "ratio", 1);
    }
  }

  /** Upsample and the Resize of set 10 sample at {@code x / scale}: "asymmetric" with "floor". */
  private Node asResize(Node node) {
    String scales = node.input(1);
    if (node.opType().equals("Upsample") && scales.isEmpty()) {
      List<Float> values = node.floatsAttribute("scales");
      float[] array = new float[values.size()];
      for (int i = 0; i < array.length; i++) {
        array[i] = values.get(i);
      }
      scales = graph.freshName(node.label() + "_scales");
      graph.addConstant(Tensor.ofFloats(scales, new long[] {array.length}, array));
    }
    Node resize =
        Node.of("Resize", node.name(), List.of(node.input(0), "", scales), node.outputs());
    resize.setString("mode", node.stringAttribute("mode", "nearest"));
    resize.setString("coordinate_transformation_mode", "asymmetric");
    resize.setString("nearest_mode", "floor");
    return resize;
  }

  /**
   * softmax over axes [axis..] of the input as a matrix. Where that is the last axis alone it is
   * the new form; otherwise: flatten, softmax over the last axis, reshape back.
   */
  private void convertSoftmax(Node node) {
    long axis = node.intAttribute("axis", 1);
    TensorType type = types.get(node.input(0));
    boolean isLast = axis == -1 || (type != null && axis == type.rank() - 1);
    node.setInt("axis", -1);
    if (isLast) {
      nodes.add(node);
      return;
    }
    String input = node.input(0);
    String output = node.output(0);
    String shape = graph.freshName(node.label() + "_shape");
    String flat = graph.freshName(node.label() + "_flat");
    String flatOutput = graph.freshName(node.label() + "_flat_output");
    Node flatten =
        Node.of(
            "Flatten", graph.freshName(node.label() + "_flatten"), List.of(input), List.of(flat));
    flatten.setInt("axis", axis);
    node.setInput(0, flat);
    node.setOutput(0, flatOutput);
    nodes.addAll(
        List.of(
            Node.of(
                "Shape",
                graph.freshName(node.label() + "_shape_of"),
                List.of(input),
                List.of(shape)),
            flatten,
            node,
            Node.of(
                "Reshape",
                graph.freshName(node.label() + "_unflatten"),
                List.of(flatOutput, shape),
                List.of(output))));
  }
}
