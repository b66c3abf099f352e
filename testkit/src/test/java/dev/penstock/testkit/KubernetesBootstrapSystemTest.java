package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.penstock.testkit.cluster.LocalDatabase;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Gateways with the `gateway.yaml` of the manifests and certificates as `make-secrets.sh` makes
/// them, in processes at loopback addresses that stand for pods. A server over TLS stands for the
/// Kubernetes API and lists the pods that run.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class KubernetesBootstrapSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(60));
  private static final String TOKEN = "token-of-the-service-account";

  @TempDir Path directory;

  private final Set<String> running = ConcurrentHashMap.newKeySet();
  private final List<String> asked = new CopyOnWriteArrayList<>();
  private final List<NodeProcess> nodes = new ArrayList<>();
  private final int controlPort = Ports.free();
  private final int relayPort = Ports.free();
  private final int listenPort = Ports.free();
  private HttpsServer api;
  private LocalDatabase database;

  @BeforeEach
  void start() throws Exception {
    Programs.require("openssl");
    Path mounted = Files.createDirectories(directory.resolve("mounted"));
    Path secrets = makeSecrets();
    for (String key : List.of("agent-token", "cluster-secret", "store-password")) {
      copy(secrets.resolve(key), mounted.resolve("secrets"), key);
    }
    for (String pair : List.of("nodes", "links")) {
      Path to = mounted.resolve(pair + "-tls");
      copy(secrets.resolve(pair + ".crt"), to, "tls.crt");
      copy(secrets.resolve(pair + ".key"), to, "tls.key");
      copy(secrets.resolve(pair + "-ca.crt"), to, "ca.crt");
    }
    Files.writeString(
        mounted.resolve("gateway.yaml"),
        Files.readString(Manifests.deploy().resolve("kustomize/gateway/gateway.yaml"))
            .replace("/etc/penstock", mounted.toString()));
    startApi(Files.createDirectories(directory.resolve("account")));
    // Not in the test's directory, which only this user may enter: PostgreSQL has one of its own.
    Path files = Files.createTempDirectory("penstock-lab-");
    Files.setPosixFilePermissions(files, PosixFilePermissions.fromString("rwxr-xr-x"));
    database = LocalDatabase.start(files.resolve("database"));
  }

  @AfterEach
  void end() {
    nodes.forEach(NodeProcess::close);
    database.close();
    api.stop(0);
  }

  private Path makeSecrets() throws IOException {
    Path examples = Files.createDirectories(directory.resolve("examples"));
    copy(
        Manifests.deploy().resolve("kustomize/examples/make-secrets.sh"),
        examples,
        "make-secrets.sh");
    Programs.run(
        Limits.time(Duration.ofMinutes(1)),
        examples,
        List.of("/bin/sh", "make-secrets.sh", "gateway.example.com"));
    return examples.resolve("gateway/secrets");
  }

  private static void copy(Path from, Path directory, String name) throws IOException {
    Files.createDirectories(directory);
    Files.copy(from, directory.resolve(name));
  }

  private void startApi(Path account) throws Exception {
    X509Bundle authority =
        new CertificateBuilder()
            .subject("CN=kubernetes")
            .setIsCertificateAuthority(true)
            .ecp256()
            .buildSelfSigned();
    X509Bundle server =
        new CertificateBuilder()
            .subject("CN=kube-apiserver")
            .addSanDnsName("localhost")
            .ecp256()
            .buildIssuedBy(authority);
    Files.writeString(account.resolve("ca.crt"), authority.getCertificatePEM());
    Files.writeString(account.resolve("token"), TOKEN);
    Files.writeString(account.resolve("namespace"), "penstock-gateway");
    var context = SSLContext.getInstance("TLS");
    context.init(server.toKeyManagerFactory().getKeyManagers(), null, null);
    api = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    api.setHttpsConfigurator(new HttpsConfigurator(context));
    api.createContext(
        "/",
        exchange -> {
          asked.add(
              exchange.getRequestHeaders().getFirst("Authorization")
                  + " "
                  + exchange.getRequestMethod()
                  + " "
                  + exchange.getRequestURI());
          byte[] body =
              running.stream()
                  .map(
                      """
                      {"metadata": {}, "status": {"phase": "Running", "podIP": "%s"}}\
                      """
                          ::formatted)
                  .collect(Collectors.joining(", ", "{\"items\": [", "]}"))
                  .getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    api.start();
  }

  private NodeProcess startPod(int number) {
    String address = Ports.address(number).getHostAddress();
    int management = Ports.free();
    var environment = new HashMap<String, String>();
    environment.put("PENSTOCK_CLUSTER_LISTEN", address + ":" + controlPort);
    environment.put("PENSTOCK_CLUSTER_RELAY", address + ":" + relayPort);
    environment.put("PENSTOCK_GATEWAY_LISTEN", address + ":" + listenPort);
    environment.put("PENSTOCK_GATEWAY_PUBLIC_BIND", address);
    environment.put("PENSTOCK_MANAGEMENT_LISTEN", "127.0.0.1:" + management);
    environment.put("PENSTOCK_MANAGEMENT_PROBES", "127.0.0.1:0");
    environment.put(
        "PENSTOCK_CLUSTER_KUBERNETES_API", "https://localhost:" + api.getAddress().getPort());
    environment.put("PENSTOCK_CLUSTER_KUBERNETES_ACCOUNT", directory.resolve("account").toString());
    environment.put("PENSTOCK_STORE_URL", database.url());
    environment.put("PENSTOCK_STORE_USER", database.user());
    running.add(address);
    var pod =
        NodeProcess.start(
            directory,
            management,
            Map.copyOf(environment),
            List.of("gateway", "--config", directory.resolve("mounted/gateway.yaml").toString()));
    nodes.add(pod);
    return pod;
  }

  private static void awaitReadyNodes(List<NodeProcess> pods) {
    await()
        .atMost(PATIENCE)
        .untilAsserted(() -> {
          for (NodeProcess pod : pods) {
            assertThat(pod.metric("penstock_gateway_cluster_nodes{", "\"ready\""))
                .as(pod::report)
                .isEqualTo(pods.size());
          }
        });
  }

  private void podsAskedForNothingElse() {
    assertThat(asked)
        .isNotEmpty()
        .allMatch(it ->
            it.equals(
                "Bearer "
                    + TOKEN
                    + " GET /api/v1/namespaces/penstock-gateway/pods?limit=256&labelSelector="
                    + "app.kubernetes.io%2Fname%3Dpenstock-gateway"));
  }

  @Test
  void podsFindEachOther() {
    List<NodeProcess> pods = List.of(startPod(0), startPod(1));
    pods.forEach(NodeProcess::awaitReady);
    awaitReadyNodes(pods);
    podsAskedForNothingElse();
  }

  @Test
  @Tag("long")
  void aPodTakesThePlaceOfAnotherAtAnotherAddress() {
    List<NodeProcess> pods = new ArrayList<>(List.of(startPod(0), startPod(1), startPod(2)));
    pods.forEach(NodeProcess::awaitReady);
    awaitReadyNodes(pods);

    pods.removeFirst().kill();
    running.remove(Ports.address(0).getHostAddress());
    pods.add(startPod(3).awaitReady());
    awaitReadyNodes(pods);
    podsAskedForNothingElse();
  }
}
