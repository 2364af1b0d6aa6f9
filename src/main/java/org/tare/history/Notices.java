package org.tare.history;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.UUID;
import java.util.function.Consumer;
import org.tare.TareException;
import org.tare.results.Provenance;
import org.tare.settings.RecalibrateSettings;
import org.tare.store.Existing;
import org.tare.store.HadoopFiles;

/**
 * Tells others how a recalibration ended: a URL, and a file in the form of OpenLineage's run events
 * (spec 2-0-2). What fails here is said, and fails nothing else.
 */
public final class Notices {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final String SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json";

  private final HadoopFiles files;
  private final Consumer<String> progress;
  private final RecalibrateSettings settings;
  private final String output;
  private final String version;
  private final Instant started = Instant.now();

  /**
   * Of a run that begins now.
   *
   * @param progress is told what failed
   * @param version of Tare
   */
  public Notices(
      HadoopFiles files,
      Consumer<String> progress,
      RecalibrateSettings settings,
      String output,
      String version) {
    this.files = files;
    this.progress = progress;
    this.settings = settings;
    this.output = output;
    this.version = version;
  }

  /**
   * What came of a run.
   *
   * @param json the whole result
   * @param outcome in a word
   * @param why in a sentence
   */
  public record Outcome(String json, Provenance provenance, String outcome, String why) {}

  /** Tells that the run ended. */
  public void ended(Outcome result) {
    settings.url().ifPresent(url -> post(url, result.json()));
    settings.openLineage().ifPresent(file -> write(file, event("COMPLETE", result)));
  }

  /** Tells that the run failed. */
  public void failed(TareException failure) {
    ObjectNode node = JSON.createObjectNode();
    node.put("schema", 1).put("command", "recalibrate").put("tare", version);
    node.put("started", started.toString()).put("ended", Instant.now().toString());
    node.putObject("recalibration")
        .put("outcome", "failed")
        .put("why", failure.getMessage())
        .put("kind", failure.kind().name());
    settings.url().ifPresent(url -> post(url, node.toPrettyString()));
    settings
        .openLineage()
        .ifPresent(
            file -> {
              ObjectNode event = event("FAIL");
              facet((ObjectNode) event.path("run"), "errorMessage")
                  .put("message", failure.getMessage())
                  .put("programmingLanguage", "Java");
              write(file, event);
            });
  }

  private void post(String url, String body) {
    try {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(url))
              .timeout(PATIENCE)
              .header("Content-Type", "application/json")
              .POST(HttpRequest.BodyPublishers.ofString(body))
              .build();
      HttpResponse<Void> response =
          HttpClient.newBuilder()
              .connectTimeout(PATIENCE)
              .build()
              .send(request, HttpResponse.BodyHandlers.discarding());
      if (response.statusCode() / 100 != 2) {
        tell("notify.url: it answered with status " + response.statusCode());
      }
    } catch (IllegalArgumentException e) {
      // Its message has the URL, which may be a secret.
      tell("notify.url: it is no URL of http or https");
    } catch (IOException e) {
      tell("notify.url: " + e.getClass().getSimpleName());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      tell("notify.url: interrupted");
    }
  }

  private void tell(String failure) {
    progress.accept("Nobody was told: " + failure);
  }

  private void write(String file, ObjectNode event) {
    try {
      byte[] content = (event.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
      files.write("run event", file, content, Existing.REPLACE);
    } catch (TareException e) {
      tell("notify.openlineage: " + e.getMessage());
    }
  }

  private ObjectNode event(String type, Outcome result) {
    ObjectNode event = event(type);
    ArrayNode inputs = event.putArray("inputs");
    result
        .provenance()
        .tables()
        .values()
        .forEach(table -> inputs.addObject().put("namespace", "spark").put("name", table.source()));
    event.putArray("outputs").addObject().put("namespace", "tare").put("name", output);
    facet((ObjectNode) event.path("run"), "tare_recalibration")
        .put("outcome", result.outcome())
        .put("why", result.why());
    return event;
  }

  private ObjectNode event(String type) {
    ObjectNode event = JSON.createObjectNode();
    event.put("eventType", type).put("eventTime", Instant.now().toString());
    event.put("producer", producer());
    event.put("schemaURL", SCHEMA + "#/$defs/RunEvent");
    ObjectNode run = event.putObject("run");
    run.put(
        "runId",
        UUID.nameUUIDFromBytes((output + started).getBytes(StandardCharsets.UTF_8)).toString());
    run.putObject("facets");
    event.putObject("job").put("namespace", "tare").put("name", "recalibrate " + output);
    return event;
  }

  private ObjectNode facet(ObjectNode run, String name) {
    return ((ObjectNode) run.path("facets"))
        .putObject(name)
        .put("_producer", producer())
        .put("_schemaURL", SCHEMA + "#/$defs/RunFacet");
  }

  private String producer() {
    return "urn:tare:" + version;
  }
}
