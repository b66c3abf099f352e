package dev.penstock.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;

import dev.penstock.agent.Agent;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.management.Scrape;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A gateway and agents on this machine that take part in a cluster, and Services in it whose pods
/// are sockets of this machine. Gateway and agents run in this process, unless an agent is asked
/// for in one of its own.
final class KubernetesLab implements AutoCloseable {
  static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));
  private static final String TOKEN = "s3cret";

  private final Path directory;
  private final KubernetesApi api;
  private final Path kubeconfig;
  private final InetAddress pods;
  private final Gateway gateway;
  private final List<AutoCloseable> owned = new ArrayList<>();

  /// A lab at an API server of this process, which it closes.
  KubernetesLab(Path directory, FakeKubernetesApi server) throws IOException {
    this(
        directory,
        server.kubeconfig(),
        server.kubeconfig(),
        InetAddress.getLoopbackAddress(),
        KubernetesApi.Afterwards.LEAVE_OBJECTS);
    // Behind everything that uses it.
    owned.addFirst(server);
  }

  /// A lab at an API server that others use, too.
  ///
  /// @param kubeconfig how users reach it
  /// @param agents how agents reach it, who may be allowed less
  /// @param pods the address of this machine that endpoint slices may name
  KubernetesLab(Path directory, Path kubeconfig, Path agents, InetAddress pods) throws IOException {
    this(directory, kubeconfig, agents, pods, KubernetesApi.Afterwards.DELETE_OBJECTS);
  }

  private KubernetesLab(
      Path directory,
      Path users,
      Path agents,
      InetAddress pods,
      KubernetesApi.Afterwards afterwards)
      throws IOException {
    this.directory = directory;
    this.kubeconfig = agents;
    this.pods = pods;
    this.api = new KubernetesApi(users, afterwards);
    this.gateway =
        Gateway.start(
            GatewaySettings.load(
                Files.writeString(
                    directory.resolve("gateway.yaml"),
                    """
                    gateway:
                      listen: 127.0.0.1:0
                      data_dir: %s
                      public: {host: 127.0.0.1, bind: 127.0.0.1, ports: 10000-35000}
                      auth: {tokens: [{token: %s, cluster: lab}]}
                    management: {listen: 127.0.0.1:0}
                    """
                        .formatted(directory.resolve("data"), TOKEN))));
    owned.add(gateway);
    owned.add(api);
  }

  KubernetesApi api() {
    return api;
  }

  /// Tunnels for which the gateway listens.
  int tunnels() {
    return (int) Scrape.metric(gateway.managementAddress().getPort(), "penstock_gateway_tunnels");
  }

  /// An agent in this process that is ready.
  Agent startAgent(String id) {
    return startAgent(id, Map.of());
  }

  /// An agent in this process that is ready.
  ///
  /// @param variables settings that differ, as the environment has them
  Agent startAgent(String id, Map<String, String> variables) {
    Agent agent = startAgent(agentFile(id, 0, kubeconfig), variables);
    await(id + " is ready").atMost(PATIENCE).until(() -> page(agent, "/readyz").contains("ready"));
    return agent;
  }

  /// An agent in this process, ready or not, of another Kubernetes cluster that has the same token.
  Agent startAgentIn(FakeKubernetesApi other, String id) {
    return startAgent(agentFile(id, 0, other.kubeconfig()), Map.of());
  }

  private Agent startAgent(Path file, Map<String, String> variables) {
    Agent agent =
        Agent.start(AgentSettings.load(file, variables), new Agent.Announcements(_ -> {}, _ -> {}));
    owned.add(agent);
    return agent;
  }

  /// An agent in a process of its own; ready or not.
  NodeProcess startAgentProcess(String id) {
    return startAgentProcess(id, Map.of());
  }

  /// An agent in a process of its own; ready or not.
  ///
  /// @param environment added to this JVM's
  NodeProcess startAgentProcess(String id, Map<String, String> environment) {
    int management = Ports.free();
    NodeProcess agent =
        NodeProcess.start(
            directory,
            management,
            environment,
            List.of("agent", "--config", agentFile(id, management, kubeconfig).toString()));
    owned.add(agent);
    return agent;
  }

  private Path agentFile(String id, int management, Path cluster) {
    try {
      return Files.writeString(
          directory.resolve(id + ".yaml"),
          """
          pipeops: {api_url: "http://127.0.0.1:%d", token: %s}
          agent: {id: %s}
          management: {listen: "127.0.0.1:%d"}
          kubernetes:
            enabled: true
            kubeconfig: %s
            api_poll: 200ms
            allowed_backends: ["127.0.0.0/8"]
            lease: {namespace: penstock, name: penstock-agent-writer, duration: 3s}
          """
              .formatted(gateway.address().getPort(), TOKEN, id, management, cluster));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static String page(Agent agent, String path) {
    return Scrape.page(agent.managementAddress().getPort(), path);
  }

  /// Runs a pod, and a Service that leads to it: it says its name on a line and then whatever it
  /// hears.
  Pod service(String namespace, String name) throws IOException {
    var pod = new Pod(new ServerSocket(0, 100, pods), name);
    owned.add(pod);
    api.apply(
        """
        apiVersion: v1
        kind: Service
        metadata: {name: %2$s, namespace: %1$s}
        spec: {ports: [{name: main, port: 5432, protocol: TCP}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata:
          name: %2$s-1
          namespace: %1$s
          labels: {kubernetes.io/service-name: %2$s}
        addressType: IPv4
        endpoints: [{addresses: ["%3$s"], conditions: {ready: true}}]
        ports: [{name: main, port: %4$d, protocol: TCP}]
        """
            .formatted(namespace, name, pods.getHostAddress(), pod.port()));
    return pod;
  }

  /// A client of a public port, greeted by the pod that it reached; null when there is none.
  static Client connect(int port) {
    var socket = new Socket();
    try {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1_000);
      socket.setSoTimeout(2_000);
      var in = new BufferedReader(new InputStreamReader(socket.getInputStream(), UTF_8));
      String pod = in.readLine();
      if (pod != null) {
        return new Client(socket, in, pod);
      }
    } catch (IOException _) {
      // Nobody is there.
    }
    closeQuietly(socket);
    return null;
  }

  /// The pod that a new client of a public port reaches; `""` when there is none.
  static String served(int port) {
    try (Client client = connect(port)) {
      return client == null ? "" : client.pod();
    }
  }

  private static void closeQuietly(AutoCloseable closeable) {
    try {
      closeable.close();
    } catch (Exception _) {
      // It is gone either way.
    }
  }

  /// Somebody who uses a service.
  record Client(Socket socket, BufferedReader in, String pod) implements AutoCloseable {
    /// Whether the pod still answers.
    boolean isServed() {
      try {
        socket.getOutputStream().write("still?\n".getBytes(UTF_8));
        return "still?".equals(in.readLine());
      } catch (IOException _) {
        return false;
      }
    }

    @Override
    public void close() {
      closeQuietly(socket);
    }
  }

  /// A pod.
  static final class Pod implements AutoCloseable {
    private final ServerSocket socket;

    Pod(ServerSocket socket, String name) {
      this.socket = socket;
      Thread.ofVirtual().start(() -> accept(name));
    }

    int port() {
      return socket.getLocalPort();
    }

    private void accept(String name) {
      while (!socket.isClosed()) {
        try {
          Socket client = socket.accept();
          Thread.ofVirtual().start(() -> serve(client, name));
        } catch (IOException _) {
          // Closed, or the client was faster.
        }
      }
    }

    private static void serve(Socket client, String name) {
      try (client) {
        client.getOutputStream().write((name + "\n").getBytes(UTF_8));
        client.getInputStream().transferTo(client.getOutputStream());
      } catch (IOException _) {
        // The client is gone.
      }
    }

    @Override
    public void close() {
      closeQuietly(socket);
    }
  }

  @Override
  public void close() {
    owned.reversed().forEach(KubernetesLab::closeQuietly);
  }
}
