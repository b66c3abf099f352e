package dev.penstock.testkit;

import static java.util.stream.Collectors.joining;

import io.fabric8.kubernetes.client.dsl.base.CustomResourceDefinitionContext;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.mockwebserver.MockWebServer;
import io.fabric8.mockwebserver.http.Dispatcher;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import java.util.logging.Level;
import java.util.logging.Logger;

/// An API server in this process: objects in memory with watches, kinds that come and go, a log of
/// what was asked for, and faults. It outlives its own outages. Any thread.
final class FakeKubernetesApi implements AutoCloseable {
  private static final String GATEWAY_API = "gateway.networking.k8s.io";
  private static final Logger SERVER_LOG = Logger.getLogger("io.fabric8.mockwebserver");

  /// What the Gateway API and ours have, by group and version.
  private static final List<Served> KINDS =
      List.of(
          new Served(GATEWAY_API, "v1", "GatewayClass", "gatewayclasses", "Cluster"),
          new Served(GATEWAY_API, "v1", "Gateway", "gateways", "Namespaced"),
          new Served(GATEWAY_API, "v1", "TCPRoute", "tcproutes", "Namespaced"),
          new Served(GATEWAY_API, "v1", "UDPRoute", "udproutes", "Namespaced"),
          new Served(GATEWAY_API, "v1alpha2", "TCPRoute", "tcproutes", "Namespaced"),
          new Served(GATEWAY_API, "v1alpha2", "UDPRoute", "udproutes", "Namespaced"),
          new Served(GATEWAY_API, "v1", "ReferenceGrant", "referencegrants", "Namespaced"),
          new Served("penstock.dev", "v1alpha1", "TunnelEndpoint", "tunnelendpoints", "Namespaced"),
          new Served(
              "penstock.dev",
              "v1alpha1",
              "TunnelGatewayParameters",
              "tunnelgatewayparameters",
              "Namespaced"));

  private final Dispatcher objects;
  private final Set<String> withdrawn = ConcurrentHashMap.newKeySet();
  private final Set<Served> withoutKinds = ConcurrentHashMap.newKeySet();
  private final Queue<Request> requests = new ConcurrentLinkedQueue<>();
  private final List<Fault> faults = new CopyOnWriteArrayList<>();
  private final Path kubeconfig;
  private final int port = Ports.free();
  private MockWebServer server;

  /// A kind of objects that is not built in.
  private record Served(String group, String version, String kind, String plural, String scope) {
    String path() {
      return "/apis/" + group + "/" + version;
    }
  }

  /// What was asked for.
  ///
  /// @param atNanos when, by [System#nanoTime]
  record Request(String method, String path, long atNanos) {
    boolean isWrite() {
      return !method.equals("GET");
    }
  }

  /// The answer to a request of which so many are left; -1 for all.
  private static final class Fault {
    private final Predicate<Request> which;
    private final int status;
    private final String details;
    private int left;

    Fault(Predicate<Request> which, int status, int left, String details) {
      this.which = which;
      this.status = status;
      this.left = left;
      this.details = details;
    }

    synchronized boolean hits(Request request) {
      if (left == 0 || !which.test(request)) {
        return false;
      }
      left = left < 0 ? left : left - 1;
      return true;
    }
  }

  private FakeKubernetesApi(Path directory, Dispatcher objects) {
    this.objects = objects;
    SERVER_LOG.setLevel(Level.WARNING);
    // A cluster of today has no alpha version.
    withdraw("v1alpha2");
    try {
      kubeconfig =
          Files.writeString(
              directory.resolve("kubeconfig-" + port),
              """
              apiVersion: v1
              kind: Config
              clusters: [{name: fake, cluster: {server: "http://127.0.0.1:%d"}}]
              users: [{name: somebody, user: {token: secret}}]
              contexts: [{name: fake, context: {cluster: fake, user: somebody, namespace: penstock}}]
              current-context: fake
              """
                  .formatted(port));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static KubernetesCrudDispatcher withKinds(KubernetesCrudDispatcher objects) {
    for (Served kind : KINDS) {
      objects.expectCustomResource(
          new CustomResourceDefinitionContext.Builder()
              .withGroup(kind.group())
              .withVersion(kind.version())
              .withKind(kind.kind())
              .withPlural(kind.plural())
              .withScope(kind.scope())
              .withStatusSubresource(true)
              .build());
    }
    return objects;
  }

  /// A server with no objects that has the Gateway API in its standard channel, and our kinds.
  static FakeKubernetesApi start(Path directory) {
    return start(directory, withKinds(new KubernetesCrudDispatcher()));
  }

  /// The same over objects that are held by `objects`.
  static FakeKubernetesApi start(Path directory, Dispatcher objects) {
    var api = new FakeKubernetesApi(directory, objects);
    api.up();
    return api;
  }

  /// How to reach it, for whoever reads a kubeconfig.
  Path kubeconfig() {
    return kubeconfig;
  }

  /// Answers again, with the objects of before.
  void up() {
    server = new MockWebServer();
    server.setDispatcher(new Answers());
    server.start(InetAddress.getLoopbackAddress(), port);
  }

  /// Answers nobody any more, and drops all connections.
  void down() {
    server.shutdown();
  }

  /// Has no kinds of the Gateway API in this version from now on.
  void withdraw(String version) {
    withdrawn.add("/apis/" + GATEWAY_API + "/" + version);
  }

  /// Has them again.
  void serve(String version) {
    withdrawn.remove("/apis/" + GATEWAY_API + "/" + version);
  }

  /// Has this one kind of the Gateway API no longer in this version.
  void withdrawKind(String version, String plural) {
    withoutKinds.add(new Served(GATEWAY_API, version, "", plural, ""));
  }

  /// Answers such requests with a status, so many times.
  void refuse(Predicate<Request> which, int status, int times) {
    faults.add(new Fault(which, status, times, ""));
  }

  /// Answers one such request with 429: for so many seconds it is to be left alone.
  void refuseFor(Predicate<Request> which, int seconds) {
    faults.add(new Fault(which, 429, 1, "\"details\": {\"retryAfterSeconds\": " + seconds + "}, "));
  }

  /// Answers such requests with 403 until [#forgive].
  void forbid(Predicate<Request> which) {
    refuse(which, 403, -1);
  }

  void forgive() {
    faults.clear();
  }

  /// What was asked for so far.
  List<Request> requests() {
    return List.copyOf(requests);
  }

  private final class Answers extends Dispatcher {
    @Override
    public MockResponse dispatch(RecordedRequest recorded) {
      var request = new Request(recorded.getMethod(), recorded.getPath(), System.nanoTime());
      requests.add(request);
      for (Fault fault : faults) {
        if (fault.hits(request)) {
          return status(fault.status, fault.details);
        }
      }
      if (withdrawn.stream().anyMatch(path -> isBelow(request.path(), path))) {
        return status(404, "");
      }
      for (Served kind : withoutKinds) {
        if (request.path().startsWith(kind.path() + "/")
            && request.path().contains("/" + kind.plural())) {
          return status(404, "");
        }
      }
      if (KINDS.stream().anyMatch(kind -> kind.path().equals(request.path()))) {
        return kindsOf(request.path());
      }
      return objects.dispatch(recorded);
    }

    private MockResponse kindsOf(String path) {
      String names =
          KINDS.stream()
              .filter(kind -> kind.path().equals(path))
              .filter(kind ->
                  withoutKinds.stream()
                      .noneMatch(
                          not -> not.path().equals(path) && not.plural().equals(kind.plural())))
              .map(kind -> "{\"name\": \"" + kind.plural() + "\"}")
              .collect(joining(", "));
      return new MockResponse()
          .setResponseCode(200)
          .setHeader("Content-Type", "application/json")
          .setBody("{\"kind\": \"APIResourceList\", \"resources\": [" + names + "]}");
    }

    private static boolean isBelow(String path, String of) {
      return path.equals(of) || path.startsWith(of + "/") || path.startsWith(of + "?");
    }

    private static MockResponse status(int code, String details) {
      return new MockResponse()
          .setResponseCode(code)
          .setHeader("Content-Type", "application/json")
          .setBody(
              "{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"status\": \"Failure\", "
                  + details
                  + "\"code\": "
                  + code
                  + "}");
    }
  }

  @Override
  public void close() {
    down();
  }
}
