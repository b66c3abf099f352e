package dev.penstock.agent.kubernetes.watch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.fabric8.kubernetes.client.okhttp.OkHttpClientFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/// The API server of one cluster. Every call blocks for 10 s at most, so that it belongs on a
/// thread that may; any such thread.
public final class ApiServer implements AutoCloseable {
  private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

  /// A watch whose connection is silent is found out within two of these.
  private static final Duration PING_INTERVAL = Duration.ofSeconds(15);

  private static final Duration WATCH_RETRY = Duration.ofMillis(500);
  private static final ObjectMapper JSON = JsonMapper.builder().build();

  private final KubernetesClient client;

  private ApiServer(KubernetesClient client) {
    this.client = client;
  }

  /// The API server of the pod's cluster or, where a file is given, of its current context. Nothing
  /// is asked of it yet.
  ///
  /// @throws RuntimeException the file cannot be read
  public static ApiServer of(Optional<Path> kubeconfig, String userAgent) {
    Config found =
        kubeconfig
            .map(file -> Config.fromKubeconfig(file.toFile()))
            .orElseGet(() -> Config.autoConfigure(null));
    Config config =
        new ConfigBuilder(found)
            .withUserAgent(userAgent)
            .withRequestTimeout((int) REQUEST_TIMEOUT.toMillis())
            .withConnectionTimeout((int) CONNECT_TIMEOUT.toMillis())
            .withWebsocketPingInterval(PING_INTERVAL.toMillis())
            .withWatchReconnectInterval((int) WATCH_RETRY.toMillis())
            .withWatchReconnectLimit(-1)
            // Whoever calls knows better when to try again.
            .withRequestRetryBackoffLimit(0)
            .build();
    return new ApiServer(
        new KubernetesClientBuilder()
            .withConfig(config)
            .withHttpClientFactory(new OkHttpClientFactory())
            .build());
  }

  /// The client, for what has no call here.
  public KubernetesClient client() {
    return client;
  }

  /// Where the agent's own objects are: the pod's namespace, or that of the kubeconfig's context.
  public String namespace() {
    String namespace = client.getNamespace();
    return namespace == null || namespace.isEmpty() ? "default" : namespace;
  }

  /// What the server calls a kind.
  static ResourceDefinitionContext context(Kind kind, String version) {
    return new ResourceDefinitionContext.Builder()
        .withGroup(kind.group())
        .withVersion(version)
        .withKind(kind.label())
        .withPlural(kind.plural())
        .withNamespaced(!kind.isClusterScoped())
        .build();
  }

  /// The names, as in URLs, of the kinds that a group has in a version; none when it has no such
  /// version.
  ///
  /// @throws KubernetesClientException the server cannot be asked
  Set<String> resources(String group, String version) {
    JsonNode list = get("/apis/" + group + "/" + version);
    var names = new HashSet<String>();
    list.path("resources").forEach(resource -> names.add(resource.path("name").asText()));
    return names;
  }

  /// An object; missing when there is none.
  ///
  /// @throws KubernetesClientException the server cannot be asked or refuses
  public JsonNode get(String path) {
    String answer = client.raw(path);
    return answer == null ? MissingNode.getInstance() : parse(answer);
  }

  /// Sends a body and returns the answer's.
  ///
  /// @throws KubernetesClientException the server cannot be asked or refuses
  public JsonNode send(String method, String path, JsonNode body) {
    String answer = client.raw(path, method, body.toString());
    return answer == null ? MissingNode.getInstance() : parse(answer);
  }

  /// Merges `patch` into an object.
  ///
  /// @throws KubernetesClientException the server cannot be asked or refuses
  public void patch(ObjectRef ref, String version, JsonNode patch) {
    var all = client.genericKubernetesResources(context(ref.kind(), version));
    var one =
        ref.namespace().isEmpty()
            ? all.withName(ref.name())
            : all.inNamespace(ref.namespace()).withName(ref.name());
    one.patch(PatchContext.of(PatchType.JSON_MERGE), patch.toString());
  }

  /// Where objects of a kind are, below which they have their names.
  public static String path(Kind kind, String version, String namespace) {
    return (kind.group().isEmpty() ? "/api/" : "/apis/" + kind.group() + "/")
        + version
        + (namespace.isEmpty() ? "" : "/namespaces/" + namespace)
        + "/"
        + kind.plural();
  }

  /// Where an object is.
  public static String path(ObjectRef ref, String version) {
    return path(ref.kind(), version, ref.namespace()) + "/" + ref.name();
  }

  private static JsonNode parse(String answer) {
    try {
      return JSON.readTree(answer);
    } catch (JsonProcessingException e) {
      throw new KubernetesClientException(
          "the API server answered with something else than JSON", e);
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
