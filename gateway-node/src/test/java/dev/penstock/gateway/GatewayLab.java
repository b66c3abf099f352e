package dev.penstock.gateway;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.management.Scrape;
import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelRegistration;
import java.io.Closeable;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;

/// A gateway in this process, on ports of the system's choice, and the means to be its agents,
/// clients and operators. Tokens are `s3cret` of cluster `lab` and `other` of cluster `shop`.
public final class GatewayLab implements AutoCloseable {
  /// Which of the JVMs this is that run tests side by side.
  private static final int FORK = Integer.getInteger("test.fork", 1);

  public static final String TOKEN = "s3cret";
  public static final String OTHER_TOKEN = "other";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int PATIENCE_MILLIS = 10_000;

  private final Path directory;
  private final NodeSystem agents = NodeSystem.start("agents", 1);
  private final HttpClient http = HttpClient.newHttpClient();
  private final List<Closeable> owned = new ArrayList<>();
  private String links = "";
  private String publicSide = "";
  private String proxyProtocol = "";
  private String udp = "";
  private String drain = "";
  private final Map<String, String> variables = new HashMap<>();
  private String leases = "";
  private Gateway.Surroundings surroundings = Gateway.Surroundings.NONE;
  private Gateway gateway;

  private GatewayLab(Path directory) {
    this.directory = directory;
  }

  /// A lab that keeps its files in `directory`.
  public static GatewayLab in(Path directory) {
    return new GatewayLab(directory);
  }

  /// What stands below `gateway.links`.
  public GatewayLab links(String yaml) {
    links = yaml;
    return this;
  }

  /// What stands below `gateway.proxy_protocol`.
  public GatewayLab proxyProtocol(String yaml) {
    proxyProtocol = yaml;
    return this;
  }

  /// What stands below `gateway.public`, beside the ports.
  public GatewayLab publicSide(String yaml) {
    publicSide = ", " + yaml;
    return this;
  }

  /// What stands below `gateway.udp`.
  public GatewayLab udp(String yaml) {
    udp = yaml;
    return this;
  }

  /// What stands below `gateway.drain`.
  public GatewayLab drain(String yaml) {
    drain = yaml;
    return this;
  }

  /// Any key, set as its variable sets it.
  public GatewayLab with(String key, Object value) {
    variables.put(
        "PENSTOCK_" + key.toUpperCase(Locale.ROOT).replaceAll("\\W+", "_"), value.toString());
    return this;
  }

  /// What stands below `leases`.
  public GatewayLab leases(String yaml) {
    leases = yaml;
    return this;
  }

  /// Makes it a node that relays.
  public GatewayLab relay(Gateway.RelayPart part) {
    surroundings = surroundings.relaying(part);
    return this;
  }

  /// Other nodes beside this one.
  public GatewayLab surroundings(Gateway.Surroundings others) {
    surroundings = others;
    return this;
  }

  public GatewayLab start() throws IOException {
    gateway = Gateway.start(settings(), surroundings);
    return this;
  }

  public GatewaySettings settings() throws IOException {
    return GatewaySettings.load(
        Files.writeString(
            directory.resolve("gateway.yaml"),
            """
            gateway:
              listen: 127.0.0.1:0
              data_dir: data
              event_loops: 2
              public: {ports: 10000-65535%s}
              links: {%s}
              proxy_protocol: {%s}
              udp: {%s}
              drain: {%s}
              auth:
                tokens:
                  - {token: s3cret, cluster: lab}
                  - {token: other, cluster: shop}
            management:
              listen: 127.0.0.1:0
            leases: {%s}
            """
                .formatted(publicSide, links, proxyProtocol, udp, drain, leases)),
        variables);
  }

  public Gateway gateway() {
    return gateway;
  }

  public NodeSystem agents() {
    return agents;
  }

  /// A port that was free a moment ago, whose listener port is 10000 less.
  public static int freePort() throws IOException {
    for (int attempt = 0; attempt < 1_000; attempt++) {
      int port = ThreadLocalRandom.current().nextInt(10_000, 16_000) * 2 + FORK % 2;
      try (var socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
        return socket.getLocalPort();
      } catch (BindException _) {
        // Somebody has it.
      }
    }
    throw new IOException("no free port was found in 20000 to 32000");
  }

  // --- agents ---

  /// A linked agent of cluster `lab` that both ends' extensions are in use with.
  public FakeAgent link(FakeAgent.Service service) {
    double before = metric("penstock_gateway_links");
    FakeAgent agent = owned(FakeAgent.link(agents, gateway.address(), TOKEN, service));
    agent.awaitHello();
    Patiently.until(() -> metric("penstock_gateway_links") == before + 1);
    return agent;
  }

  /// Ends with the lab.
  public <T extends Closeable> T owned(T closeable) {
    owned.add(closeable);
    return closeable;
  }

  public HttpResponse<String> post(String token, String cluster, String body) {
    return send(
        HttpRequest.newBuilder(tunnels(cluster))
            .header("Authorization", "Bearer " + token)
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build());
  }

  /// Sends all tunnels of cluster `lab`, as they are written.
  public HttpResponse<String> sync(String body) {
    return send(
        HttpRequest.newBuilder(URI.create(tunnels("lab") + "/sync"))
            .header("Authorization", "Bearer " + TOKEN)
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build());
  }

  /// Sends these tunnels as all of cluster `lab`; returns the answer, which must be 200.
  public JsonNode sync(List<TunnelRegistration> tunnels) throws IOException {
    String entries =
        tunnels.stream().map(TunnelRegistration::encode).collect(Collectors.joining(","));
    HttpResponse<String> answer = sync("{\"cluster_uuid\":\"lab\",\"tunnels\":[" + entries + "]}");
    if (answer.statusCode() != 200) {
      throw new AssertionError(answer.statusCode() + " " + answer.body());
    }
    return JSON.readTree(answer.body());
  }

  /// What the gateway lists for the owner of the cluster's token.
  public JsonNode list(String cluster) throws IOException {
    return JSON.readTree(
        send(HttpRequest.newBuilder(tunnels(cluster))
                .header("Authorization", "Bearer " + (cluster.equals("lab") ? TOKEN : OTHER_TOKEN))
                .build())
            .body());
  }

  /// Deregisters by cluster `lab`'s token.
  public HttpResponse<String> delete(String cluster, String tunnelId) {
    return send(
        HttpRequest.newBuilder(URI.create(tunnels(cluster) + "/" + tunnelId))
            .header("Authorization", "Bearer " + TOKEN)
            .DELETE()
            .build());
  }

  public HttpResponse<String> send(HttpRequest request) {
    try {
      return http.send(request, BodyHandlers.ofString());
    } catch (IOException e) {
      throw new AssertionError(request.uri() + ": " + e, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  public URI tunnels(String cluster) {
    return rest("/api/v1/clusters/agent/" + cluster + "/tunnels");
  }

  public URI rest(String path) {
    return URI.create("http://127.0.0.1:" + gateway.address().getPort() + path);
  }

  public static TunnelRegistration.Builder tunnel(String name, int listenerPort) {
    return TunnelRegistration.of(Protocol.TCP, "tcp-" + name, name, 6379)
        .gateway("", name, listenerPort);
  }

  /// Registers a tunnel of cluster `lab`; returns its public port.
  public int expose(String name) throws Exception {
    return expose(tunnel(name, freePort() - 10_000));
  }

  public int expose(TunnelRegistration.Builder tunnel) throws Exception {
    HttpResponse<String> answer = post(TOKEN, "lab", tunnel.build().encode());
    if (answer.statusCode() != 200) {
      throw new AssertionError(answer.statusCode() + " " + answer.body());
    }
    return TunnelRegistered.decode(answer.body()).tunnelPort();
  }

  // --- clients ---

  /// A client of a public port; its reads fail when nothing comes for long.
  public Socket client(int port) throws IOException {
    return client("127.0.0.1", port);
  }

  /// A client that comes from one of the loopback addresses.
  public Socket client(String from, int port) throws IOException {
    var socket = owned(new Socket());
    socket.setSoTimeout(PATIENCE_MILLIS);
    socket.setTcpNoDelay(true);
    socket.bind(new InetSocketAddress(from, 0));
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), PATIENCE_MILLIS);
    return socket;
  }

  /// Whether somebody listens on a public port, even if only to reset every client.
  public static boolean listens(int port) throws IOException {
    try (var socket = new Socket()) {
      socket.connect(
          new InetSocketAddress(InetAddress.getLoopbackAddress(), port), PATIENCE_MILLIS);
      return true;
    } catch (ConnectException _) {
      return false;
    } catch (SocketException _) {
      return true;
    }
  }

  // --- operators ---

  /// What the management port says to a request without a body.
  public HttpResponse<String> manage(String method, String path) {
    return send(
        HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + gateway.managementAddress().getPort() + path))
            .method(method, HttpRequest.BodyPublishers.noBody())
            .build());
  }

  /// A series' value, 0 when there is none.
  public double metric(String series) {
    return Scrape.metric(gateway.managementAddress().getPort(), series);
  }

  /// Returns when the series has this value.
  public void awaitMetric(String series, double value) {
    Patiently.until(() -> metric(series) == value);
  }

  @Override
  public void close() throws IOException {
    for (Closeable closeable : owned.reversed()) {
      closeable.close();
    }
    if (gateway != null) {
      gateway.close();
    }
    http.shutdownNow();
    agents.close();
  }
}
