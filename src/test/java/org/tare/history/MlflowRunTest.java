package org.tare.history;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.Quantize;
import org.tare.Tare;
import org.tare.TareException;
import org.tare.TareException.Kind;
import org.tare.settings.RegistrySettings;
import org.tare.settings.Settings;
import org.tare.store.HadoopFiles;

/** What a tracking server of MLflow is sent; {@code deploy/mlflow} holds it against a real one. */
class MlflowRunTest {
  private static final String DIGITS = "src/main/resources/org/tare/demo/digits-mobilenet.onnx";
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  private HttpServer server;
  private final List<String> requests = new ArrayList<>();
  private final Map<String, byte[]> bodies = new LinkedHashMap<>();
  private final List<String> authorizations = new ArrayList<>();
  private final List<String> said = new ArrayList<>();
  private final Map<String, Answer> answers = new LinkedHashMap<>();

  private record Answer(int status, String json) {}

  @BeforeEach
  void start() throws IOException {
    answers.put(
        "GET experiments/get-by-name",
        new Answer(404, "{\"error_code\": \"RESOURCE_DOES_NOT_EXIST\", \"message\": \"none\"}"));
    answers.put("POST experiments/create", new Answer(200, "{\"experiment_id\": \"7\"}"));
    answers.put("POST runs/create", created("mlflow-artifacts:/7/r1/artifacts"));
    answers.put(
        "POST registered-models/create",
        new Answer(400, "{\"error_code\": \"RESOURCE_ALREADY_EXISTS\", \"message\": \"is\"}"));
    answers.put(
        "POST model-versions/create", new Answer(200, "{\"model_version\": {\"version\": \"3\"}}"));
    server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext("/", this::answer);
    server.start();
  }

  private static Answer created(String artifacts) {
    return new Answer(
        200,
        "{\"run\": {\"info\": {\"run_id\": \"r1\", \"artifact_uri\": \"" + artifacts + "\"}}}");
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private void answer(HttpExchange exchange) throws IOException {
    String call =
        exchange.getRequestMethod()
            + " "
            + exchange.getRequestURI().getPath().replaceFirst("^/api/2.0/mlflow(-artifacts)?/", "");
    requests.add(call);
    bodies.merge(
        call,
        exchange.getRequestBody().readAllBytes(),
        (a, b) ->
            (new String(a, StandardCharsets.UTF_8) + new String(b, StandardCharsets.UTF_8))
                .getBytes(StandardCharsets.UTF_8));
    authorizations.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
    Answer answer = answers.getOrDefault(call, new Answer(200, "{}"));
    byte[] json = answer.json().getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(answer.status(), json.length);
    exchange.getResponseBody().write(json);
    exchange.close();
  }

  private String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  private JsonNode body(String call) throws IOException {
    return JSON.readTree(bodies.get(call));
  }

  /** Publishes a model in the mode that needs no data, and so no Spark. */
  private Path published(String url) {
    Path output = folder.resolve("out");
    quantize(url).output(output.toString()).run();
    return output;
  }

  private Quantize quantize(String url) {
    return Tare.on(
            () -> {
              throw new AssertionError("Spark was started");
            },
            new Configuration())
        .withProgress(said::add)
        .quantize(DIGITS)
        .set("quantize.mode", "dynamic")
        .set("registry.mlflow.url", url)
        .set("registry.mlflow.model", "digits");
  }

  @Test
  void publishedOutputBecomesARunWithItsFiles() throws Exception {
    Path output = published(url());
    assertEquals(
        List.of(
            "GET experiments/get-by-name",
            "POST experiments/create",
            "POST runs/create",
            "POST runs/log-batch",
            "POST runs/log-batch",
            "PUT artifacts/7/r1/artifacts/qparams.json",
            "PUT artifacts/7/r1/artifacts/report.html",
            "PUT artifacts/7/r1/artifacts/result.json",
            "PUT artifacts/7/r1/artifacts/model.onnx",
            "POST registered-models/create",
            "POST model-versions/create",
            "POST runs/update"),
        sortedArtifacts());
    assertEquals("tare", body("POST experiments/create").path("name").asText());
    JsonNode created = body("POST runs/create");
    assertEquals("7", created.path("experiment_id").asText());
    assertTrue(created.path("start_time").asLong() > 1_600_000_000_000L, created.toString());
    for (String name : List.of("model.onnx", "qparams.json", "result.json", "report.html")) {
      assertArrayEquals(
          Files.readAllBytes(output.resolve(name)),
          name.equals("model.onnx") ? bodiesOf(name) : bodies.get(artifact(name)),
          name);
    }
    JsonNode version = body("POST model-versions/create");
    assertEquals("digits", version.path("name").asText());
    assertEquals("r1", version.path("run_id").asText());
    assertEquals("FINISHED", body("POST runs/update").path("status").asText());
    assertEquals(
        List.of("Logged in MLflow: run r1 of the experiment tare, version 3 of digits"),
        said.stream().filter(line -> line.contains("MLflow")).toList());
    assertFalse(
        Files.readString(output.resolve("result.json")).contains(url()), "URLs may be secrets");
  }

  private static String artifact(String name) {
    return "PUT artifacts/7/r1/artifacts/" + name;
  }

  private byte[] bodiesOf(String name) {
    return bodies.get(artifact(name));
  }

  /** The files come in the order of a map. */
  private List<String> sortedArtifacts() {
    List<String> sorted = new ArrayList<>(requests);
    int first = sorted.indexOf("POST runs/log-batch") + 2;
    sorted.subList(first, first + 3).sort(null);
    return sorted;
  }

  private RegistrySettings settings() {
    Settings settings = new Settings();
    settings.set("registry.mlflow.url", url() + "/", "test");
    return RegistrySettings.of(settings).orElseThrow();
  }

  private void log(String result, Map<String, String> environment) throws IOException {
    Files.writeString(folder.resolve("result.json"), result);
    new MlflowRun(new HadoopFiles(new Configuration()), said::add, settings(), environment)
        .log(folder.toString(), List.of("result.json"), result.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void settingsBecomeParametersAndFiguresMetrics() throws Exception {
    answers.put(
        "GET experiments/get-by-name",
        new Answer(200, "{\"experiment\": {\"experiment_id\": \"2\"}}"));
    log(
        """
        {"command": "run", "started": "2026-11-27T08:31:40.707Z",
         "model": {"name": "m.onnx", "bytes": 12},
         "settings": {"quantize.mode": "static", "inputs.a/b:0.dtype": "uint8", "list": [1, 2]},
         "evaluation": {"rows": 5, "outputs": {"y/1": {"sqnr_db": 36.5, "cosine": null,
          "comparison": "floats"}}},
         "warnings": [3]}""",
        Map.of());
    assertFalse(requests.contains("POST experiments/create"), requests.toString());
    String batches = new String(bodies.get("POST runs/log-batch"), StandardCharsets.UTF_8);
    for (String part :
        List.of(
            "{\"key\":\"command\",\"value\":\"run\"}",
            "{\"key\":\"quantize.mode\",\"value\":\"static\"}",
            "{\"key\":\"inputs.a_b_0.dtype\",\"value\":\"uint8\"}",
            "{\"key\":\"list\",\"value\":\"[1,2]\"}",
            "{\"key\":\"evaluation.rows\",\"value\":5.0,",
            "{\"key\":\"evaluation.outputs.y_1.sqnr_db\",\"value\":36.5,",
            "{\"key\":\"model.bytes\",\"value\":12.0,")) {
      assertTrue(batches.contains(part), part + " in " + batches);
    }
    assertFalse(batches.contains("cosine"), "a figure that is none");
    assertFalse(requests.contains("POST model-versions/create"), "no model is named");
  }

  @Test
  void manySettingsComeInBatches() throws Exception {
    StringBuilder settings = new StringBuilder();
    for (int i = 0; i < 250; i++) {
      settings.append(i == 0 ? "" : ",").append("\"k").append(i).append("\": \"v\"");
    }
    log("{\"command\": \"run\", \"settings\": {" + settings + "}}", Map.of());
    assertEquals(
        4, requests.stream().filter("POST runs/log-batch"::equals).count(), requests.toString());
  }

  @Test
  void credentialsAreThoseOfMlflowsOwnClients() throws Exception {
    log("{}", Map.of("MLFLOW_TRACKING_TOKEN", "abc"));
    log("{}", Map.of("MLFLOW_TRACKING_USERNAME", "ada", "MLFLOW_TRACKING_PASSWORD", "pw"));
    assertEquals("Bearer abc", authorizations.get(0));
    assertEquals("Basic YWRhOnB3", authorizations.get(authorizations.size() - 1));
  }

  @Test
  void refusalFailsTheRunThereAndNothingHere() throws Exception {
    answers.put(
        "POST runs/log-batch",
        new Answer(400, "{\"error_code\": \"INVALID\", \"message\": \"too much\\nof it\"}"));
    Path output = published(url());
    assertTrue(Files.exists(output.resolve("_SUCCESS")));
    assertTrue(
        said.contains(
            "Not logged in MLflow: runs/log-batch was answered with status 400: too much"),
        said.toString());
    assertEquals("FAILED", body("POST runs/update").path("status").asText());
  }

  @Test
  void serverThatIsNotThereFailsNothing() {
    server.stop(0);
    Path output = published(url());
    assertTrue(Files.exists(output.resolve("_SUCCESS")));
    assertTrue(
        said.stream().anyMatch(line -> line.startsWith("Not logged in MLflow: ")), said.toString());
  }

  @Test
  void storeThatOnlyOthersReachIsTold() throws Exception {
    answers.put("POST runs/create", created("s3://bucket/7/r1/artifacts"));
    log("{}", Map.of());
    assertTrue(requests.stream().noneMatch(one -> one.startsWith("PUT")), requests.toString());
    assertTrue(said.get(0).contains("its store is s3://bucket/7/r1/artifacts"), said.toString());
    assertEquals("FINISHED", body("POST runs/update").path("status").asText());
  }

  @ParameterizedTest
  @ValueSource(strings = {"ftp://h/x", "localhost:5000", "http://", "http://a b", "http://u:pw@h"})
  void urlThatIsNoneIsToldBeforeAnyWork(String url) {
    TareException e =
        assertThrows(
            TareException.class,
            () -> quantize(url).output(folder.resolve("none").toString()).run());
    assertEquals(Kind.USAGE, e.kind());
    assertTrue(e.getMessage().startsWith("registry.mlflow.url "), e.getMessage());
    assertFalse(e.getMessage().contains("pw@"), e.getMessage());
    assertFalse(Files.exists(folder.resolve("none")));
  }
}
