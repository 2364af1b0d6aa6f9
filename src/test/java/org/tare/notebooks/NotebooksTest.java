package org.tare.notebooks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.quant.QScheme;
import org.tare.quant.TorchQParams;
import org.tare.range.torch.TorchVersion;
import org.tare.torch.ObserverConfig;
import org.tare.torch.ObserverKind;
import org.tare.torch.TorchObserver;

/**
 * The notebooks are whole, were run from top to bottom without an error, and tell nothing of the
 * machine that ran them. {@code deploy/notebooks} runs them and compares what they print.
 */
class NotebooksTest {
  private static final Path FOLDER = Path.of("notebooks");
  private static final int MOST_PICTURE_BYTES = 100_000;
  private static final int MOST_BYTES = 300_000;

  /** Folders of machines, addresses, and names of hosts with a port. */
  private static final Pattern OF_A_MACHINE =
      Pattern.compile(
          "(?<![\\w./])/(?:home|root|tmp|work|var|opt|mnt|usr|Users|private)/|[A-Z]:\\\\|file:/"
              + "|\\b\\d{1,3}(?:\\.\\d{1,3}){3}\\b|localhost|\\b[\\w-]+(?:\\.[\\w-]+)*:\\d{4,5}\\b");

  /** What the tutorial prints from its two tensors, and how. */
  private static final float[][] INPUTS = {
    {-0.6123f, 0.1598f, 0.4631f, -0.1487f, -0.1753f, 1.1975f},
    {-2.1246f, 1.5558f, -0.8172f, 0.5080f, 0.3117f, -0.8401f}
  };

  static List<Path> notebooks() throws IOException {
    try (Stream<Path> files = Files.list(FOLDER)) {
      return files.filter(file -> file.toString().endsWith(".ipynb")).sorted().toList();
    }
  }

  @Test
  void bothAreThere() throws IOException {
    assertEquals(
        List.of("quantization-basics.ipynb", "table-to-model.ipynb"),
        notebooks().stream().map(file -> file.getFileName().toString()).toList());
  }

  @ParameterizedTest
  @MethodSource("notebooks")
  void isANotebook(Path file) throws IOException {
    JsonNode notebook = read(file);
    assertEquals(4, notebook.path("nbformat").asInt());
    assertEquals(5, notebook.path("nbformat_minor").asInt());
    assertEquals(
        "{\"kernelspec\":{\"display_name\":\"Python 3\",\"language\":\"python\",\"name\":\"python3\"},"
            + "\"language_info\":{\"name\":\"python\"}}",
        notebook.path("metadata").toString());
    Set<String> ids = new HashSet<>();
    for (JsonNode cell : notebook.path("cells")) {
      assertTrue(Set.of("markdown", "code").contains(cell.path("cell_type").asText()));
      assertTrue(ids.add(cell.path("id").asText()), "id " + cell.path("id"));
      assertFalse(text(cell.path("source")).isBlank(), "an empty cell");
      assertTrue(
          Set.of("{}", "{\"tags\":" + cell.path("metadata").path("tags") + "}")
              .contains(cell.path("metadata").toString()),
          "metadata " + cell.path("metadata"));
    }
    assertTrue(Files.size(file) < MOST_BYTES, Files.size(file) + " bytes");
  }

  @ParameterizedTest
  @MethodSource("notebooks")
  void wasRunFromTopToBottomWithoutAnError(Path file) throws IOException {
    int count = 0;
    for (JsonNode cell : codeCells(file)) {
      count++;
      assertEquals(count, cell.path("execution_count").asInt(), text(cell.path("source")));
      for (JsonNode output : cell.path("outputs")) {
        String type = output.path("output_type").asText();
        assertTrue(Set.of("stream", "display_data", "execute_result").contains(type), type);
        assertFalse(output.path("name").asText().equals("stderr"), text(output.path("text")));
      }
    }
    assertTrue(count > 0, "no code");
  }

  @ParameterizedTest
  @MethodSource("notebooks")
  void tellsNothingOfTheMachineThatRanIt(Path file) throws IOException {
    String host = InetAddress.getLocalHost().getHostName();
    for (JsonNode cell : read(file).path("cells")) {
      List<String> texts = new ArrayList<>(List.of(text(cell.path("source"))));
      for (JsonNode output : cell.path("outputs")) {
        texts.add(text(output.path("text")));
        output.path("data").fields().forEachRemaining(one -> texts.add(shown(one.getValue())));
        assertEquals("", output.path("metadata").toString().replaceAll("[{}]", ""), "metadata");
      }
      for (String text : texts) {
        Matcher found = OF_A_MACHINE.matcher(text);
        assertFalse(found.find(), () -> "\"" + found.group() + "\" in: " + text);
        boolean isPlain = host.length() < 6 || host.equals("localhost");
        assertFalse(!isPlain && text.contains(host), () -> "the host's name in: " + text);
      }
    }
  }

  /** Texts; the letters of a picture mean nothing. */
  private static String shown(JsonNode data) {
    String text = text(data);
    return text.startsWith("iVBOR") ? "" : text;
  }

  @Test
  void knowsPathsAndAddressesOfMachines() {
    for (String told :
        List.of("in /home/ada/x", "/tmp/a", "C:\\x", "at 10.0.0.7", "file:/x", "spark-1:7077")) {
      assertTrue(OF_A_MACHINE.matcher(told).find(), told);
    }
    for (String harmless :
        List.of("/stem/stem.0/Conv", "https://pytorch.org/blog", "1 / 255", "0.1.0", "[:6]")) {
      assertFalse(OF_A_MACHINE.matcher(harmless).find(), harmless);
    }
  }

  @Test
  void picturesAreSmallAndThere() throws IOException {
    int pictures = 0;
    for (Path file : notebooks()) {
      for (JsonNode cell : codeCells(file)) {
        for (JsonNode output : cell.path("outputs")) {
          if (output.path("data").has("image/png")) {
            String base64 = text(output.path("data").path("image/png")).replaceAll("\\s", "");
            int size = Base64.getDecoder().decode(base64).length;
            assertTrue(size < MOST_PICTURE_BYTES, size + " bytes");
            pictures++;
          }
        }
      }
    }
    assertEquals(1, pictures);
  }

  /** The observers' figures, which are PyTorch's: see the recorded results. */
  @Test
  void printsWhatTheObserversCompute() throws IOException {
    String printed = printed(FOLDER.resolve("quantization-basics.ipynb"));
    ObserverConfig average = ObserverConfig.of(ObserverKind.MOVING_AVERAGE);
    ObserverConfig histogram = ObserverConfig.of(ObserverKind.HISTOGRAM);
    List<String> lines =
        List.of(
            "MinMaxObserver: " + qparams(ObserverConfig.of(ObserverKind.MIN_MAX)),
            "MovingAverageMinMaxObserver: " + qparams(average),
            "HistogramObserver: "
                + qparams(histogram.withHistogram(TorchVersion.TORCH_1_13, 2048, 128)),
            "torch-2.0: " + qparams(histogram.withHistogram(TorchVersion.TORCH_2_0, 2048, 128)),
            "torch-2.5: " + qparams(histogram),
            "per_tensor_symmetric: "
                + qparams(
                    average.with(average.dtype().orElseThrow(), QScheme.PER_TENSOR_SYMMETRIC)),
            qparams(ObserverConfig.of(ObserverKind.MOVING_AVERAGE_PER_CHANNEL)));
    for (String line : lines) {
      assertTrue(printed.contains(line + "\n"), line);
    }
    for (String seed :
        List.of(
            "MinMaxObserver: scale [0.0144], zero_point [147]",
            "HistogramObserver: scale [0.0089], zero_point [79]",
            "per_tensor_symmetric: scale [0.0094], zero_point [128]",
            "scale [0.0031, 0.0024, 0.0054], zero_point [200, 64, 34]",
            "1 byte instead of 4")) {
      assertTrue(printed.contains(seed), seed);
    }
  }

  private static String qparams(ObserverConfig config) {
    TorchObserver observer = new TorchObserver(config);
    for (float[] batch : INPUTS) {
      observer.observe(batch, 3, 2);
    }
    List<TorchQParams> found = observer.qparams();
    return found.stream()
        .map(one -> String.format(Locale.ROOT, "%.4f", one.scale()))
        .collect(Collectors.joining(", ", "scale [", "], "))
        .concat(
            found.stream()
                .map(one -> String.valueOf((int) one.zeroPoint()))
                .collect(Collectors.joining(", ", "zero_point [", "]")));
  }

  private static String printed(Path file) throws IOException {
    StringBuilder all = new StringBuilder();
    for (JsonNode cell : codeCells(file)) {
      cell.path("outputs").forEach(output -> all.append(text(output.path("text"))));
    }
    return all.toString();
  }

  private static List<JsonNode> codeCells(Path file) throws IOException {
    List<JsonNode> cells = new ArrayList<>();
    for (JsonNode cell : read(file).path("cells")) {
      if (cell.path("cell_type").asText().equals("code")) {
        cells.add(cell);
      }
    }
    return cells;
  }

  private static JsonNode read(Path file) throws IOException {
    return new ObjectMapper().readTree(file.toFile());
  }

  /** Notebooks hold a text as one, or as a list of its lines. */
  private static String text(JsonNode node) {
    if (!node.isArray()) {
      return node.asText();
    }
    StringBuilder all = new StringBuilder();
    node.forEach(line -> all.append(line.asText()));
    return all.toString();
  }
}
