package org.tare.train.torch;

import static org.tare.train.torch.Form.one;

import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.train.torch.TorchOperators.Call;

/** Functions of single values. */
final class TorchFunctions {
  private TorchFunctions() {}

  static List<Form> forms() {
    return List.of(
        one("Relu", call -> torch.relu(call.x())),
        one("Clip", TorchFunctions::clip),
        one("LeakyRelu", call -> torch.leaky_relu(call.x(), call.scalar("alpha", 0.01f))),
        one("PRelu", TorchFunctions::pRelu),
        one("Elu", TorchFunctions::elu),
        one("Selu", TorchFunctions::selu),
        one("Celu", TorchFunctions::celu),
        one(
            "ThresholdedRelu",
            call -> torch.threshold(call.x(), call.scalar("alpha", 1f), new Scalar(0f))),
        one("Shrink", TorchFunctions::shrink),
        one("Sigmoid", call -> torch.sigmoid(call.x())),
        one("Tanh", call -> torch.tanh(call.x())),
        one("HardSigmoid", call -> hardSigmoid(call, 0.2f)),
        one("HardSwish", call -> torch.hardswish(call.x())),
        one("Swish", call -> swish(call.x(), call.scalar("alpha", 1f))),
        one("Softplus", call -> torch.softplus(call.x())),
        one("Softsign", call -> call.x().div(call.x().abs().add(new Scalar(1f)))),
        one("Mish", call -> torch.mish(call.x())),
        one("Softmax", call -> torch.softmax(call.x(), call.whole("axis", -1))),
        one("LogSoftmax", call -> torch.log_softmax(call.x(), call.whole("axis", -1))),
        one("Erf", call -> torch.erf(call.x())),
        one("Gelu", TorchFunctions::gelu),
        one("com.microsoft:Gelu", call -> torch.gelu(call.x())),
        one("com.microsoft:BiasGelu", call -> torch.gelu(plusBias(call))),
        one("com.microsoft:FastGelu", call -> torch.gelu(plusBias(call), "tanh")),
        one("com.microsoft:QuickGelu", TorchFunctions::quickGelu),
        one("Sqrt", call -> call.x().sqrt()),
        one("Exp", call -> call.x().exp()),
        one("Log", call -> call.x().log()),
        one("Abs", call -> call.x().abs()),
        one("Neg", call -> call.x().neg()),
        one("Reciprocal", call -> call.x().reciprocal()),
        one("Sin", call -> call.x().sin()),
        one("Cos", call -> call.x().cos()),
        one("Atan", call -> call.x().atan()),
        one("Sign", call -> call.x().sign()),
        one("Floor", call -> call.x().floor()),
        one("Ceil", call -> call.x().ceil()),
        one("Round", call -> call.x().round()));
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

  private static Tensor selu(Call call) {
    return torch.elu(
        call.x(),
        call.scalar("alpha", 1.6732632f),
        call.scalar("gamma", 1.050701f),
        new Scalar(1f));
  }

  private static Tensor celu(Call call) {
    double alpha = call.node().floatAttribute("alpha", 1f);
    return torch.elu(call.x(), new Scalar(alpha), new Scalar(1f), new Scalar(1 / alpha));
  }

  private static Tensor shrink(Call call) {
    float bias = call.node().floatAttribute("bias", 0f);
    float limit = call.node().floatAttribute("lambd", 0.5f);
    Tensor x = call.x();
    Tensor above = x.sub(new Scalar(bias)).mul(x.gt(new Scalar(limit)));
    return above.add(x.add(new Scalar(bias)).mul(x.lt(new Scalar(-limit))));
  }

  private static Tensor gelu(Call call) {
    return torch.gelu(call.x(), call.node().stringAttribute("approximate", "none"));
  }

  private static Tensor plusBias(Call call) {
    return call.has(1) ? call.x().add(call.in(1)) : call.x();
  }

  private static Tensor quickGelu(Call call) {
    return swish(call.x(), call.scalar("alpha", 1.702f));
  }

  private static Tensor swish(Tensor x, Scalar alpha) {
    return x.mul(torch.sigmoid(x.mul(alpha)));
  }
}
