package dev.penstock.testkit;

import dev.penstock.testkit.cluster.LocalDatabase;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// A cluster of gateways in processes of their own, at loopback addresses that differ in the last
/// number, all with the same ports, and an agent. The nodes reach each other through proxies that
/// can be cut, or directly. Nodes count from 0. Add services, then [#start].
final class ClusterLab implements AutoCloseable {
  static final String TOKEN = "s3cret";

  private static final String SECRET = "the secret of the lab's nodes";
  private static final int CONNECT_TIMEOUT_MILLIS = 5_000;

  private record Cut(InetAddress from, InetAddress to) {}

  private record Exposed(String target, int publicPort) {}

  private final Path directory;
  private final int listenPort = Ports.free();
  private final int controlPort = Ports.free();
  private final int relayPort = Ports.free();
  private final List<Integer> managementPorts = new ArrayList<>();
  private final int agentManagement = Ports.free();
  private final AtomicReferenceArray<NodeProcess> nodes;
  private final List<CutLinks> proxies = new ArrayList<>();
  private final Set<Cut> cuts = ConcurrentHashMap.newKeySet();
  private final Map<String, Exposed> services = new LinkedHashMap<>();
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final List<String> settings = new ArrayList<>();
  private final List<String> clusterSettings = new ArrayList<>();
  private final Map<String, String> tenants = new LinkedHashMap<>(Map.of(TOKEN, "lab"));
  private final Map<String, String> variables = new HashMap<>();
  private String publicPorts = "10000-35000";
  private String databaseUrl = "";
  private String databaseUser = "";
  private int controlBindPort = Ports.free();
  private int relayBindPort = Ports.free();
  private int agentLinks = 2;
  private NodeProcess agent;
  private LocalDatabase database;

  private ClusterLab(Path directory, int count) {
    this.directory = directory;
    this.nodes = new AtomicReferenceArray<>(count);
    for (int i = 0; i < count; i++) {
      managementPorts.add(Ports.free());
    }
  }

  /// A lab of `count` nodes that keeps its files in `directory`.
  static ClusterLab in(Path directory, int count) {
    return new ClusterLab(directory, count);
  }

  /// More of every gateway's file, at the top level, such as `leases: {…}`.
  ClusterLab with(String yaml) {
    settings.add(yaml);
    return this;
  }

  /// More below `cluster` of every gateway's file, in one line, such as `down_after: 2s`.
  ClusterLab withCluster(String line) {
    clusterSettings.add(line);
    return this;
  }

  /// A further cluster of agents and the token that stands for it.
  ClusterLab withTenant(String cluster, String token) {
    tenants.put(token, cluster);
    return this;
  }

  /// The public ports that the nodes may lease, such as `12000-12100`.
  ClusterLab withPublicPorts(String range) {
    publicPorts = range;
    return this;
  }

  /// Has the nodes share a database that somebody else runs.
  ClusterLab withDatabase(String url, String user) {
    databaseUrl = url;
    databaseUser = user;
    return this;
  }

  /// Has the nodes reach each other without anything between them, so that nothing can be cut.
  ClusterLab withoutCuts() {
    controlBindPort = controlPort;
    relayBindPort = relayPort;
    return this;
  }

  /// An environment variable of every node and of the agent, such as `PENSTOCK_LOG_LEVEL`.
  ClusterLab variable(String name, String value) {
    variables.put(name, value);
    return this;
  }

  /// How many links the agent keeps; two if nothing is said.
  ClusterLab agentLinks(int count) {
    agentLinks = count;
    return this;
  }

  /// Exposes a service that ends with the lab.
  ClusterLab expose(String name, EchoService service) {
    owned.add(service);
    return expose(name, service.address());
  }

  /// Exposes a service that somebody else runs.
  ClusterLab expose(String name, String target) {
    services.put(name, new Exposed(target, Ports.free()));
    return this;
  }

  /// Starts the nodes, all at once; returns when every one is ready.
  ClusterLab start() throws IOException, InterruptedException {
    try {
      startAll();
    } catch (IOException | InterruptedException | RuntimeException | AssertionError e) {
      // Nobody has the lab yet who could close it.
      close();
      throw e;
    }
    return this;
  }

  private void startAll() throws IOException, InterruptedException {
    if (databaseUrl.isEmpty()) {
      startDatabase();
    }
    for (int i = 0; i < nodes.length() && controlBindPort != controlPort; i++) {
      proxies.add(
          new CutLinks(
              new InetSocketAddress(Ports.address(i), controlPort),
              new InetSocketAddress(Ports.address(i), controlBindPort),
              isCutTo(i)));
      proxies.add(
          new CutLinks(
              new InetSocketAddress(Ports.address(i), relayPort),
              new InetSocketAddress(Ports.address(i), relayBindPort),
              isCutTo(i)));
    }
    for (int i = 0; i < nodes.length(); i++) {
      startNode(i);
    }
    for (int i = 0; i < nodes.length(); i++) {
      nodes.get(i).awaitReady();
    }
  }

  private void startDatabase() throws IOException, InterruptedException {
    // Not in the test's directory, which only this user may enter: PostgreSQL has one of its own.
    Path files = Files.createTempDirectory("penstock-lab-");
    Files.setPosixFilePermissions(files, PosixFilePermissions.fromString("rwxr-xr-x"));
    var started = LocalDatabase.start(files.resolve("database"));
    database = started;
    withDatabase(started.url(), started.user());
    owned.add(() -> {
      started.close();
      delete(files);
    });
  }

  private Predicate<InetAddress> isCutTo(int node) {
    InetAddress to = Ports.address(node);
    return from -> cuts.contains(new Cut(from, to)) || cuts.contains(new Cut(to, from));
  }

  /// Starts a node that does not run, always with the same settings.
  NodeProcess startNode(int node) {
    Path config = write("gateway-" + node + ".yaml", yaml(node, managementPorts.get(node)));
    var started =
        NodeProcess.start(
            directory,
            managementPorts.get(node),
            variables,
            List.of("gateway", "--config", config.toString()));
    nodes.set(node, started);
    return started;
  }

  /// Starts one more gateway on an address of its own, with the settings of a node of this lab but
  /// for what the test changes. It is the caller's to close.
  ///
  /// @param changed from a node's file to the stranger's
  NodeProcess startStranger(UnaryOperator<String> changed) {
    int management = Ports.free();
    String own =
        yaml(nodes.length(), management)
            .replace(":" + controlBindPort, ":" + controlPort)
            .replace(":" + relayBindPort, ":" + relayPort);
    Path config = write("stranger-" + management + ".yaml", changed.apply(own));
    return NodeProcess.start(
        directory, management, Map.of(), List.of("gateway", "--config", config.toString()));
  }

  /// The database of the nodes.
  LocalDatabase database() {
    return database;
  }

  /// Where other nodes reach a node with streams.
  InetSocketAddress relayAddress(int node) {
    return new InetSocketAddress(Ports.address(node), relayPort);
  }

  /// Starts an agent that knows one node; returns when its services can be reached.
  ///
  /// @param node that it is told
  NodeProcess startAgent(int node) {
    var arguments =
        new ArrayList<>(
            List.of(
                "agent",
                "--gateway",
                "http://" + Ports.address(node).getHostAddress() + ":" + listenPort,
                "--token",
                TOKEN,
                "--management",
                "127.0.0.1:" + agentManagement));
    services.forEach((name, service) -> {
      arguments.add("--expose");
      arguments.add(name + "=" + service.target() + "@" + service.publicPort());
    });
    var environment = new HashMap<>(variables);
    environment.put("PENSTOCK_AGENT_LINKS_COUNT", Integer.toString(agentLinks));
    agent = NodeProcess.start(directory, agentManagement, environment, arguments);
    return agent.awaitReady();
  }

  NodeProcess node(int node) {
    return nodes.get(node);
  }

  NodeProcess agent() {
    return agent;
  }

  int size() {
    return nodes.length();
  }

  /// The public address of a service at a node.
  InetSocketAddress publicAddress(int node, String name) {
    return new InetSocketAddress(Ports.address(node), services.get(name).publicPort());
  }

  /// Where agents and their registrations reach a node.
  InetSocketAddress listenAddress(int node) {
    return new InetSocketAddress(Ports.address(node), listenPort);
  }

  /// Where a node answers about itself.
  InetSocketAddress managementAddress(int node) {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), managementPorts.get(node));
  }

  /// How many links of agents a node has.
  int links(int node) {
    return nodes.get(node).metrics().getOrDefault("penstock_gateway_links", 0.0).intValue();
  }

  /// The nodes that have links of the agent.
  List<Integer> nodesWithLinks() {
    return IntStream.range(0, nodes.length()).filter(node -> links(node) > 0).boxed().toList();
  }

  /// Where other nodes reach a node's control messages.
  InetSocketAddress controlAddress(int node) {
    return new InetSocketAddress(Ports.address(node), controlPort);
  }

  /// A new client of a service at a node.
  Socket connect(int node, String name) throws IOException {
    var socket = new Socket();
    try {
      socket.connect(publicAddress(node, name), CONNECT_TIMEOUT_MILLIS);
      socket.setTcpNoDelay(true);
      return socket;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  /// Whether a service that echoes answers a byte at a node now.
  boolean echoes(int node, String name) {
    try (Socket client = connect(node, name)) {
      client.setSoTimeout(1_000);
      client.getOutputStream().write('?');
      return client.getInputStream().read() == '?';
    } catch (IOException e) {
      return false;
    }
  }

  /// How many nodes a node sees in a state, such as `ready` or `unreachable`.
  int sees(int node, String state) {
    return (int) nodes.get(node).metric("penstock_gateway_cluster_nodes{", '"' + state + '"');
  }

  /// Cuts two nodes off from each other: what one sends does not arrive at the other.
  void cut(int one, int other) {
    cuts.add(new Cut(Ports.address(one), Ports.address(other)));
    proxies.forEach(CutLinks::cutsChanged);
  }

  /// Undoes [#cut].
  void heal(int one, int other) {
    cuts.remove(new Cut(Ports.address(one), Ports.address(other)));
    cuts.remove(new Cut(Ports.address(other), Ports.address(one)));
    proxies.forEach(CutLinks::cutsChanged);
  }

  /// Cuts a node off from all others.
  void isolate(int node) {
    for (int other = 0; other < nodes.length(); other++) {
      if (other != node) {
        cut(node, other);
      }
    }
  }

  /// Undoes every cut.
  void healAll() {
    cuts.clear();
    proxies.forEach(CutLinks::cutsChanged);
  }

  /// What all processes wrote, for the message of a failed test.
  String report() {
    var report = new StringBuilder();
    for (int i = 0; i < nodes.length(); i++) {
      NodeProcess node = nodes.get(i);
      report.append(node == null ? "" : node.report());
    }
    return report + (agent == null ? "" : agent.report());
  }

  private String yaml(int node, int management) {
    String host = Ports.address(node).getHostAddress();
    var seeds = new ArrayList<String>();
    for (int i = 0; i < nodes.length(); i++) {
      seeds.add(Ports.address(i).getHostAddress() + ":" + controlPort);
    }
    var text =
        new StringBuilder(
            """
            gateway:
              listen: %s:%d
              data_dir: %s
              public: {host: %s, bind: %s, ports: %s}
              auth: {tokens: [%s]}
            management:
              listen: 127.0.0.1:%d
            store: {url: "%s", user: %s}
            cluster:
              enabled: true
              name: lab
              listen: %s:%d
              bind: %s:%d
              relay: %s:%d
              relay_bind: %s:%d
              seeds: %s
              secret: %s
            """
                .formatted(
                    host,
                    listenPort,
                    directory.resolve("data-" + node),
                    host,
                    host,
                    publicPorts,
                    tokens(),
                    management,
                    databaseUrl,
                    databaseUser,
                    host,
                    controlPort,
                    host,
                    controlBindPort,
                    host,
                    relayPort,
                    host,
                    relayBindPort,
                    seeds,
                    SECRET.replace(' ', '-')));
    clusterSettings.forEach(line -> text.append("  ").append(line).append('\n'));
    settings.forEach(part -> text.append(part).append('\n'));
    return text.toString();
  }

  private String tokens() {
    return tenants.entrySet().stream()
        .map(tenant -> "{token: " + tenant.getKey() + ", cluster: " + tenant.getValue() + "}")
        .collect(Collectors.joining(", "));
  }

  @Override
  public void close() {
    if (agent != null) {
      agent.close();
    }
    for (int i = 0; i < nodes.length(); i++) {
      NodeProcess node = nodes.get(i);
      if (node != null) {
        node.close();
      }
    }
    var all = new ArrayList<AutoCloseable>(proxies);
    all.addAll(owned);
    proxies.clear();
    owned.clear();
    for (AutoCloseable closeable : all) {
      try {
        closeable.close();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private static void delete(Path files) throws IOException {
    try (Stream<Path> all = Files.walk(files)) {
      for (Path one : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(one);
      }
    }
  }

  private Path write(String file, String text) {
    try {
      return Files.writeString(directory.resolve(file), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
