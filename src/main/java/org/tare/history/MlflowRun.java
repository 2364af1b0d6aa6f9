package org.tare.history;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.tare.TareException;
import org.tare.settings.RegistrySettings;
import org.tare.store.HadoopFiles;

/**
 * Logs a published output as a run of MLflow: settings become parameters, figures metrics, files
 * artifacts, and the run a version of a registered model if one is named. What fails here is said,
 * and fails nothing else.
 */
public final class MlflowRun {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String PROXIED = "mlflow-artifacts:";
  private static final int MOST_PARAMETERS = 100;
  private static final int MOST_METRICS = 1000;

  /** What MLflow takes of a value. */
  private static final int LONGEST = 6000;

  private static final List<String> FIGURES =
      List.of("calibration", "quantized", "evaluation", "recalibration", "training", "seconds");

  private final HadoopFiles files;
  private final Consumer<String> progress;
  private final RegistrySettings settings;
  private final MlflowClient client;

  /**
   * @param progress is told what was logged, or why it was not
   */
  public MlflowRun(HadoopFiles files, Consumer<String> progress, RegistrySettings settings) {
    this(files, progress, settings, System.getenv());
  }

  MlflowRun(
      HadoopFiles files,
      Consumer<String> progress,
      RegistrySettings settings,
      Map<String, String> environment) {
    this.files = files;
    this.progress = progress;
    this.settings = settings;
    this.client = new MlflowClient(settings.url(), environment);
  }

  /**
   * Logs an output.
   *
   * @param place the folder
   * @param names of its files
   * @param result the content of its {@code result.json}
   */
  public void log(String place, List<String> names, byte[] result) {
    try {
      logged(place, names, JSON.readTree(result));
    } catch (IOException | UncheckedIOException | TareException e) {
      tell(e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      tell("interrupted");
    }
  }

  private void tell(String failure) {
    progress.accept("Not logged in MLflow: " + failure);
  }

  private void logged(String place, List<String> names, JsonNode result)
      throws IOException, InterruptedException {
    String experiment = experiment();
    JsonNode info = create(experiment, place, result);
    String run = info.path("run_id").asText();
    try {
      figures(run, result);
      String uri = info.path("artifact_uri").asText();
      artifacts(uri, place, names);
      Optional<String> version = version(run, uri);
      end(run, "FINISHED");
      progress.accept(
          String.format(
              "Logged in MLflow: run %s of the experiment %s%s",
              run,
              settings.experiment(),
              version
                  .map(number -> ", version " + number + " of " + settings.model().get())
                  .orElse("")));
    } catch (IOException | RuntimeException e) {
      endQuietly(run);
      throw e;
    }
  }

  private String experiment() throws IOException, InterruptedException {
    String name = settings.experiment();
    for (int attempt = 0; ; attempt++) {
      try {
        return client
            .get("experiments/get-by-name", "experiment_name", name)
            .at("/experiment/experiment_id")
            .asText();
      } catch (MlflowClient.Refused e) {
        if (!e.code().equals("RESOURCE_DOES_NOT_EXIST") || attempt > 0) {
          throw e;
        }
      }
      try {
        return client
            .post("experiments/create", client.body().put("name", name))
            .path("experiment_id")
            .asText();
      } catch (MlflowClient.Refused e) {
        // Another run may have made it meanwhile.
        if (!e.code().equals("RESOURCE_ALREADY_EXISTS")) {
          throw e;
        }
      }
    }
  }

  private JsonNode create(String experiment, String place, JsonNode result)
      throws IOException, InterruptedException {
    String command = result.path("command").asText();
    ObjectNode body = client.body();
    body.put("experiment_id", experiment);
    body.put("run_name", "tare " + command + " " + result.at("/model/name").asText());
    body.put("start_time", millis(result.path("started")));
    ArrayNode tags = body.putArray("tags");
    tag(tags, "mlflow.source.name", "tare " + command);
    tag(tags, "tare.version", result.path("tare").asText());
    tag(tags, "tare.output", files.qualified(place));
    return client.post("runs/create", body).at("/run/info");
  }

  private static void tag(ArrayNode tags, String key, String value) {
    tags.addObject().put("key", key).put("value", value);
  }

  private static long millis(JsonNode time) {
    return time.isTextual()
        ? Instant.parse(time.asText()).toEpochMilli()
        : Instant.now().toEpochMilli();
  }

  private void figures(String run, JsonNode result) throws IOException, InterruptedException {
    Map<String, String> parameters = new LinkedHashMap<>();
    for (String key : List.of("command", "tare", "spark", "java")) {
      put(parameters, key, result.path(key));
    }
    put(parameters, "model.sha256", result.at("/model/sha256"));
    put(parameters, "recalibration.outcome", result.at("/recalibration/outcome"));
    result.path("settings").properties().forEach(one -> put(parameters, one));
    Map<String, Double> metrics = new LinkedHashMap<>();
    FIGURES.forEach(part -> numbers(part, result.path(part), metrics));
    metrics.put("model.bytes", result.at("/model/bytes").asDouble());
    long now = Instant.now().toEpochMilli();
    ObjectNode body = batch(run);
    for (Map.Entry<String, String> one : parameters.entrySet()) {
      body.withArray("params").addObject().put("key", one.getKey()).put("value", one.getValue());
      if (body.withArray("params").size() == MOST_PARAMETERS) {
        client.post("runs/log-batch", body);
        body = batch(run);
      }
    }
    client.post("runs/log-batch", body);
    body = batch(run);
    for (Map.Entry<String, Double> one : metrics.entrySet()) {
      body.withArray("metrics")
          .addObject()
          .put("key", one.getKey())
          .put("value", one.getValue())
          .put("timestamp", now)
          .put("step", 0);
      if (body.withArray("metrics").size() == MOST_METRICS) {
        client.post("runs/log-batch", body);
        body = batch(run);
      }
    }
    client.post("runs/log-batch", body);
  }

  private ObjectNode batch(String run) {
    return client.body().put("run_id", run);
  }

  private static void put(Map<String, String> parameters, Map.Entry<String, JsonNode> one) {
    put(parameters, one.getKey(), one.getValue());
  }

  private static void put(Map<String, String> parameters, String key, JsonNode value) {
    if (!value.isMissingNode() && !value.isNull()) {
      String text = value.isValueNode() ? value.asText() : value.toString();
      parameters.put(key(key), text.substring(0, Math.min(LONGEST, text.length())));
    }
  }

  /** All numbers below a node, by their paths with dots; null, as infinities are, is none. */
  private static void numbers(String path, JsonNode node, Map<String, Double> into) {
    if (node.isNumber()) {
      into.put(key(path), node.asDouble());
    } else if (node.isObject()) {
      node.properties().forEach(one -> numbers(path + "." + one.getKey(), one.getValue(), into));
    }
  }

  /** MLflow takes no other letters, and slashes only between names. */
  private static String key(String text) {
    return text.replaceAll("[^\\p{Alnum}_. -]", "_");
  }

  private void artifacts(String uri, String place, List<String> names)
      throws IOException, InterruptedException {
    if (!uri.startsWith(PROXIED)) {
      progress.accept(
          "Artifacts are not logged in MLflow: the server does not take them itself (its store is "
              + uri
              + "); the run's tag tare.output says where the output is");
      return;
    }
    // mlflow-artifacts:/0/RUN/artifacts, or with a host before the path.
    String root = uri.substring(PROXIED.length()).replaceFirst("^//[^/]*", "").substring(1);
    for (String name : names) {
      files.withLocal(
          "output",
          place + "/" + name,
          local -> {
            try {
              client.put(root + "/" + name, local);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
              throw new UncheckedIOException(new IOException("interrupted"));
            }
            return null;
          });
    }
  }

  private Optional<String> version(String run, String uri)
      throws IOException, InterruptedException {
    if (settings.model().isEmpty()) {
      return Optional.empty();
    }
    String name = settings.model().get();
    try {
      client.post("registered-models/create", client.body().put("name", name));
    } catch (MlflowClient.Refused e) {
      if (!e.code().equals("RESOURCE_ALREADY_EXISTS")) {
        throw e;
      }
    }
    ObjectNode body = client.body().put("name", name).put("source", uri).put("run_id", run);
    return Optional.of(
        client.post("model-versions/create", body).at("/model_version/version").asText());
  }

  private void end(String run, String status) throws IOException, InterruptedException {
    client.post(
        "runs/update",
        client
            .body()
            .put("run_id", run)
            .put("status", status)
            .put("end_time", Instant.now().toEpochMilli()));
  }

  /** After a failure, which is what is told. */
  private void endQuietly(String run) {
    try {
      end(run, "FAILED");
    } catch (IOException e) {
      // The server does not answer any more: the run stays as it is there.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
