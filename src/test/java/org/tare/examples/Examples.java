package org.tare.examples;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The steps of {@code deploy/examples}: makes tables of real texts and pictures for real models and
 * holds quantized models against the float ones. A model to score is {@code TOOL:MODE=FILE} or a
 * file alone, the float one first; each gives a line of JSON.
 */
public final class Examples {
  private static final String USAGE =
      """
      examples minilm-data TOKENIZER.json DIR
      examples minilm-score FLOAT.onnx OTHER.onnx... --data DIR
      examples ocr-rec-data KEYS.txt DIR
      examples ocr-rec-score KEYS.txt FLOAT.onnx OTHER.onnx... --data DIR
      examples ocr-det-data KEYS.txt DIR
      examples ocr-det-score FLOAT.onnx OTHER.onnx... --data DIR
      examples fashion-data DIR_OF_IDX DIR
      examples fashion-training DIR_OF_IDX DIR
      examples fashion-score FLOAT.onnx OTHER.onnx... --data DIR
      examples silero-score FLOAT.onnx OTHER.onnx...
      examples table FILE.jsonl...""";

  private Examples() {}

  /** The step and its arguments; exits with 64 if it is none, with 1 if it fails. */
  public static void main(String[] args) {
    List<String> arguments = new ArrayList<>(Arrays.asList(args));
    try {
      if (arguments.isEmpty()) {
        throw new UsageException();
      }
      run(arguments.remove(0), arguments);
    } catch (UsageException e) {
      System.err.println(USAGE);
      System.exit(64);
    } catch (IOException | RuntimeException e) {
      String message = e.getMessage();
      System.err.println("examples: " + (message == null ? e : message));
      System.exit(1);
    }
  }

  private static void run(String step, List<String> arguments) throws IOException {
    switch (step) {
      case "minilm-data" -> {
        Path tokenizer = path(arguments);
        MiniLmData.write(tokenizer, path(arguments));
      }
      case "minilm-score" -> {
        Path data = data(arguments);
        MiniLmScore.print(models(arguments), data);
      }
      case "ocr-rec-data" -> {
        Path keys = path(arguments);
        OcrData.writeLines(keys, path(arguments));
      }
      case "ocr-rec-score" -> {
        Path data = data(arguments);
        Path keys = path(arguments);
        OcrRecScore.print(keys, models(arguments), data);
      }
      case "ocr-det-data" -> {
        Path keys = path(arguments);
        OcrData.writePages(keys, path(arguments));
      }
      case "ocr-det-score" -> {
        Path data = data(arguments);
        OcrDetScore.print(models(arguments), data);
      }
      case "fashion-data" -> {
        Path idx = path(arguments);
        FashionData.write(idx, path(arguments));
      }
      case "fashion-training" -> {
        Path idx = path(arguments);
        FashionData.writeForTraining(idx, path(arguments));
      }
      case "fashion-score" -> {
        Path data = data(arguments);
        FashionScore.print(models(arguments), data);
      }
      case "silero-data" -> SileroSound.write(Path.of(arguments.get(0)));
      case "silero-score" -> SileroScore.print(models(arguments));
      case "table" -> ResultTable.print(arguments.stream().map(Path::of).toList());
      default -> throw new UsageException();
    }
  }

  private static Path path(List<String> arguments) {
    if (arguments.isEmpty()) {
      throw new UsageException();
    }
    return Path.of(arguments.remove(0));
  }

  private static Path data(List<String> arguments) {
    int option = arguments.indexOf("--data");
    if (option < 0 || option + 1 == arguments.size()) {
      throw new UsageException();
    }
    arguments.remove(option);
    return Path.of(arguments.remove(option));
  }

  private static List<String> models(List<String> arguments) {
    if (arguments.isEmpty()) {
      throw new UsageException();
    }
    return arguments;
  }

  private static final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }
}
