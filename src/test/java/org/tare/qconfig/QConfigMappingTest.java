package org.tare.qconfig;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.tare.qconfig.QConfigMapping.By;
import org.tare.qconfig.QConfigMapping.Rule;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;

class QConfigMappingTest {
  private static final QConfig STANDARD = QConfig.standard();

  /** One of many that can be told apart. */
  private static QConfig percentile(double value) {
    return new QConfig(
        true,
        new TensorQConfig(RangeMethod.Percentile.of(value), DType.UINT8, QScheme.PER_TENSOR_AFFINE),
        STANDARD.weight(),
        false);
  }

  private static Rule op(String pattern, double value) {
    return new Rule(By.OPERATOR, pattern, percentile(value));
  }

  private static Rule name(String pattern, double value) {
    return Rule.byName(pattern, percentile(value));
  }

  @Test
  void nameIsStrongerThanPatternAndPatternThanOperator() {
    List<Rule> rules =
        new ArrayList<>(List.of(name("/block/conv", 99), name("/block/*", 98), op("Conv", 97)));
    for (int turn = 0; turn < 3; turn++) {
      QConfigMapping mapping = new QConfigMapping(STANDARD, rules);
      assertEquals(percentile(99), mapping.of("Conv", "/block/conv", "t"));
      assertEquals(percentile(98), mapping.of("Conv", "/block/other", "t"));
      assertEquals(percentile(97), mapping.of("Conv", "/head/conv", "t"));
      assertEquals(percentile(98), mapping.of("MatMul", "/block/mm", "t"));
      assertEquals(STANDARD, mapping.of("MatMul", "/head/mm", "t"));
      Collections.rotate(rules, 1);
    }
  }

  @Test
  void lastOfAKindWins() {
    QConfigMapping mapping =
        new QConfigMapping(
            STANDARD,
            List.of(
                name("a", 99),
                name("a", 98),
                name("b*", 97),
                name("b?", 96),
                op("Conv", 95),
                op("Co*", 94)));
    assertEquals(percentile(98), mapping.of("Conv", "a", "t"));
    assertEquals(percentile(96), mapping.of("Conv", "b1", "t"));
    assertEquals(percentile(97), mapping.of("Conv", "b12", "t"));
    assertEquals(percentile(94), mapping.of("Conv", "c", "t"));
  }

  @Test
  void namesAreThoseOfNodesOrOfWhatTheyWrite() {
    QConfigMapping mapping =
        new QConfigMapping(STANDARD, List.of(name("t.1", 99), name("x", 98), name("/a[0]/*", 97)));
    assertEquals(percentile(99), mapping.of("Conv", "n", "t.1"));
    assertEquals(STANDARD, mapping.of("Conv", "n", "tx1"));
    assertEquals(percentile(97), mapping.of("Conv", "/a[0]/b", "t"));
    assertEquals(STANDARD, mapping.of("Conv", "/a0/b", "t"));
    assertEquals(percentile(98), mapping.ofInput("x"));
    assertEquals(STANDARD, mapping.ofInput("y"));
    assertEquals(STANDARD, new QConfigMapping(STANDARD, List.of(op("x", 99))).ofInput("x"));
  }

  @Test
  void kindOfAName() {
    assertEquals(By.NAME, name("conv", 99).by());
    assertEquals(By.NAME_PATTERN, name("conv*", 99).by());
    assertEquals(By.NAME_PATTERN, name("con?", 99).by());
  }

  @Test
  void explicitModeQuantizesOnlyWhatIsNamed() {
    QConfigMapping mapping =
        new QConfigMapping(
            STANDARD.asFloat(),
            List.of(
                new Rule(By.OPERATOR, "Conv", STANDARD), Rule.byName("head*", STANDARD.asFloat())));
    assertTrue(mapping.of("Conv", "a", "t").quantized());
    assertFalse(mapping.of("MatMul", "a", "t").quantized());
    assertFalse(mapping.of("Conv", "head1", "t").quantized());
    assertFalse(mapping.ofInput("x").quantized());
    assertEquals(STANDARD.activation(), mapping.standard().activation());
  }

  /** A star may be tried at each place of a name, but not at all places of all stars. */
  @Test
  void patternsWithManyStarsTakeNoTime() {
    String name = "/a".repeat(2_000);
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () -> {
          QConfigMapping mapping =
              new QConfigMapping(STANDARD, List.of(name("*a".repeat(500) + "*b", 99)));
          assertEquals(STANDARD, mapping.of("Conv", name, name));
          assertEquals(percentile(99), mapping.of("Conv", name + "b", "t"));
        });
  }

  @Test
  void wildcardsMatchWholeNames() {
    List<String> matching =
        List.of(
            "a*c|abc",
            "a*c|ac",
            "a?c|a.c",
            "*|",
            "**|x",
            "a\\E*|a\\Eb",
            "?|\uD83D\uDE00",
            "*|a\nb");
    for (String both : matching) {
      String[] parts = both.split("\\|", -1);
      assertTrue(Wildcards.match(parts[0], parts[1]), both);
    }
    for (String both : List.of("a*c|abcd", "a?c|ac", "?|", "a|A", "*a|ab", "a*b*c|acb", "|x")) {
      String[] parts = both.split("\\|", -1);
      assertFalse(Wildcards.match(parts[0], parts[1]), both);
    }
  }
}
