package org.tare.rewrite;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.onnx.ElementType;
import org.tare.onnx.Graph;
import org.tare.onnx.Node;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.WeightProducts;

/**
 * The integer products of a written model of any form, as the runtime's kernels read them: found
 * from the file alone, apart from the code that writes it.
 */
public final class WrittenProducts {
  /** Integers that are moved keep their bounds. */
  private static final Set<String> MOVERS =
      Set.of(
          "MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Split");

  private WrittenProducts() {}

  /**
   * A weight of int8 beside integers of 8 bits.
   *
   * @param columns the integers that are multiplied with one row of the input, in the order in
   *     which kernels add them
   * @param most the greatest integer of the input, as uint8
   */
  record Product(String operator, String weight, int[][] columns, int most) {
    /**
     * How many columns give other sums where two neighbouring products are added in 16 bits that
     * saturate: on the greatest integers beside weights of one sign, and on those beside all.
     */
    int differing() {
      int differing = 0;
      for (int[] column : columns) {
        boolean differs = false;
        for (int sign = -1; sign <= 1; sign++) {
          long exact = 0;
          long saturating = 0;
          for (int k = 0; k < column.length; k += 2) {
            int first = input(column[k], sign) * column[k];
            int second = k + 1 < column.length ? input(column[k + 1], sign) * column[k + 1] : 0;
            exact += first + second;
            saturating += Math.max(Short.MIN_VALUE, Math.min(Short.MAX_VALUE, first + second));
          }
          differs |= exact != saturating;
        }
        differing += differs ? 1 : 0;
      }
      return differing;
    }

    private int input(int weight, int sign) {
      return sign == 0 || Integer.signum(weight) == sign ? most : 0;
    }

    /** The largest sum of the products of two neighbours, over 255 or what the input can be. */
    int largestPair() {
      int largest = 0;
      for (int[] column : columns) {
        for (int k = 0; k + 1 < column.length; k += 2) {
          boolean isOneSign = (column[k] > 0) == (column[k + 1] > 0);
          largest = Math.max(largest, isOneSign ? Math.abs(column[k] + column[k + 1]) : 0);
        }
      }
      return largest;
    }

    int largestOfAnyTwo() {
      int largest = 0;
      for (int[] column : columns) {
        int[] sorted = column.clone();
        java.util.Arrays.sort(sorted);
        int n = sorted.length;
        if (n > 1 && sorted[n - 2] > 0) {
          largest = Math.max(largest, sorted[n - 1] + sorted[n - 2]);
        }
        if (n > 1 && sorted[1] < 0) {
          largest = Math.max(largest, -sorted[0] - sorted[1]);
        }
      }
      return largest;
    }
  }

  /** Fails unless the products of the model are as the configuration wants them. */
  public static void check(OnnxModel model, QConfig config) {
    if (config.products() == WeightProducts.FULL && !config.reduceActivations()) {
      assertNoneIsLeast(model);
    } else {
      assertPortable(model);
    }
  }

  /**
   * Fails unless every product of the model is exact in kernels that add pairs in 16 bits: by the
   * bound, and in integer arithmetic on the inputs that come closest to it.
   */
  public static void assertPortable(OnnxModel model) {
    for (Product product : of(model)) {
      assertEquals(0, product.differing(), product.weight());
      assertTrue(
          product.largestPair() * product.most() <= Short.MAX_VALUE,
          () -> product.weight() + " of " + product.operator() + ": " + product.largestPair());
      int depth = product.columns().length == 0 ? 0 : product.columns()[0].length;
      assertTrue(depth * 255L * 127 <= Integer.MAX_VALUE, () -> product.weight() + ": " + depth);
    }
    assertNoneIsLeast(model);
  }

  /** Fails if a weight is -128, which wraps in 16 bits on ARM. */
  static void assertNoneIsLeast(OnnxModel model) {
    for (Product product : of(model)) {
      for (int[] column : product.columns()) {
        for (int value : column) {
          assertTrue(value >= -127, () -> product.weight() + " holds " + value);
        }
      }
    }
  }

  static List<Product> of(OnnxModel model) {
    List<Product> found = new ArrayList<>();
    collect(model.graph(), found);
    return found;
  }

  private static void collect(Graph graph, List<Product> found) {
    Map<String, Node> producers = graph.producers();
    for (Node node : graph.nodes()) {
      for (int input : weightInputs(node)) {
        boolean isPaired = isPaired(node);
        if (isPaired && !isDequantized(graph, producers, node.input(0))) {
          continue;
        }
        String weight = isPaired ? integersOf(producers, node.input(input)) : node.input(input);
        String data = isPaired ? integersOf(producers, node.input(0)) : node.input(0);
        Optional<Tensor> tensor = graph.constant(weight).filter(t -> t.type() == ElementType.INT8);
        if (tensor.isPresent() && !isDepthwise(node, tensor.get())) {
          int[][] columns = columns(node, tensor.get());
          found.add(new Product(node.opType(), weight, columns, most(graph, producers, data)));
        }
      }
    }
    graph.readSubgraphs(inner -> collect(inner, found));
  }

  private static int[] weightInputs(Node node) {
    return switch (node.opType()) {
      case "QLinearConv", "QLinearMatMul", "QGemm" -> new int[] {3};
      case "Conv", "MatMul", "Gemm", "Attention", "QAttention" -> new int[] {1};
      case "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat" -> new int[] {1};
      case "DynamicQuantizeLSTM" -> new int[] {1, 2};
      default -> new int[0];
    };
  }

  /** Whether the operator is one on floats, which a runtime fuses with the pairs around it. */
  private static boolean isPaired(Node node) {
    return Set.of("Conv", "MatMul", "Gemm", "Attention").contains(node.opType());
  }

  /** With one scale: ONNX Runtime fuses no data that have a scale for each channel. */
  private static boolean isDequantized(Graph graph, Map<String, Node> producers, String tensor) {
    Node producer = producers.get(tensor);
    return producer != null
        && producer.opType().equals("DequantizeLinear")
        && !graph.isConstant(producer.input(0))
        && graph.constant(producer.input(1)).filter(scale -> scale.size() > 1).isEmpty();
  }

  private static String integersOf(Map<String, Node> producers, String tensor) {
    Node producer = producers.get(tensor);
    return producer != null && producer.opType().equals("DequantizeLinear")
        ? producer.input(0)
        : "";
  }

  private static int most(Graph graph, Map<String, Node> producers, String integers) {
    Node producer = producers.get(integers);
    while (producer != null && MOVERS.contains(producer.opType())) {
      producer = producers.get(producer.input(0));
    }
    if (producer == null || !producer.opType().equals("Clip")) {
      return 255;
    }
    Tensor bound = graph.constant(producer.input(2)).orElseThrow();
    boolean isUnsigned = bound.type() == ElementType.UINT8;
    return isUnsigned ? bound.int8s()[0] & 255 : 255;
  }

  private static boolean isDepthwise(Node node, Tensor weight) {
    boolean isConv = node.opType().equals("Conv") || node.opType().equals("QLinearConv");
    return isConv && weight.dim(1) == 1 && weight.dim(0) == node.intAttribute("group", 1);
  }

  private static int[][] columns(Node node, Tensor weight) {
    long[] shape = weight.shape();
    byte[] bytes = weight.int8s();
    assertEquals(weight.size(), bytes.length);
    boolean isConv = node.opType().endsWith("Conv");
    if (isConv) {
      return convolution(shape, bytes);
    }
    boolean isTransposed = node.opType().endsWith("Gemm") && node.intAttribute("transB", 0) != 0;
    int rank = shape.length;
    int depth = (int) (rank == 1 ? shape[0] : shape[isTransposed ? rank - 1 : rank - 2]);
    int width = (int) (rank == 1 ? 1 : shape[isTransposed ? rank - 2 : rank - 1]);
    int matrices = depth * width == 0 ? 0 : bytes.length / depth / width;
    int[][] columns = new int[matrices * width][depth];
    for (int c = 0; c < columns.length; c++) {
      for (int k = 0; k < depth; k++) {
        int start = c / width * depth * width;
        int n = c % width;
        columns[c][k] = bytes[start + (isTransposed ? n * depth + k : k * width + n)];
      }
    }
    return columns;
  }

  /** All channels of the first place of the kernel, then those of the second, and so on. */
  private static int[][] convolution(long[] shape, byte[] bytes) {
    int outputs = (int) shape[0];
    int channels = (int) shape[1];
    int places = bytes.length / outputs / channels;
    int[][] columns = new int[outputs][places * channels];
    for (int o = 0; o < outputs; o++) {
      int k = 0;
      for (int place = 0; place < places; place++) {
        for (int c = 0; c < channels; c++) {
          columns[o][k++] = bytes[(o * channels + c) * places + place];
        }
      }
    }
    return columns;
  }
}
