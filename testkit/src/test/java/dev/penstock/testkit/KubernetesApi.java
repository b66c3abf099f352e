package dev.penstock.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.okhttp.OkHttpClientFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// An API server as users see it with `kubectl`: objects are applied, read and deleted. Not
/// thread-safe.
class KubernetesApi implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final YAMLMapper YAML = new YAMLMapper();
  private static final int CONFLICT = 409;
  private static final int TRIES = 50;

  private final Path kubeconfig;
  private final Afterwards afterwards;
  private final KubernetesClient client;
  private final List<String> applied = new ArrayList<>();

  /// What becomes of what was applied.
  enum Afterwards {
    DELETE_OBJECTS,
    /// The server itself ends.
    LEAVE_OBJECTS
  }

  KubernetesApi(Path kubeconfig, Afterwards afterwards) {
    this.afterwards = afterwards;
    this.kubeconfig = kubeconfig;
    this.client =
        new KubernetesClientBuilder()
            .withConfig(
                new ConfigBuilder(Config.fromKubeconfig(kubeconfig.toFile()))
                    .withRequestRetryBackoffLimit(0)
                    .build())
            .withHttpClientFactory(new OkHttpClientFactory())
            .build();
  }

  /// How agents reach it.
  Path kubeconfig() {
    return kubeconfig;
  }

  /// Makes or changes the objects of a YAML text; a status in it is written as its owner would.
  KubernetesApi apply(String yaml) {
    try (var documents = YAML.readerFor(JsonNode.class).<JsonNode>readValues(yaml)) {
      while (documents.hasNext()) {
        applyOne((ObjectNode) documents.next());
      }
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void applyOne(ObjectNode object) {
    JsonNode status = object.remove("status");
    String all = path(object);
    String one = all + "/" + object.path("metadata").path("name").asText();
    for (int left = TRIES; ; left--) {
      try {
        JsonNode now = get(one);
        if (now.isMissingNode()) {
          applied.add(one);
          client.raw(all, "POST", object.toString());
        } else {
          ObjectNode changed = object.deepCopy();
          changed
              .withObject("/metadata")
              .put("resourceVersion", now.path("metadata").path("resourceVersion").asText());
          if (now.has("status")) {
            changed.set("status", now.get("status"));
          }
          client.raw(one, "PUT", changed.toString());
        }
        if (status != null) {
          ObjectNode withStatus = (ObjectNode) get(one);
          withStatus.set("status", status);
          client.raw(one + "/status", "PUT", withStatus.toString());
        }
        return;
      } catch (KubernetesClientException e) {
        if (e.getCode() != CONFLICT || left == 0) {
          throw e;
        }
      }
    }
  }

  /// An object by its path below the server; missing when there is none.
  JsonNode get(String path) {
    try {
      String text = client.raw(path);
      return text == null ? MissingNode.getInstance() : JSON.readTree(text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Deletes an object by its path; none may be there.
  void delete(String path) {
    try {
      client.raw(path, "DELETE", "");
    } catch (KubernetesClientException e) {
      if (e.getCode() != 404) {
        throw e;
      }
    }
  }

  /// Where objects like this one are.
  static String path(ObjectNode object) {
    String version = object.path("apiVersion").asText();
    String namespace = object.path("metadata").path("namespace").asText();
    String kind = object.path("kind").asText().toLowerCase(Locale.ROOT);
    return (version.contains("/") ? "/apis/" : "/api/")
        + version
        + (namespace.isEmpty() ? "" : "/namespaces/" + namespace)
        + "/"
        + (kind.endsWith("ss") ? kind + "es" : kind + "s");
  }

  /// Takes away an object for good, though nobody may be left who would let go of it.
  private void remove(String path) {
    if (get(path) instanceof ObjectNode object && object.at("/metadata/finalizers").size() > 0) {
      object.withObject("/metadata").remove("finalizers");
      client.raw(path, "PUT", object.toString());
    }
    delete(path);
  }

  @Override
  public void close() {
    if (afterwards == Afterwards.DELETE_OBJECTS) {
      applied.reversed().forEach(this::remove);
    }
    client.close();
  }
}
