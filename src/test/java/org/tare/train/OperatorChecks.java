package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TestModel;
import org.tare.onnx.TestModel.Values;
import org.tare.train.torch.Libtorch;
import org.tare.train.torch.Tensors;

/** Holds a model on libtorch against ONNX Runtime, and its gradients against differences. */
final class OperatorChecks {
  static final Places NO_PLACES =
      new Places(
          new ArrayList<>(),
          new HashMap<>(),
          new HashSet<>(),
          new HashSet<>(),
          new HashSet<>(),
          new HashSet<>(),
          new ArrayList<>());

  /** Constants of these names are such as training changes: they must have a gradient. */
  private static final Set<String> WEIGHTS = Set.of("w", "r", "b", "g");

  private static final double STEP = 1e-5;

  /**
   * What a central difference of doubles leaves: the rounding of the sums, 1e-16 over the step, and
   * the third derivative times its square.
   */
  private static final double TOLERANCE = 1e-6;

  private OperatorChecks() {}

  /** A model of one or a few nodes with values for its float32 inputs; its first output counts. */
  record Case(String name, OnnxModel model, Map<String, Values> inputs) {
    @Override
    public String toString() {
      return name;
    }
  }

  static float[] random(int seed, int count) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      // Away from the corners of Relu and the like, where a difference says nothing.
      float value = (float) random.nextGaussian();
      values[i] = Math.abs(value) < 0.05f ? 0.2f : value;
    }
    return values;
  }

  static Values values(int seed, long... shape) {
    int size = 1;
    for (long side : shape) {
      size *= (int) side;
    }
    return new Values(shape, random(seed, size));
  }

  /** An int32 constant. */
  static org.tare.onnx.Tensor ints(String name, long[] shape, int... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(values);
    return org.tare.onnx.Tensor.ofBytes(name, ElementType.INT32, shape, bytes.array());
  }

  /** All outputs are those of ONNX Runtime, in shape and values. */
  static void holdAgainstOnnxRuntime(Case one, float tolerance) {
    Libtorch.load();
    Map<String, Values> expected = TestModel.run(one.model(), one.inputs());
    try (PointerScope scope = new PointerScope();
        TorchGraph graph = new TorchGraph(one.model(), NO_PLACES)) {
      Map<String, Tensor> inputs = new HashMap<>();
      one.inputs().forEach((name, x) -> inputs.put(name, Tensors.tensor(x.floats(), x.shape())));
      Map<String, Tensor> actual = graph.run(inputs);
      expected.forEach(
          (name, values) -> {
            for (float value : values.floats()) {
              assertTrue(Float.isFinite(value), one.name() + " gives " + value);
            }
            assertArrayEquals(values.shape(), actual.get(name).shape(), name);
            assertArrayEquals(
                values.floats(), Tensors.floats(actual.get(name)), tolerance, one.name());
          });
    }
  }

  /**
   * The gradients of all inputs and weights are those of central differences, in double: along a
   * random direction of each of them, of a random sum of the outputs.
   */
  static void holdAgainstDifferences(Case one) {
    Libtorch.load();
    try (PointerScope scope = new PointerScope();
        TorchGraph graph = new TorchGraph(one.model(), NO_PLACES)) {
      Map<String, Tensor> doubles = doubles(one);
      Map<String, Tensor> leaves = new LinkedHashMap<>();
      doubles.forEach(
          (name, x) -> {
            boolean isHeld = one.inputs().containsKey(name) || WEIGHTS.contains(name);
            leaves.put(name, x.clone().set_requires_grad(isHeld));
          });
      sum(one, graph, leaves).backward();
      int held = 0;
      for (Map.Entry<String, Tensor> leaf : leaves.entrySet()) {
        String name = leaf.getKey();
        Tensor gradient = leaf.getValue().grad();
        if (!leaf.getValue().requires_grad()) {
          continue;
        }
        assertTrue(gradient.defined(), one.name() + ", " + name);
        Tensor direction = made(random(10 + held, Math.toIntExact(gradient.numel())), gradient);
        double expected = gradient.mul(direction).sum().item_double();
        double difference;
        try (NoGradGuard guard = new NoGradGuard()) {
          difference =
              (moved(one, graph, doubles, name, direction, STEP)
                      - moved(one, graph, doubles, name, direction, -STEP))
                  / (2 * STEP);
        }
        double scale = 1 + gradient.abs().mul(direction.abs()).sum().item_double();
        assertEquals(expected, difference, TOLERANCE * scale, one.name() + ", " + name);
        held++;
      }
      assertTrue(held > 0);
    }
  }

  private static Map<String, Tensor> doubles(Case one) {
    Map<String, Tensor> doubles = new TreeMap<>();
    for (Node node : one.model().graph().nodes()) {
      for (String input : node.inputs()) {
        one.model()
            .graph()
            .floatConstant(input)
            .ifPresent(
                floats -> {
                  long[] shape = one.model().graph().constant(input).orElseThrow().shape();
                  doubles.put(input, asDouble(Tensors.tensor(floats, shape)));
                });
      }
    }
    one.inputs()
        .forEach((name, x) -> doubles.put(name, asDouble(Tensors.tensor(x.floats(), x.shape()))));
    return doubles;
  }

  private static Tensor asDouble(Tensor tensor) {
    return tensor.to(torch.ScalarType.Double);
  }

  private static Tensor made(float[] values, Tensor like) {
    return asDouble(Tensors.tensor(values, like.shape()));
  }

  /** A random sum of what the model gives in double. */
  private static Tensor sum(Case one, TorchGraph graph, Map<String, Tensor> doubles) {
    Map<String, Tensor> outputs = new TreeMap<>(graph.run(doubles));
    Tensor sum = null;
    for (Map.Entry<String, Tensor> output : outputs.entrySet()) {
      Tensor y = output.getValue();
      assertEquals(
          torch.ScalarType.Double, y.scalar_type().intern(), one.name() + ", " + output.getKey());
      Tensor part = y.mul(made(random(9, Math.toIntExact(y.numel())), y)).sum();
      sum = sum == null ? part : sum.add(part);
    }
    return sum;
  }

  private static double moved(
      Case one,
      TorchGraph graph,
      Map<String, Tensor> doubles,
      String name,
      Tensor direction,
      double step) {
    Map<String, Tensor> all = new TreeMap<>(doubles);
    Tensor along = direction.mul(new org.bytedeco.pytorch.Scalar(step));
    all.put(name, doubles.get(name).add(along));
    return sum(one, graph, all).item_double();
  }
}
