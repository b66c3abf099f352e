package dev.penstock.gateway;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.gateway.FakeAgent.Service;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.GatewayHelloAck;
import dev.penstock.protocol.control.ControlMessage.InTunnel;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.TunnelMessage;
import dev.penstock.protocol.control.TunnelMessage.Data;
import dev.penstock.protocol.control.TunnelMessage.Direction;
import dev.penstock.protocol.control.TunnelMessage.Mark;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Source;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What single keys of `gateway.yaml` do, where no test of the part that they belong to shows it.
class GatewayKeysTest {
  @TempDir Path directory;
  private GatewayLab lab;

  @BeforeEach
  void prepare() {
    lab = GatewayLab.in(directory);
  }

  @AfterEach
  void end() throws IOException {
    lab.close();
  }

  private FakeAgent open(String path, String token) {
    return lab.owned(
        FakeAgent.open(
            lab.agents(),
            "ws://127.0.0.1:" + lab.gateway().address().getPort() + path,
            token,
            Service.echo(),
            FakeAgent.ALL));
  }

  private FakeAgent controller() {
    return open("/api/v1/clusters/agent/ws", GatewayLab.TOKEN);
  }

  private static String rejected(String reason) {
    return "penstock_gateway_rejected_total{reason=\"" + reason + "\"}";
  }

  @Test
  void agentsAreToldTheUrlToLinkTo() throws Exception {
    lab.with("gateway.links_url", "wss://links.example.com").start();
    var agent = controller();
    agent
        .link()
        .send(
            new ControlMessage.Register(
                "1", "agent-1", "lab", "1.0", "host", Map.of(), Map.of(), Set.of(), ""));
    assertThat(agent.nextMessage())
        .isInstanceOfSatisfying(
            ControlMessage.RegisterSuccess.class,
            told -> assertThat(told.toString()).contains("wss://links.example.com"));
  }

  @Test
  void aTokenOfAFileStandsForItsCluster() throws Exception {
    Path file = Files.writeString(directory.resolve("token"), "from-a-file\n");
    var settings =
        GatewaySettings.load(
            Files.writeString(
                directory.resolve("own.yaml"),
                """
                gateway:
                  listen: 127.0.0.1:0
                  data_dir: own
                  auth: {tokens: [{token_file: %s, cluster: filed}]}
                management: {listen: 127.0.0.1:0}
                """
                    .formatted(file)));
    try (var gateway = Gateway.start(settings);
        var agent =
            FakeAgent.link(lab.agents(), gateway.address(), "from-a-file", Service.echo())) {
      agent.awaitHello();
    }
  }

  @Test
  void clientsAreToldTheHostThatIsPublic() throws Exception {
    lab.with("gateway.public.host", "tunnels.example.com").start();
    var answer =
        lab.post(GatewayLab.TOKEN, "lab", GatewayLab.tunnel("redis", 6379).build().encode());
    assertThat(answer.body()).contains("\"tunnel_endpoint\":\"tunnels.example.com:");
  }

  @Test
  void aConnectionWithoutARequestIsCutAndCounted() throws Exception {
    lab.with("gateway.links.handshake_timeout", "200ms").start();
    try (Socket socket = silent()) {
      assertEnded(socket);
    }
    lab.awaitMetric(rejected("bad_handshake"), 1);
  }

  @Test
  void aProxyInFrontOfAgentsMustSayInTimeForWhom() throws Exception {
    lab.proxyProtocol("mode: required, trusted: 127.0.0.1, timeout: 200ms")
        .with("gateway.links.handshake_timeout", "5m")
        .start();
    try (Socket socket = silent()) {
      assertEnded(socket);
    }
    lab.awaitMetric(rejected("bad_handshake"), 1);
  }

  @Test
  void theOldestOfTooManyConnectionsWithoutALinkIsCut() throws Exception {
    lab.with("gateway.links.max_unupgraded", 1)
        .with("gateway.links.handshake_timeout", "5m")
        .start();
    try (Socket oldest = silent();
        Socket next = silent()) {
      next.getOutputStream().write('G');
      assertEnded(oldest);
    }
    lab.awaitMetric(rejected("too_many_unupgraded"), 1);
  }

  private Socket silent() throws IOException {
    var socket = new Socket(InetAddress.getLoopbackAddress(), lab.gateway().address().getPort());
    socket.setSoTimeout(10_000);
    return socket;
  }

  private static void assertEnded(Socket socket) throws IOException {
    try {
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    } catch (SocketException reset) {
      assertThat(reset).hasMessageContaining("reset");
    }
  }

  @Test
  void noFrameIsLargerThanItMayBe() throws Exception {
    lab.with("gateway.links.max_frame", "1KiB").start();
    Queue<Integer> frames = new ConcurrentLinkedQueue<>();
    lab.link(_ ->
        Flow.of(ByteBuffer.class)
            .map(bytes -> {
              frames.add(bytes.remaining());
              return bytes;
            })
            .prepend(Source.lazySingle(() -> DialStatus.connected().encode())));
    Socket client = lab.client(lab.expose("redis"));
    client.getOutputStream().write(new byte[50_000]);
    assertThat(client.getInputStream().readNBytes(50_000)).hasSize(50_000);
    assertThat(frames).allSatisfy(size -> assertThat(size).isBetween(1, 1024));
  }

  @Test
  void noMoreHandshakesAreUnderWayThanMayBe() throws Exception {
    lab.with("gateway.links.max_handshakes", 2).start();
    var first = controller();
    open("/api/v1/clusters/agent/ws", GatewayLab.OTHER_TOKEN);
    assertThatThrownBy(this::controller).rootCause().hasMessageContaining("503");
    assertThat(lab.metric(rejected("node_busy"))).isEqualTo(1);
    first.cut();
    Patiently.until(() -> {
      try {
        controller();
        return true;
      } catch (AssertionError refused) {
        return false;
      }
    });
  }

  @Test
  void noMoreLinksAreTakenInASecondThanMayBe() throws Exception {
    lab.with("gateway.links.max_handshakes_per_second", 1).start();
    lab.link(Service.echo());
    // However slow the machine is, one of many comes before its second is over.
    Patiently.until(() -> {
      try {
        open("/ws", GatewayLab.TOKEN).cut();
        return false;
      } catch (AssertionError refused) {
        return true;
      }
    });
    assertThat(lab.metric(rejected("node_busy"))).isPositive();
  }

  @Test
  void asManyThreadsCarryBytesAsAreAskedFor() throws Exception {
    long before = loops();
    lab.with("gateway.event_loops", 3).start();
    var clients = new ArrayList<Socket>();
    for (int i = 0; i < 6; i++) {
      clients.add(lab.client(lab.gateway().address().getPort()));
    }
    Patiently.until(() -> loops() - before == 3);
    assertThat(clients).hasSize(6);
  }

  private static long loops() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("loop-"))
        .count();
  }

  @Test
  void theMemoryForSlowReadersIsBoundedAsToldAndTheWindowIsToldToAgents() throws Exception {
    lab.with("gateway.windows.process_budget", "3MiB")
        .with("gateway.windows.session_budget", "2MiB")
        .with("gateway.windows.max_stream", "1MiB")
        .start();
    assertThat(lab.metric("penstock_gateway_budget_limit_bytes")).isEqualTo(3 << 20);
    assertThat(lab.link(Service.echo()).nextMessage())
        .isInstanceOfSatisfying(
            ControlMessage.GatewayHello.class,
            hello -> assertThat(hello.maxStreamWindowSize()).isEqualTo(1 << 20));
  }

  /// A gap in the sequence of a stream in JSON costs that stream, is counted, and the link and its
  /// other streams go on.
  @Test
  void aGapInAStreamInJsonIsCountedAndEndsThatStreamOnly() throws Exception {
    lab.links("protocol: json").start();
    int port = lab.expose("redis");
    var agent =
        lab.owned(
            FakeAgent.openMute(
                lab.agents(),
                "ws://127.0.0.1:" + lab.gateway().address().getPort() + "/ws",
                GatewayLab.TOKEN));
    assertThat(agent.nextMessage()).isInstanceOf(ControlMessage.GatewayHello.class);
    agent.link().accept(new GatewayHelloAck(false, Set.of(Capability.CREDITS)));
    lab.awaitMetric("penstock_gateway_links", 1);
    Socket good = lab.client(port);
    good.getOutputStream().write('?');
    assertThat(agent.nextAsked()).isNotNull();
    Socket bad = lab.client(port);
    bad.getOutputStream().write('?');
    assertThat(agent.nextAsked()).isNotNull();
    say(agent, "2", 7, "gap");
    lab.awaitMetric(rejected("tunnel_sequence"), 1);
    assertEnded(bad);
    say(agent, "1", 0, "good");
    assertThat(good.getInputStream().readNBytes(4)).asString().isEqualTo("good");
    assertThat(lab.metric("penstock_gateway_links")).isEqualTo(1);
  }

  private static void say(FakeAgent agent, String stream, long seq, String text) {
    TunnelMessage data =
        new Data(
            stream, Direction.TO_GATEWAY, ByteBuffer.wrap(text.getBytes(US_ASCII)), seq, Mark.MORE);
    agent.link().send(new InTunnel(data));
  }
}
