package org.tare.plan;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.tare.plan.QuantizationPlan.Activation;
import org.tare.quant.ChannelQParams;
import org.tare.quant.QParams;
import org.tare.quant.QuantSpec;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;

/**
 * The ranges that are chosen from one calibration state. Each is searched once, however many plans
 * ask for it: trials of a model differ in weights and biases, not in these.
 *
 * <p>Safe to use from several threads once {@link #with} was called; a range that two of them ask
 * for at once may be searched twice.
 */
public final class ChosenRanges {
  private record Key(String tensor, RangeMethod method, QuantSpec spec) {
    static Key of(Activation activation) {
      return new Key(activation.root(), activation.config().method(), activation.spec());
    }
  }

  private final CalibrationState state;
  private final Map<String, ChannelQParams> weights;
  private final Map<String, QParams> activations;
  private final Map<Key, RangeChoice> found = new ConcurrentHashMap<>();
  private final Map<String, String> standIns = new HashMap<>();

  public ChosenRanges(CalibrationState state) {
    this(state, Map.of(), Map.of());
  }

  /**
   * The same for weights and activations that have qparams already.
   *
   * @param weights by name
   * @param activations by root
   */
  public ChosenRanges(
      CalibrationState state,
      Map<String, ChannelQParams> weights,
      Map<String, QParams> activations) {
    this.state = state;
    this.weights = Map.copyOf(weights);
    this.activations = Map.copyOf(activations);
  }

  /** The qparams that a weight has already: those that it was trained with. */
  public Optional<ChannelQParams> weight(String name) {
    return Optional.ofNullable(weights.get(name));
  }

  /**
   * Serves plans that quantize less than one that was calibrated, too: a tensor that took the range
   * of another there, since it holds the same values, takes it wherever it was not observed itself.
   */
  public ChosenRanges with(QuantizationPlan calibrated) {
    calibrated
        .activations()
        .forEach((tensor, activation) -> standIns.put(tensor, activation.root()));
    return this;
  }

  /** What was observed. */
  public CalibrationState state() {
    return state;
  }

  /**
   * The qparams of every activation of a plan, by the root tensor whose range they are of.
   *
   * @throws org.tare.TareException if the state lacks a tensor of the plan, or holds no finite
   *     value of one
   */
  public SortedMap<String, ActivationQParams> of(QuantizationPlan plan) {
    Map<String, List<String>> sharedBy = new TreeMap<>();
    Map<String, Activation> roots = new HashMap<>();
    for (Map.Entry<String, Activation> entry : new TreeMap<>(plan.activations()).entrySet()) {
      Activation activation = entry.getValue();
      roots.put(activation.root(), activation);
      sharedBy.computeIfAbsent(activation.root(), r -> new ArrayList<>()).add(entry.getKey());
    }
    search(sharedBy.keySet().stream().map(roots::get).filter(this::isSearched).toList());
    SortedMap<String, ActivationQParams> chosen = new TreeMap<>();
    sharedBy.forEach((root, tensors) -> chosen.put(root, qparams(roots.get(root), tensors)));
    return chosen;
  }

  private ActivationQParams qparams(Activation activation, List<String> tensors) {
    QParams trained = activations.get(activation.root());
    if (trained != null) {
      Range range = new Range((float) trained.lowest(), (float) trained.highest());
      return new ActivationQParams(trained, new RangeChoice(range, "trained", 0, 0, 0), tensors);
    }
    RangeChoice choice =
        activation
            .fixedRange()
            .map(range -> new RangeChoice(range, "fixed", 0, 0, 0))
            .orElseGet(() -> found.get(Key.of(activation)));
    Range range = choice.range();
    QParams q = activation.spec().qparams(range.min(), range.max());
    return new ActivationQParams(q, choice, tensors);
  }

  private boolean isSearched(Activation activation) {
    return !activations.containsKey(activation.root()) && activation.fixedRange().isEmpty();
  }

  /** Finds the ranges that are not known yet. */
  private void search(List<Activation> wanted) {
    List<Key> keys = wanted.stream().map(Key::of).filter(key -> !found.containsKey(key)).toList();
    List<RangeChoice> choices =
        RangeSearch.chooseAll(
            keys.stream()
                .map(
                    key ->
                        new RangeSearch.Wanted(
                            key.tensor(), stats(key.tensor()), key.method(), key.spec()))
                .toList());
    for (int i = 0; i < keys.size(); i++) {
      found.put(keys.get(i), choices.get(i));
    }
  }

  private TensorStats stats(String tensor) {
    boolean isObserved = state.tensors().containsKey(tensor);
    return state.tensor(isObserved ? tensor : standIns.getOrDefault(tensor, tensor));
  }
}
