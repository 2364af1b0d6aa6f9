package org.tare.job.trials;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.QConfigMapping.By;
import org.tare.qconfig.QConfigMapping.Rule;

/**
 * A type for each layer.
 *
 * @param types in the order of the layers
 */
public record Assignment(List<LayerType> types) {
  public Assignment {
    types = List.copyOf(types);
  }

  /** One type for all layers. */
  static Assignment all(List<Layer> layers, LayerType type) {
    return all(layers.size(), type);
  }

  static Assignment all(int layers, LayerType type) {
    return new Assignment(Collections.nCopies(layers, type));
  }

  /** The same with another type for one layer. */
  Assignment with(int layer, LayerType type) {
    List<LayerType> other = new ArrayList<>(types);
    other.set(layer, type);
    return new Assignment(other);
  }

  /** The first layer that is not float. */
  int start() {
    int layer = 0;
    while (layer < types.size() && types.get(layer).isFloat()) {
      layer++;
    }
    return layer;
  }

  /** In how many layers the types differ. */
  int distance(Assignment other) {
    int differ = 0;
    for (int i = 0; i < types.size(); i++) {
      differ += types.get(i).equals(other.types.get(i)) ? 0 : 1;
    }
    return differ;
  }

  /** What quantizes the model so: the mapping with an override for each layer. */
  public QConfigMapping mapping(List<Layer> layers, QConfigMapping given) {
    List<Rule> rules = new ArrayList<>(given.overrides());
    for (int i = 0; i < types.size(); i++) {
      Layer layer = layers.get(i);
      rules.add(new Rule(By.NAME, layer.output(), types.get(i).of(usual(layer, given))));
    }
    return new QConfigMapping(
        given.mode(), given.backend(), given.standard(), rules, given.correctsBias());
  }

  /**
   * The same as entries of {@code quantize.overrides}: for what the settings do not give anyway.
   */
  public List<Map<String, Object>> overrides(List<Layer> layers, QConfigMapping given) {
    List<Map<String, Object>> entries = new ArrayList<>();
    for (int i = 0; i < types.size(); i++) {
      QConfig usual = usual(layers.get(i), given);
      if (!types.get(i).of(usual).equals(usual)) {
        entries.add(types.get(i).override(layers.get(i).output(), usual));
      }
    }
    return entries;
  }

  private static QConfig usual(Layer layer, QConfigMapping given) {
    return given.of(layer.opType(), layer.name(), layer.output());
  }

  /** Bytes of all weights, their scales aside. */
  public long bytes(List<Layer> layers) {
    long bytes = 0;
    for (int i = 0; i < types.size(); i++) {
      bytes += types.get(i).bytes(layers.get(i).weights());
    }
    return bytes;
  }
}
