package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.TreeMap;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.stats.CalibrationState;
import org.tare.stats.TensorStats;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** The command plot, on a state of made values. */
class PlotCommandTest {
  private static final String HOSTILE = "<g>&\u202e\u001b";

  @TempDir static Path folder;

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  @BeforeAll
  static void makeState() throws IOException {
    float[] values = new float[1001];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i - 250) / 250f;
    }
    TreeMap<String, TensorStats> stats = new TreeMap<>();
    stats.put("ramp", TensorStats.of(values));
    stats.put(HOSTILE, TensorStats.of(-1, 2));
    stats.put("constant", TensorStats.of(3, 3));
    stats.put("zeros", TensorStats.of(0f, -0f));
    stats.put("single", TensorStats.of(Float.MIN_VALUE));
    stats.put("wide", TensorStats.of(-Float.MAX_VALUE, 1, Float.MAX_VALUE));
    stats.put("odd", TensorStats.of(Float.NaN, Float.POSITIVE_INFINITY, 1, 2));
    stats.put("nothing", TensorStats.of(Float.NaN));
    Files.write(folder.resolve("state.tare"), new CalibrationState("0", 3, stats).encodeFile());
  }

  private static Outcome plot(String tensor, String file, String... more) {
    String[] first = {"plot", at("state.tare"), "--tensor", tensor, "--output", at(file)};
    String[] all = Arrays.copyOf(first, first.length + more.length);
    System.arraycopy(more, 0, all, first.length, more.length);
    return Outcome.of(all);
  }

  private static Document read(String file) throws Exception {
    String text = Files.readString(folder.resolve(file), StandardCharsets.UTF_8);
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static double[] dotted(Document svg) {
    NodeList lines = svg.getElementsByTagName("line");
    return IntStream.range(0, lines.getLength())
        .mapToObj(i -> (Element) lines.item(i))
        .filter(line -> line.hasAttribute("stroke-dasharray"))
        .mapToDouble(line -> Double.parseDouble(line.getAttribute("x1")))
        .toArray();
  }

  /** From -1 to 3: affine the lines stand at both ends, symmetric at -3 and 3. */
  @Test
  void affineAndSymmetricWithDottedLinesAtTheRange() throws Exception {
    Outcome outcome = plot("ramp", "ramp.svg");
    assertEquals(0, outcome.status(), outcome.err());
    Document svg = read("ramp.svg");
    assertEquals(2, svg.getElementsByTagName("g").getLength());
    String text = svg.getDocumentElement().getTextContent();
    assertTrue(text.contains("affine, uint8, scale 0.015686, zero point 64"), text);
    assertTrue(text.contains("symmetric, int8, scale 0.023622, zero point 0"), text);
    assertTrue(text.contains("minmax: [-1.0000, 3.0000]"), text);
    assertTrue(text.contains("minmax: [-3.0000, 3.0000]"), text);
    double[] lines = dotted(svg);
    assertEquals(4, lines.length);
    // Margins of 4 % on each side of 420 units.
    assertEquals(20 + 420 * 0.04 / 1.08, lines[0], 0.06);
    assertEquals(20 + 420 * 1.04 / 1.08, lines[1], 0.06);
    assertEquals(lines[0], lines[2], 0.06);
    assertEquals(lines[1], lines[3], 0.06);
    // The background, and in each panel a hundred bars and the zero.
    assertEquals(1 + 2 * 101, svg.getElementsByTagName("rect").getLength());
  }

  @Test
  void settingsChooseSchemeMethodTypeAndBars() throws Exception {
    Outcome outcome =
        plot(
            "ramp",
            "set.svg",
            "--set",
            "plot.scheme=symmetric",
            "--set",
            "plot.method=percentile(percentile=90)",
            "--set",
            "plot.dtype=int4",
            "--set",
            "plot.bins=10");
    assertEquals(0, outcome.status(), outcome.err());
    Document svg = read("set.svg");
    assertEquals(1, svg.getElementsByTagName("g").getLength());
    assertEquals(12, svg.getElementsByTagName("rect").getLength());
    String text = svg.getDocumentElement().getTextContent();
    assertTrue(text.contains("symmetric, int4"), text);
    assertTrue(text.contains("percentile: [-2."), text);
  }

  @Test
  void namesAreEscaped() throws Exception {
    Outcome outcome = plot(HOSTILE, "hostile.svg");
    assertEquals(0, outcome.status(), outcome.err());
    Document svg = read("hostile.svg");
    assertEquals(
        "Distribution of <g>&\\u202e\\u001b",
        svg.getElementsByTagName("title").item(0).getTextContent());
  }

  @ParameterizedTest
  @ValueSource(strings = {"constant", "zeros", "single", "wide", "odd"})
  void valuesOfEveryKindAreDrawn(String tensor) throws Exception {
    Outcome outcome = plot(tensor, tensor + ".svg");
    assertEquals(0, outcome.status(), outcome.err());
    String text = Files.readString(folder.resolve(tensor + ".svg"));
    assertFalse(text.contains("=\"NaN\"") || text.contains("=\"Infinity\""), text);
    assertEquals(4, dotted(read(tensor + ".svg")).length);
  }

  @Test
  void whatCannotBeDrawnIsSaid() {
    Outcome unknown = plot("rump", "x.svg");
    assertEquals(65, unknown.status());
    assertTrue(
        unknown.err().contains("Cannot draw tensor \"rump\": the state does not hold it; it holds"),
        unknown.err());
    Outcome nothing = plot("nothing", "x.svg");
    assertEquals(65, nothing.status());
    assertTrue(nothing.err().contains("no finite value was observed (1 NaN"), nothing.err());
    Outcome png = plot("ramp", "x.png");
    assertEquals(64, png.status());
    assertTrue(png.err().contains("pictures are SVG; give a name that ends in .svg"), png.err());
    Outcome missing = Outcome.of("plot", at("state.tare"), "--output", at("x.svg"));
    assertEquals(64, missing.status());
    assertTrue(missing.err().contains("--tensor NAME"), missing.err());
    assertFalse(Files.exists(folder.resolve("x.svg")));
  }

  @Test
  void aPictureIsReplacedOnRequestAndNothingElseIs() throws IOException {
    assertEquals(0, plot("ramp", "again.svg").status());
    Outcome refused = plot("ramp", "again.svg");
    assertEquals(73, refused.status());
    assertTrue(refused.err().contains("it exists"), refused.err());
    assertEquals(0, plot("ramp", "again.svg", "--overwrite").status());
    Files.writeString(folder.resolve("mine.svg"), "mine, and no picture");
    assertEquals(73, plot("ramp", "mine.svg", "--overwrite").status());
    assertEquals("mine, and no picture", Files.readString(folder.resolve("mine.svg")));
  }
}
