package org.tare.qconfig;

import java.util.List;
import java.util.stream.Stream;

/**
 * Which {@link QConfig} applies where, as PyTorch's QConfigMapping: a default, then overrides by
 * operator type, by a pattern of names, and by a name. A later kind is stronger than an earlier
 * one; of one kind, the last that matches wins.
 *
 * @param correctsBias whether what rounding the weights of a convolution adds to the means of its
 *     channels is taken off its bias; needs statistics of channels
 */
public record QConfigMapping(
    Mode mode, Backend backend, QConfig standard, List<Rule> overrides, boolean correctsBias) {
  public QConfigMapping {
    overrides = List.copyOf(overrides);
    backend.check(mode, standard);
    overrides.forEach(rule -> backend.check(mode, rule.config()));
  }

  /** Without bias correction. */
  public QConfigMapping(Mode mode, Backend backend, QConfig standard, List<Rule> overrides) {
    this(mode, backend, standard, overrides, false);
  }

  /** Static quantization for ONNX Runtime's CPU kernels. */
  public QConfigMapping(QConfig standard, List<Rule> overrides) {
    this(Mode.STATIC, Backend.ONNXRUNTIME_CPU, standard, overrides);
  }

  /** What an override selects by, the weakest first. */
  public enum By {
    OPERATOR,
    NAME_PATTERN,
    NAME
  }

  /**
   * One override.
   *
   * @param pattern an operator type, or the name of a node or of the tensor it writes; {@code *}
   *     stands for any characters, {@code ?} for one
   */
  public record Rule(By by, String pattern, QConfig config) {
    /** By name, which is a pattern if it holds {@code *} or {@code ?}. */
    public static Rule byName(String pattern, QConfig config) {
      boolean isPattern = pattern.contains("*") || pattern.contains("?");
      return new Rule(isPattern ? By.NAME_PATTERN : By.NAME, pattern, config);
    }

    /** Whether the rule is for a node of this operator type, name and output. */
    public boolean selects(String opType, String nodeName, String outputName) {
      return by == By.OPERATOR ? matches(opType) : matches(nodeName) || matches(outputName);
    }

    private boolean matches(String name) {
      return by == By.NAME ? pattern.equals(name) : Wildcards.match(pattern, name);
    }
  }

  /** The same without bias correction. */
  public QConfigMapping withoutBiasCorrection() {
    return new QConfigMapping(mode, backend, standard, overrides, false);
  }

  /** The same, with weights rounded each to the nearest. */
  public QConfigMapping withoutKernelSums() {
    List<Rule> rules =
        overrides.stream()
            .map(rule -> new Rule(rule.by(), rule.pattern(), rule.config().withoutKernelSums()))
            .toList();
    return new QConfigMapping(mode, backend, standard.withoutKernelSums(), rules, correctsBias);
  }

  /** Whether pairs hold a type that they take from operator set 21 on: of 4 or 16 bits. */
  public boolean usesTypesOf21() {
    return Stream.concat(Stream.of(standard), overrides.stream().map(Rule::config))
        .filter(QConfig::quantized)
        .flatMap(config -> Stream.of(config.weight(), config.activation()))
        .anyMatch(tensor -> tensor.dtype().bits() != 8);
  }

  /** The configuration of a node, which its operator type, its name and its output select. */
  public QConfig of(String opType, String nodeName, String outputName) {
    By[] kinds = By.values();
    for (int kind = kinds.length - 1; kind >= 0; kind--) {
      for (int i = overrides.size() - 1; i >= 0; i--) {
        Rule rule = overrides.get(i);
        if (rule.by() == kinds[kind] && rule.selects(opType, nodeName, outputName)) {
          return rule.config();
        }
      }
    }
    return standard;
  }

  /** Whether an override that quantizes selects the node, so that its user asked for it. */
  public boolean asksFor(String opType, String nodeName, String outputName) {
    return overrides.stream()
        .anyMatch(rule -> rule.config().quantized() && rule.selects(opType, nodeName, outputName));
  }

  /** The configuration of a model's input, which its name selects. */
  public QConfig ofInput(String name) {
    return of("", name, name);
  }
}
