package org.tare.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;

/** ONNX's operators as operations of libtorch: their results, and with them their gradients. */
final class TorchOperators {
  /** One operator. */
  @FunctionalInterface
  private interface Form {
    List<Tensor> run(Call call);
  }

  /** One operator with one result. */
  @FunctionalInterface
  private interface Function {
    Tensor run(Call call);
  }

  private static final Map<String, Form> FORMS =
      Map.ofEntries(
          one("Conv", TorchConvolutions::convolution),
          one("ConvTranspose", TorchConvolutions::transposed),
          one("MaxPool", TorchConvolutions::maxPool),
          one("AveragePool", TorchConvolutions::averagePool),
          one("GlobalAveragePool", call -> call.x().mean(spatial(call.x()), true, any())),
          one("Gemm", TorchOperators::gemm),
          one("MatMul", call -> torch.matmul(call.x(), call.in(1))),
          one("Add", call -> call.x().add(call.in(1))),
          one("Sub", call -> call.x().sub(call.in(1))),
          one("Mul", call -> call.x().mul(call.in(1))),
          one("Div", TorchOperators::divide),
          one("Pow", call -> call.x().pow(call.in(1))),
          one("Max", call -> fold(call, torch::maximum)),
          one("Min", call -> fold(call, torch::minimum)),
          one("Sum", call -> fold(call, torch::add)),
          one("Relu", call -> torch.relu(call.x())),
          one("Clip", TorchOperators::clip),
          one("LeakyRelu", call -> torch.leaky_relu(call.x(), call.scalar("alpha", 0.01f))),
          one("PRelu", TorchOperators::pRelu),
          one("Elu", TorchOperators::elu),
          one("Sigmoid", call -> torch.sigmoid(call.x())),
          one("Tanh", call -> torch.tanh(call.x())),
          one("HardSigmoid", call -> hardSigmoid(call, 0.2f)),
          one("HardSwish", call -> torch.hardswish(call.x())),
          one("Softmax", call -> torch.softmax(call.x(), call.whole("axis", -1))),
          one("LogSoftmax", call -> torch.log_softmax(call.x(), call.whole("axis", -1))),
          one("Erf", call -> torch.erf(call.x())),
          one("Gelu", TorchOperators::gelu),
          one("Sqrt", call -> call.x().sqrt()),
          one("Exp", call -> call.x().exp()),
          one("Log", call -> call.x().log()),
          one("Abs", call -> call.x().abs()),
          one("Neg", call -> call.x().neg()),
          one("Reciprocal", call -> call.x().reciprocal()),
          one("BatchNormalization", TorchOperators::batchNormalization),
          one("LayerNormalization", TorchOperators::layerNormalization),
          one("Identity", Call::x),
          one("Dropout", Call::x),
          one("Flatten", TorchOperators::flatten),
          one("Reshape", TorchOperators::reshape),
          one("Transpose", TorchOperators::transpose),
          one("Squeeze", TorchOperators::squeeze),
          one("Unsqueeze", TorchOperators::unsqueeze),
          one("Concat", TorchOperators::concat),
          one("Slice", TorchOperators::slice),
          Map.entry("Split", TorchOperators::split),
          one("Gather", TorchOperators::gather),
          one("Pad", TorchOperators::pad),
          one("Expand", TorchOperators::expand),
          one("Shape", TorchOperators::shape),
          one("Cast", TorchOperators::cast),
          one("Where", call -> torch.where(call.x(), call.in(1), call.in(2))),
          one("ReduceMean", call -> reduce(call, (x, axes, keep) -> x.mean(axes, keep, any()))),
          one("ReduceSum", call -> reduce(call, (x, axes, keep) -> x.sum(axes, keep, any()))));

  private TorchOperators() {}

  private static Map.Entry<String, Form> one(String operator, Function function) {
    return Map.entry(operator, call -> List.of(function.run(call)));
  }

  private static ScalarTypeOptional any() {
    return new ScalarTypeOptional();
  }

  /** Why a node cannot be trained through, if it cannot. */
  static Optional<String> obstacle(Node node) {
    if (!node.isStandard() || !FORMS.containsKey(node.opType())) {
      return Optional.of("it has no training form");
    }
    return node.subgraphs().isEmpty() ? Optional.empty() : Optional.of("it runs graphs");
  }

  /** One node with what it reads. */
  record Call(Node node, List<Tensor> inputs) {
    Tensor x() {
      return in(0);
    }

    Tensor in(int index) {
      return inputs.get(index);
    }

    /** Whether an optional input is given. */
    boolean has(int index) {
      return index < inputs.size() && inputs.get(index) != null;
    }

    TensorOptional optional(int index) {
      return has(index) ? new TensorOptional(in(index)) : new TensorOptional();
    }

    long whole(String attribute, long absent) {
      return node.intAttribute(attribute, absent);
    }

    Scalar scalar(String attribute, float absent) {
      return new Scalar(node.floatAttribute(attribute, absent));
    }

    /** Whole numbers from an attribute, or from an input that took its place. */
    Optional<long[]> wholes(String attribute, int input) {
      if (has(input)) {
        return Optional.of(Libtorch.longs(in(input)));
      }
      List<Long> found = node.intsAttribute(attribute);
      return found.isEmpty()
          ? Optional.empty()
          : Optional.of(found.stream().mapToLong(Long::longValue).toArray());
    }

    TareException cannot(String why) {
      return TareException.badInput("Cannot train through node %s: %s", node, why);
    }
  }

  /** What a node gives, in the order of its outputs. */
  static List<Tensor> run(Node node, List<Tensor> inputs) {
    return FORMS.get(node.opType()).run(new Call(node, inputs));
  }

  static long[] spatial(Tensor x) {
    long[] axes = new long[(int) x.dim() - 2];
    Arrays.setAll(axes, i -> i + 2);
    return axes;
  }

  private static Tensor fold(Call call, java.util.function.BinaryOperator<Tensor> function) {
    return call.inputs().stream().reduce(function).orElseThrow();
  }

  private static Tensor gemm(Call call) {
    Tensor a = call.whole("transA", 0) != 0 ? call.x().t() : call.x();
    Tensor b = call.whole("transB", 0) != 0 ? call.in(1).t() : call.in(1);
    float alpha = call.node().floatAttribute("alpha", 1f);
    float beta = call.node().floatAttribute("beta", 1f);
    Tensor product = torch.matmul(a, b);
    if (alpha != 1f) {
      product = product.mul(new Scalar(alpha));
    }
    if (!call.has(2)) {
      return product;
    }
    return product.add(beta == 1f ? call.in(2) : call.in(2).mul(new Scalar(beta)));
  }

  /** Whole numbers are divided as ONNX does, towards zero. */
  private static Tensor divide(Call call) {
    Tensor quotient = call.x().div(call.in(1));
    return Libtorch.isWhole(call.x())
        ? quotient.trunc().to(call.x().scalar_type().intern())
        : quotient;
  }

  private static Tensor clip(Call call) {
    ScalarOptional least = bound(call, 1);
    ScalarOptional greatest = bound(call, 2);
    return call.has(1) || call.has(2) ? torch.clamp(call.x(), least, greatest) : call.x();
  }

  private static ScalarOptional bound(Call call, int input) {
    return call.has(input)
        ? new ScalarOptional(new Scalar(call.in(input).item_float()))
        : new ScalarOptional();
  }

  private static Tensor pRelu(Call call) {
    Tensor below = torch.relu(call.x().neg());
    return torch.relu(call.x()).sub(call.in(1).mul(below));
  }

  private static Tensor elu(Call call) {
    return torch.elu(call.x(), call.scalar("alpha", 1f), new Scalar(1f), new Scalar(1f));
  }

  private static Tensor hardSigmoid(Call call, float alpha) {
    Tensor line = call.x().mul(call.scalar("alpha", alpha)).add(call.scalar("beta", 0.5f));
    return torch.clamp(
        line, new ScalarOptional(new Scalar(0f)), new ScalarOptional(new Scalar(1f)));
  }

  private static Tensor gelu(Call call) {
    if (!call.node().stringAttribute("approximate", "none").equals("none")) {
      throw call.cannot("approximate is not none");
    }
    return torch.gelu(call.x());
  }

  private static Tensor batchNormalization(Call call) {
    if (call.whole("training_mode", 0) != 0) {
      throw call.cannot("training_mode is set");
    }
    return torch.batch_norm(
        call.x(),
        call.optional(1),
        call.optional(2),
        call.optional(3),
        call.optional(4),
        false,
        0,
        call.node().floatAttribute("epsilon", 1e-5f),
        false);
  }

  private static Tensor layerNormalization(Call call) {
    long[] shape = call.x().shape();
    int axis = axis(call.whole("axis", -1), shape.length);
    return torch.layer_norm(
        call.x(),
        Arrays.copyOfRange(shape, axis, shape.length),
        call.optional(1),
        call.optional(2),
        call.node().floatAttribute("epsilon", 1e-5f),
        false);
  }

  private static int axis(long axis, int rank) {
    return (int) (axis < 0 ? axis + rank : axis);
  }

  private static Tensor flatten(Call call) {
    long[] shape = call.x().shape();
    long rows = 1;
    for (int i = 0; i < axis(call.whole("axis", 1), shape.length); i++) {
      rows *= shape[i];
    }
    return call.x().reshape(rows, rows == 0 ? 0 : call.x().numel() / rows);
  }

  private static Tensor reshape(Call call) {
    long[] wanted = Libtorch.longs(call.in(1));
    if (call.whole("allowzero", 0) == 0) {
      for (int i = 0; i < wanted.length; i++) {
        wanted[i] = wanted[i] == 0 ? call.x().size(i) : wanted[i];
      }
    }
    return call.x().reshape(wanted);
  }

  private static Tensor transpose(Call call) {
    int rank = (int) call.x().dim();
    List<Long> given = call.node().intsAttribute("perm");
    long[] order = new long[rank];
    Arrays.setAll(order, i -> given.isEmpty() ? rank - 1 - i : given.get(i));
    return call.x().permute(order);
  }

  private static Tensor squeeze(Call call) {
    int rank = (int) call.x().dim();
    Optional<long[]> axes = call.wholes("axes", 1);
    if (axes.isEmpty()) {
      return call.x().squeeze();
    }
    Tensor x = call.x();
    long[] descending = Arrays.stream(axes.get()).map(a -> axis(a, rank)).sorted().toArray();
    for (int i = descending.length - 1; i >= 0; i--) {
      x = x.squeeze(descending[i]);
    }
    return x;
  }

  private static Tensor unsqueeze(Call call) {
    long[] axes = call.wholes("axes", 1).orElseThrow();
    int rank = (int) call.x().dim() + axes.length;
    Tensor x = call.x();
    for (long axis : Arrays.stream(axes).map(a -> axis(a, rank)).sorted().toArray()) {
      x = x.unsqueeze(axis);
    }
    return x;
  }

  private static Tensor concat(Call call) {
    return torch.cat(new TensorVector(call.inputs().toArray(Tensor[]::new)), call.whole("axis", 0));
  }

  private static Tensor slice(Call call) {
    long[] starts = call.wholes("starts", 1).orElseThrow();
    long[] ends = call.wholes("ends", 2).orElseThrow();
    Optional<long[]> axes = call.wholes("axes", 3);
    Optional<long[]> steps = call.wholes("steps", 4);
    Tensor x = call.x();
    for (int i = 0; i < starts.length; i++) {
      long step = steps.isPresent() ? steps.get()[i] : 1;
      if (step < 1) {
        throw call.cannot("it steps backwards");
      }
      long axis = axis(axes.isPresent() ? axes.get()[i] : i, (int) x.dim());
      x = x.slice(axis, new LongOptional(starts[i]), new LongOptional(ends[i]), step);
    }
    return x;
  }

  private static List<Tensor> split(Call call) {
    int axis = axis(call.whole("axis", 0), (int) call.x().dim());
    long side = call.x().size(axis);
    int parts = call.node().outputs().size();
    long even = (side + parts - 1) / parts;
    long[] sizes = call.wholes("split", 1).orElse(null);
    List<Tensor> results = new ArrayList<>();
    long from = 0;
    for (int i = 0; i < parts; i++) {
      long size = sizes == null ? Math.min(even, side - from) : sizes[i];
      results.add(call.x().narrow(axis, from, size));
      from += size;
    }
    return results;
  }

  private static Tensor gather(Call call) {
    long[] data = call.x().shape();
    int axis = axis(call.whole("axis", 0), data.length);
    long[] places = Libtorch.longs(call.in(1));
    for (int i = 0; i < places.length; i++) {
      places[i] = places[i] < 0 ? places[i] + data[axis] : places[i];
    }
    Tensor picked = call.x().index_select(axis, Libtorch.tensor(places, places.length));
    long[] by = call.in(1).shape();
    long[] shape = new long[data.length - 1 + by.length];
    System.arraycopy(data, 0, shape, 0, axis);
    System.arraycopy(by, 0, shape, axis, by.length);
    System.arraycopy(data, axis + 1, shape, axis + by.length, data.length - axis - 1);
    return picked.reshape(shape);
  }

  private static Tensor pad(Call call) {
    if (!call.node().stringAttribute("mode", "constant").equals("constant") || call.has(3)) {
      throw call.cannot("only constant values on all axes can be padded");
    }
    long[] pads = call.wholes("pads", 1).orElseThrow();
    float value = call.has(2) ? call.in(2).item_float() : 0f;
    return torch.constant_pad_nd(call.x(), lastAxisFirst(pads), new Scalar(value));
  }

  /** ONNX has the begins of all axes, then their ends; libtorch both of the last axis first. */
  static long[] lastAxisFirst(long[] pads) {
    int rank = pads.length / 2;
    long[] turned = new long[pads.length];
    for (int i = 0; i < rank; i++) {
      turned[2 * i] = pads[rank - 1 - i];
      turned[2 * i + 1] = pads[2 * rank - 1 - i];
    }
    return turned;
  }

  private static Tensor expand(Call call) {
    long[] wanted = Libtorch.longs(call.in(1));
    long[] own = call.x().shape();
    int rank = Math.max(wanted.length, own.length);
    long[] shape = new long[rank];
    for (int i = 1; i <= rank; i++) {
      long mine = i <= own.length ? own[own.length - i] : 1;
      long other = i <= wanted.length ? wanted[wanted.length - i] : 1;
      shape[rank - i] = mine == 1 ? other : mine;
    }
    return call.x().expand(shape);
  }

  private static Tensor shape(Call call) {
    long[] shape = call.x().shape();
    int from = axis(call.whole("start", 0), shape.length);
    int to = axis(call.whole("end", shape.length), shape.length);
    long[] part = Arrays.copyOfRange(shape, from, Math.max(from, to));
    return Libtorch.tensor(part, part.length);
  }

  private static Tensor cast(Call call) {
    long to = call.whole("to", 0);
    if (to == ElementType.FLOAT32.code()) {
      return call.x().to(torch.ScalarType.Float);
    } else if (to == ElementType.INT64.code()) {
      return call.x().to(torch.ScalarType.Long);
    } else if (to == ElementType.INT32.code()) {
      return call.x().to(torch.ScalarType.Int);
    } else if (to == ElementType.BOOL.code()) {
      return call.x().to(torch.ScalarType.Bool);
    }
    throw call.cannot("it casts to another type than float32, int64, int32 and bool");
  }

  /** A sum or mean over axes. */
  @FunctionalInterface
  private interface Reduction {
    Tensor over(Tensor x, long[] axes, boolean keepsAxes);
  }

  private static Tensor reduce(Call call, Reduction reduction) {
    Optional<long[]> given = call.wholes("axes", 1);
    if (given.isEmpty() && call.whole("noop_with_empty_axes", 0) != 0) {
      return call.x();
    }
    long[] all = new long[(int) call.x().dim()];
    Arrays.setAll(all, i -> i);
    return reduction.over(call.x(), given.orElse(all), call.whole("keepdims", 1) != 0);
  }
}
