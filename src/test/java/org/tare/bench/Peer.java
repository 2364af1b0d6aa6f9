package org.tare.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The peers, which run in a Python that has them. */
record Peer(String python) {
  /** Whether the Python has these modules. */
  boolean has(String... modules) throws IOException, InterruptedException {
    try {
      return new ProcessBuilder(python, "-c", "import " + String.join(", ", modules))
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    }
  }

  /** The lines of two words that a script prints, where the first begins like a peer's name. */
  Map<String, String> figures(String script, String... arguments)
      throws IOException, InterruptedException {
    Map<String, String> figures = new LinkedHashMap<>();
    List<String> command = new ArrayList<>(List.of(python, script));
    command.addAll(List.of(arguments));
    Process process;
    try {
      process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    } catch (IOException e) {
      return figures;
    }
    try (BufferedReader out =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        String[] words = line.split(" ");
        boolean isOurs = words[0].startsWith("torch_") || words[0].startsWith("onnxruntime_");
        if (words.length == 2 && isOurs) {
          figures.put(words[0], words[1]);
        }
      }
    }
    process.waitFor();
    return figures;
  }
}
