package org.tare.history;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;

/** Requests to an MLflow tracking server, in its REST API 2.0. */
final class MlflowClient {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /** Of one file. */
  private static final Duration LONG_PATIENCE = Duration.ofMinutes(10);

  private static final int SHOWN = 300;

  private final URI server;
  private final Optional<String> authorization;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(PATIENCE).build();

  /**
   * @param environment as MLflow's own clients read it: {@code MLFLOW_TRACKING_TOKEN}, or {@code
   *     MLFLOW_TRACKING_USERNAME} and {@code MLFLOW_TRACKING_PASSWORD}
   */
  MlflowClient(URI server, Map<String, String> environment) {
    this.server = server;
    this.authorization = authorization(environment);
  }

  /** A request that the server refused. */
  static final class Refused extends IOException {
    private static final long serialVersionUID = 1L;
    private final String code;

    private Refused(String request, int status, JsonNode answer) {
      super(
          String.format(
              "%s was answered with status %d%s",
              request, status, shown(answer.path("message").asText())));
      this.code = answer.path("error_code").asText();
    }

    /** MLflow's own name of the error. */
    String code() {
      return code;
    }

    private static String shown(String message) {
      String line = message.lines().findFirst().orElse("");
      return line.isEmpty() ? "" : ": " + line.substring(0, Math.min(SHOWN, line.length()));
    }
  }

  private static Optional<String> authorization(Map<String, String> environment) {
    String token = environment.getOrDefault("MLFLOW_TRACKING_TOKEN", "");
    String user = environment.getOrDefault("MLFLOW_TRACKING_USERNAME", "");
    if (!token.isEmpty()) {
      return Optional.of("Bearer " + token);
    }
    if (user.isEmpty()) {
      return Optional.empty();
    }
    String both = user + ":" + environment.getOrDefault("MLFLOW_TRACKING_PASSWORD", "");
    return Optional.of(
        "Basic " + Base64.getEncoder().encodeToString(both.getBytes(StandardCharsets.UTF_8)));
  }

  ObjectNode body() {
    return JSON.createObjectNode();
  }

  JsonNode get(String call, String parameter, String value)
      throws IOException, InterruptedException {
    String query = "?" + parameter + "=" + URLEncoder.encode(value, StandardCharsets.UTF_8);
    return send(call, request("/api/2.0/mlflow/" + call + query).timeout(PATIENCE).GET());
  }

  JsonNode post(String call, JsonNode body) throws IOException, InterruptedException {
    return send(
        call,
        request("/api/2.0/mlflow/" + call)
            .timeout(PATIENCE)
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(body.toString())));
  }

  /** Sends a file to the server's own store of artifacts. */
  void put(String artifact, Path file) throws IOException, InterruptedException {
    String encoded =
        URLEncoder.encode(artifact, StandardCharsets.UTF_8).replace("+", "%20").replace("%2F", "/");
    send(
        "artifacts",
        request("/api/2.0/mlflow-artifacts/artifacts/" + encoded)
            .timeout(LONG_PATIENCE)
            .header("Content-Type", "application/octet-stream")
            .PUT(BodyPublishers.ofFile(file)));
  }

  private HttpRequest.Builder request(String path) {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(server + path));
    authorization.ifPresent(value -> request.header("Authorization", value));
    return request;
  }

  private JsonNode send(String call, HttpRequest.Builder request)
      throws IOException, InterruptedException {
    HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
    JsonNode answer = parsed(response.body());
    if (response.statusCode() / 100 != 2) {
      throw new Refused(call, response.statusCode(), answer);
    }
    return answer;
  }

  /** What is no JSON is a page of some proxy. */
  private static JsonNode parsed(String body) {
    try {
      JsonNode answer = JSON.readTree(body);
      return answer.isObject() ? answer : JSON.createObjectNode();
    } catch (IOException e) {
      return JSON.createObjectNode();
    }
  }
}
