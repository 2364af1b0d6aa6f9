package org.tare.examples;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Lines of JSON as one Markdown table. A line has a figure under each key it knows; a line with
 * {@code refused} says why there is no model.
 */
final class ResultTable {
  /** What stands above a figure and how the figure is written. */
  private record Column(String head, String format) {}

  private static final Map<String, Column> COLUMNS = new LinkedHashMap<>();

  static {
    COLUMNS.put("sqnr_db", new Column("SQNR, dB", "%.1f"));
    COLUMNS.put("cosine", new Column("cosine", "%.4f"));
    COLUMNS.put("same_neighbour", new Column("same neighbour", "%.3f"));
    COLUMNS.put("top1", new Column("top-1", "%.4f"));
    COLUMNS.put("same_class", new Column("same class", "%.4f"));
    COLUMNS.put("lines_read", new Column("lines read", "%.3f"));
    COLUMNS.put("same_decision", new Column("same decision", "%.3f"));
    COLUMNS.put("mean_difference", new Column("mean difference", "%.5f"));
    COLUMNS.put("bytes", new Column("bytes", "%,d"));
    COLUMNS.put("batch", new Column("batch", "%d"));
    COLUMNS.put("ms_a_batch", new Column("ms a batch", "%.4g"));
  }

  private ResultTable() {}

  /** Prints the table of all lines of all files; columns without a figure are left out. */
  static void print(List<Path> files) throws IOException {
    ObjectMapper json = new ObjectMapper();
    List<JsonNode> lines = new ArrayList<>();
    for (Path file : files) {
      for (String line : Files.readAllLines(file)) {
        lines.add(json.readTree(line));
      }
    }
    Map<String, Column> columns = new LinkedHashMap<>(COLUMNS);
    columns.keySet().removeIf(key -> lines.stream().noneMatch(line -> line.has(key)));
    StringBuilder head = new StringBuilder("| model | mode | tool |");
    columns.values().forEach(column -> head.append(' ').append(column.head()).append(" |"));
    System.out.println(head);
    System.out.println("|---|---|---|" + "---:|".repeat(columns.size()));
    for (JsonNode line : lines) {
      StringBuilder row = new StringBuilder("|");
      for (String key : List.of("model", "mode", "tool")) {
        row.append(' ').append(line.path(key).asText()).append(" |");
      }
      if (line.has("refused")) {
        row.append(" refused: ").append(line.get("refused").asText().replace("|", "\\|"));
        row.append(" |".repeat(columns.size()));
      } else {
        columns.forEach(
            (key, column) -> row.append(' ').append(cell(line.path(key), column)).append(" |"));
      }
      System.out.println(row);
    }
  }

  private static String cell(JsonNode value, Column column) {
    if (value.isMissingNode()) {
      return "";
    }
    if (value.isNull()) {
      return "–";
    }
    return String.format(
        Locale.ROOT,
        column.format(),
        value.isIntegralNumber() ? (Object) value.asLong() : (Object) value.asDouble());
  }
}
