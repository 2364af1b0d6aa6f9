package org.tare.train.torch;

import static org.tare.train.torch.Form.one;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;
import org.tare.onnx.Node;

/** ONNX's operators as operations of libtorch: their results, and with them their gradients. */
public final class TorchOperators {
  private static final Map<String, Form> FORMS =
      Stream.of(
              own(),
              TorchConvolutions.forms(),
              TorchFunctions.forms(),
              TorchNormalizations.forms(),
              TorchReductions.forms(),
              TorchShapes.forms(),
              TorchRecurrent.forms(),
              TorchResize.forms(),
              TorchAttention.forms())
          .flatMap(List::stream)
          .collect(Collectors.toMap(Form::operator, form -> form));

  private TorchOperators() {}

  private static List<Form> own() {
    return List.of(
        one("Gemm", TorchOperators::gemm),
        one("MatMul", call -> torch.matmul(call.x(), call.in(1))),
        one("com.microsoft:FusedMatMul", TorchOperators::fusedMatMul)
            .unless(TorchOperators::transposedBatches),
        one("Einsum", TorchOperators::einsum),
        one("Add", call -> call.x().add(call.in(1))),
        one("Sub", call -> call.x().sub(call.in(1))),
        one("Mul", call -> call.x().mul(call.in(1))),
        one("Div", TorchOperators::divide),
        one("Mod", TorchOperators::remainder),
        one("Pow", call -> call.x().pow(call.in(1))),
        one("Max", call -> fold(call, torch::maximum)),
        one("Min", call -> fold(call, torch::minimum)),
        one("Sum", call -> fold(call, torch::add)),
        one("Mean", call -> fold(call, torch::add).div(new Scalar(call.inputs().size()))),
        one("Where", call -> torch.where(call.x(), call.in(1), call.in(2))),
        one("Equal", call -> call.x().eq(call.in(1))),
        one("Greater", call -> call.x().gt(call.in(1))),
        one("GreaterOrEqual", call -> call.x().ge(call.in(1))),
        one("Less", call -> call.x().lt(call.in(1))),
        one("LessOrEqual", call -> call.x().le(call.in(1))),
        one("Not", call -> call.x().logical_not()),
        one("And", call -> call.x().logical_and(call.in(1))),
        one("Or", call -> call.x().logical_or(call.in(1))),
        one("Xor", call -> call.x().logical_xor(call.in(1))),
        one("IsNaN", call -> call.x().isnan()),
        one("Identity", Call::x),
        one("Dropout", Call::x).unless(TorchOperators::severalOutputs));
  }

  /** Says of a node that it has an output beside the first. */
  static Optional<String> severalOutputs(Node node) {
    return node.outputs().stream().skip(1).anyMatch(output -> !output.isEmpty())
        ? Optional.of("it gives \"" + node.outputs().get(1) + "\" too")
        : Optional.empty();
  }

  /** The operators that have a form, see {@link Form#operator()}. */
  public static Set<String> names() {
    return FORMS.keySet();
  }

  /** Why a node cannot be trained through, if it cannot. */
  public static Optional<String> obstacle(Node node) {
    Form form = FORMS.get(Form.operator(node));
    return form == null ? Optional.of("it has no training form") : form.obstacle().in(node);
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
        return Optional.of(Tensors.longs(in(input)));
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
  public static List<Tensor> run(Node node, List<Tensor> inputs) {
    return FORMS.get(Form.operator(node)).results().of(new Call(node, inputs));
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

  private static Tensor fusedMatMul(Call call) {
    Tensor a = call.whole("transA", 0) != 0 ? call.x().transpose(-2, -1) : call.x();
    Tensor b = call.whole("transB", 0) != 0 ? call.in(1).transpose(-2, -1) : call.in(1);
    return torch.matmul(a, b).mul(call.scalar("alpha", 1f));
  }

  private static Optional<String> transposedBatches(Node node) {
    boolean isTransposed =
        node.intAttribute("transBatchA", 0) != 0 || node.intAttribute("transBatchB", 0) != 0;
    return isTransposed ? Optional.of("it transposes its batches") : Optional.empty();
  }

  private static Tensor einsum(Call call) {
    return torch.einsum(
        call.node().stringAttribute("equation", ""),
        new TensorVector(call.inputs().toArray(Tensor[]::new)));
  }

  /** With the sign of the divisor, or with fmod set with that of the dividend. */
  private static Tensor remainder(Call call) {
    return call.whole("fmod", 0) != 0 ? call.x().fmod(call.in(1)) : call.x().remainder(call.in(1));
  }

  /** Whole numbers are divided as ONNX does, towards zero. */
  private static Tensor divide(Call call) {
    Tensor quotient = call.x().div(call.in(1));
    return Tensors.isWhole(call.x())
        ? quotient.trunc().to(call.x().scalar_type().intern())
        : quotient;
  }

  static int axis(long axis, int rank) {
    return (int) (axis < 0 ? axis + rank : axis);
  }
}
