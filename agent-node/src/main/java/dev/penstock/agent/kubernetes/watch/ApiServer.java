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
import io.fabric8.kubernetes.client.http.AsyncBody;
import io.fabric8.kubernetes.client.http.HttpRequest;
import io.fabric8.kubernetes.client.http.HttpResponse;
import io.fabric8.kubernetes.client.http.Interceptor;
import io.fabric8.kubernetes.client.okhttp.OkHttpClientFactory;
import java.net.HttpURLConnection;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The API server of one cluster. Every call blocks for 10 s at most, so that it belongs on a
/// thread that may; any such thread.
public final class ApiServer implements AutoCloseable {
  private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);

  /// A watch whose connection is silent is found out within two of these.
  private static final Duration PING_INTERVAL = Duration.ofSeconds(15);

  private static final Duration WATCH_RETRY = Duration.ofMillis(500);
  private static final ObjectMapper JSON = JsonMapper.builder().build();

  private static final String IS_WATCH = "watch=true";
  private static final Pattern SINCE = Pattern.compile("(?:^|&)resourceVersion=([^&]*)");

  private static final String KUBE_SYSTEM = "/api/v1/namespaces/kube-system";
  private static final Logger log = LoggerFactory.getLogger(ApiServer.class);

  private final KubernetesClient client;
  private final Expiries expiries;
  private volatile String uid = "";
  private volatile boolean uidRefused;

  private ApiServer(KubernetesClient client, Expiries expiries) {
    this.client = client;
    this.expiries = expiries;
  }

  /// Sees the answers to watches that cannot go on from where they were. Most servers say so within
  /// the watch, and the client lists again; to a status of 410 it only goes on asking.
  private static final class Expiries implements Interceptor {
    private volatile Consumer<Expired> told = _ -> {};

    @Override
    public void after(
        HttpRequest request, HttpResponse<?> response, AsyncBody.Consumer<List<ByteBuffer>> body) {
      String query = request.uri().getQuery();
      if (response.code() == HttpURLConnection.HTTP_GONE
          && query != null
          && query.contains(IS_WATCH)) {
        Matcher since = SINCE.matcher(query);
        told.accept(new Expired(request.uri().getPath(), since.find() ? since.group(1) : ""));
      }
    }
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
    var expiries = new Expiries();
    return new ApiServer(
        new KubernetesClientBuilder()
            .withConfig(config)
            .withHttpClientFactory(new OkHttpClientFactory())
            .withHttpClientBuilderConsumer(
                builder -> builder.addOrReplaceInterceptor("expiries", expiries))
            .build(),
        expiries);
  }

  /// A watch that was answered with the status 410.
  ///
  /// @param path what was to be watched; may be below one of a proxy
  /// @param since the version from which on
  record Expired(String path, String since) {}

  /// Has `told` get each watch that is answered with the status 410; on the client's threads.
  void whenExpired(Consumer<Expired> told) {
    expiries.told = told;
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

  /// The UID of the cluster, by which two of one name can be told apart; `""` while it is not
  /// known.
  public String uid() {
    return uid;
  }

  /// Asks for [#uid] unless the answer is known, and waits for it so long.
  public void awaitUid(Duration atMost) {
    try (var asking = Executors.newVirtualThreadPerTaskExecutor()) {
      var answer = asking.submit(this::learnUid);
      try {
        answer.get(atMost.toMillis(), TimeUnit.MILLISECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (ExecutionException | TimeoutException _) {
        // It is asked for again with the kinds that there are.
      }
      asking.shutdownNow();
    }
  }

  /// Asks for [#uid] unless the answer is known. One that the server refuses is not asked for
  /// again.
  void learnUid() {
    if (!uid.isEmpty() || uidRefused) {
      return;
    }
    try {
      uid = get(KUBE_SYSTEM).at("/metadata/uid").asText();
      uidRefused = uid.isEmpty();
    } catch (KubernetesClientException e) {
      if (e.getCode() == HttpURLConnection.HTTP_FORBIDDEN) {
        uidRefused = true;
        log.info(
            "the namespace kube-system cannot be read: the gateway cannot tell this cluster from"
                + " another with the same name (expected: a role that allows get)");
      }
    }
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
