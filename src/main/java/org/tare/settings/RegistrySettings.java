package org.tare.settings;

import java.net.URI;
import java.util.Optional;
import org.tare.TareException;

/**
 * The registry that outputs are logged to.
 *
 * @param url of an MLflow tracking server
 * @param experiment that the runs are of
 * @param model the registered model that gets a version; empty for none
 */
public record RegistrySettings(URI url, String experiment, Optional<String> model) {
  /**
   * What the settings say; empty without a URL.
   *
   * @throws TareException if it is no URL of http or https, or has a password in it
   */
  public static Optional<RegistrySettings> of(Settings settings) {
    return settings
        .find("registry.mlflow.url")
        .map(
            text ->
                new RegistrySettings(
                    url(text.replaceAll("/+$", "")),
                    settings.require("registry.mlflow.experiment"),
                    settings.find("registry.mlflow.model")));
  }

  /** Messages do not have the text: there may be a password in it. */
  private static URI url(String text) {
    URI url;
    try {
      url = URI.create(text);
    } catch (IllegalArgumentException e) {
      throw TareException.usage("registry.mlflow.url is no URL: expected one as http://HOST:5000");
    }
    boolean isHttp = "http".equals(url.getScheme()) || "https".equals(url.getScheme());
    if (!isHttp || url.getHost() == null) {
      throw TareException.usage(
          "registry.mlflow.url is no URL of http or https: expected one as http://HOST:5000");
    }
    if (url.getUserInfo() != null) {
      throw TareException.usage(
          "registry.mlflow.url has a user in it: give it in MLFLOW_TRACKING_USERNAME and"
              + " MLFLOW_TRACKING_PASSWORD, or a token in MLFLOW_TRACKING_TOKEN");
    }
    return url;
  }
}
