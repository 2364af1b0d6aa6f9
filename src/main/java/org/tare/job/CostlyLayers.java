package org.tare.job;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import org.tare.onnx.Node;
import org.tare.plan.OpRule;
import org.tare.plan.QuantizationPlan;
import org.tare.qconfig.QConfigMapping;

/**
 * Finds the layers that cost a statically quantized model most, and leaves them in float32 where
 * that helps. A layer is a product or convolution with what follows it up to the next.
 *
 * <p>Errors of layers nearly add up. So the layers, in the order of the graph, are halved again and
 * again: each half is quantized alone, and the one with the greater error is halved next. Then the
 * worst are left in float32, one after the other, until the error is small enough. The number of
 * trials is bounded, whatever the size of the model.
 */
final class CostlyLayers {
  /** Each is a model that is written, loaded and run: seconds for one of some hundred MB. */
  private static final int TRIALS = 24;

  /** Of these, so many at most are for leaving layers in float32. */
  private static final int LEFT_TRIALS = 6;

  /** A layer with less of the whole error is not worth its integers. */
  private static final double SHARE = 0.05;

  /** What the error has to come down to, by 1 dB, for layers to stay float32. */
  private static final double WORTH = Math.pow(10, -0.1);

  /** What the error may rise by, 3 dB, for a product to keep its integers. */
  private static final double BYTES = 2;

  private final FloatModel model;
  private final ToDoubleFunction<FloatModel> measure;
  private final double enough;
  private final List<List<Node>> layers;
  private int left = TRIALS - LEFT_TRIALS;

  private CostlyLayers(FloatModel model, ToDoubleFunction<FloatModel> measure, double enough) {
    this.model = model;
    this.measure = measure;
    this.enough = enough;
    this.layers = layers();
  }

  /**
   * A layer and its cost.
   *
   * @param error noise over signal of the model with this layer alone quantized
   */
  record Cost(List<Node> nodes, double error) {}

  /**
   * What was found.
   *
   * @param model with these layers in float32, or as it was if there are none
   * @param left the layers that stay float32, the worst first
   * @param worst the layers that were measured to cost most
   * @param error of the model
   */
  record Found(FloatModel model, List<Cost> left, List<Cost> worst, double error) {
    boolean isFloat(Node node) {
      return model.mapping().costly().contains(node.output(0));
    }
  }

  /** Layers {@code from} to {@code to}, which is not one of them. */
  private record Part(int from, int to, double error, boolean isWhole) {
    int size() {
      return to - from;
    }
  }

  /**
   * Searches.
   *
   * @param measure gives noise over signal of the model that a float model becomes
   * @param error of all layers, a finite one
   * @param enough an error that needs no better
   */
  static Found find(
      FloatModel model, ToDoubleFunction<FloatModel> measure, double error, double enough) {
    CostlyLayers search = new CostlyLayers(model, measure, enough);
    return search.layers.size() < 2
        ? new Found(model, List.of(), List.of(), error)
        : search.find(error);
  }

  private Found find(double all) {
    return narrowed(leftFloat(worst(all), all));
  }

  /** The worst layers in float32, as many as it takes. */
  private Found leftFloat(List<Cost> worst, double all) {
    List<Cost> tried = new ArrayList<>();
    Set<String> outputs = new HashSet<>();
    Found best = new Found(model, List.of(), worst, all);
    int most = layers.size() / 2;
    int trials = LEFT_TRIALS;
    double rest = sum(worst);
    for (Cost cost : worst) {
      tried.add(cost);
      rest -= cost.error();
      long isFloat = tried.stream().mapToLong(one -> layersOf(one.nodes())).sum();
      if (isFloat > most || trials == 0) {
        break;
      }
      cost.nodes().forEach(node -> outputs.add(node.output(0)));
      if (rest > enough && tried.size() < worst.size()) {
        continue; // by the sum of the others this is not enough
      }
      trials--;
      FloatModel candidate = without(outputs);
      double error = measure.applyAsDouble(candidate);
      if (error < WORTH * best.error()) {
        best = new Found(candidate, List.copyOf(tried), worst, error);
      }
      if (best.error() <= enough) {
        break;
      }
    }
    return best;
  }

  /**
   * Products keep their integers where what follows them costs the most: they are the larger part
   * of the bytes, and of the time.
   */
  private Found narrowed(Found found) {
    Found best = found;
    for (Cost cost : found.left()) {
      List<Node> others = cost.nodes().stream().filter(node -> !isProduct(node)).toList();
      if (others.isEmpty() || others.size() == cost.nodes().size()) {
        continue;
      }
      Set<String> outputs = new HashSet<>(best.model().mapping().costly());
      cost.nodes().stream().filter(this::isProduct).forEach(node -> outputs.remove(node.output(0)));
      FloatModel candidate = without(outputs);
      double error = measure.applyAsDouble(candidate);
      if (error < best.error() / WORTH || (error <= enough && error < BYTES * best.error())) {
        List<Cost> left = new ArrayList<>(best.left());
        left.set(left.indexOf(cost), new Cost(others, cost.error()));
        best = new Found(candidate, left, found.worst(), error);
      }
    }
    return best;
  }

  private static double sum(List<Cost> costs) {
    return costs.stream().mapToDouble(Cost::error).sum();
  }

  private long layersOf(List<Node> nodes) {
    return layers.stream().filter(layer -> nodes.contains(layer.get(0))).count();
  }

  /** The layers that cost most, the worst first. */
  private List<Cost> worst(double all) {
    List<Part> parts = new ArrayList<>(List.of(new Part(0, layers.size(), all, false)));
    Comparator<Part> byError =
        Comparator.comparingDouble(Part::error).reversed().thenComparingInt(Part::from);
    while (left >= 2) {
      Part next =
          parts.stream()
              .filter(part -> part.size() > 1 && !part.isWhole() && part.error() > SHARE * all)
              .min(byError)
              .orElse(null);
      if (next == null) {
        break;
      }
      int middle = next.from() + next.size() / 2;
      Part first = part(next.from(), middle);
      Part second = part(middle, next.to());
      parts.remove(next);
      boolean isTogether = first.error() + second.error() < next.error() / 4;
      if (isTogether) {
        parts.add(new Part(next.from(), next.to(), next.error(), true));
      } else {
        parts.add(first);
        parts.add(second);
      }
    }
    return parts.stream()
        .filter(part -> part.error() > SHARE * all && (part.size() == 1 || part.isWhole()))
        .filter(part -> part.size() < layers.size())
        .sorted(byError)
        .map(part -> new Cost(nodes(part.from(), part.to()), part.error()))
        .toList();
  }

  /** Quantizes a part alone. */
  private Part part(int from, int to) {
    left--;
    Set<String> outputs = new HashSet<>();
    nodes(0, from).forEach(node -> outputs.add(node.output(0)));
    nodes(to, layers.size()).forEach(node -> outputs.add(node.output(0)));
    return new Part(from, to, measure.applyAsDouble(without(outputs)), false);
  }

  private List<Node> nodes(int from, int to) {
    return layers.subList(from, to).stream().flatMap(List::stream).toList();
  }

  private FloatModel without(Collection<String> outputs) {
    return model.with(model.mapping().withCostly(outputs));
  }

  private List<List<Node>> layers() {
    QuantizationPlan plan = model.plan().orElseThrow();
    List<List<Node>> layers = new ArrayList<>();
    boolean hasProduct = false;
    for (Node node : model.prepared().graph().nodes()) {
      if (!isRecurrent(node) && plan.config(node).isEmpty()) {
        continue;
      }
      boolean isProduct = isProduct(node);
      if (layers.isEmpty() || (isProduct && hasProduct)) {
        layers.add(new ArrayList<>());
      }
      hasProduct |= isProduct;
      layers.get(layers.size() - 1).add(node);
    }
    return layers;
  }

  private boolean isProduct(Node node) {
    OpRule rule = OpRule.of(node).orElse(null);
    return rule == OpRule.WEIGHTED || rule == OpRule.ATTENTION || isRecurrent(node);
  }

  private boolean isRecurrent(Node node) {
    QConfigMapping mapping = model.mapping();
    return QuantizationPlan.isCompletedDynamically(node, mapping)
        && mapping.of(node.opType(), node.label(), node.output(0)).quantized();
  }
}
