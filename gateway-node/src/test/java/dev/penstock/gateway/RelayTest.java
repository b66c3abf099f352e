package dev.penstock.gateway;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.HostPort;
import dev.penstock.config.Secret;
import dev.penstock.gateway.FakeAgent.Service;
import dev.penstock.gateway.relay.RelaySettings;
import dev.penstock.gateway.relay.RemoteNodes;
import dev.penstock.gateway.relay.RemoteNodes.RemoteNode;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TraceContext;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.link.StreamEnd;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Two gateway nodes in this process: `near` has the public ports, `far` has the agents' links.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RelayTest {
  private static final Secret SECRET = Secret.of("0123456789abcdef");
  private static final Duration IDLE = Duration.ofSeconds(1);
  private static final int BULK = 100 * 1024 * 1024;

  @TempDir Path directory;
  private GatewayLab near;
  private GatewayLab far;
  private final List<RemoteNode> others = new CopyOnWriteArrayList<>();
  private final List<AutoCloseable> owned = new ArrayList<>();

  private static RelaySettings settings(String node, Secret secret, RelaySettings.Limits limits) {
    return new RelaySettings(
        node,
        "penstock",
        secret,
        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
        null,
        LinkSettings.defaults(),
        limits);
  }

  private static RelaySettings.Limits limits(Duration idle) {
    return new RelaySettings.Limits(
        Duration.ofSeconds(3), Duration.ofMillis(500), idle, 4, 2, 4096);
  }

  private GatewayLab node(String name, RelaySettings settings, RemoteNodes nodes)
      throws IOException {
    var lab =
        GatewayLab.in(Files.createDirectory(directory.resolve(name)))
            .relay(new Gateway.RelayPart(settings, nodes))
            .start();
    owned.add(lab);
    return lab;
  }

  @BeforeEach
  void start() throws IOException {
    far = node("far", settings("far", SECRET, limits(IDLE)), _ -> List.of());
    near =
        node(
            "near",
            settings("near", SECRET, limits(IDLE)),
            cluster -> cluster.equals("lab") ? List.copyOf(others) : List.of());
    others.add(at("far", far.gateway().relayAddress()));
  }

  private static RemoteNode at(String id, InetSocketAddress relay) {
    return new RemoteNode(id, new HostPort("127.0.0.1", relay.getPort()), 1, 0);
  }

  @AfterEach
  void end() throws Exception {
    for (AutoCloseable one : owned.reversed()) {
      one.close();
    }
  }

  private static void say(Socket client, String text) throws IOException {
    client.getOutputStream().write(text.getBytes(US_ASCII));
  }

  private static String hear(Socket client, int length) throws IOException {
    return new String(client.getInputStream().readNBytes(length), US_ASCII);
  }

  private static void roundTrip(Socket client, String text) throws IOException {
    say(client, text);
    assertThat(hear(client, text.length())).isEqualTo(text);
  }

  private static void assertReset(Socket client) {
    assertThatThrownBy(() -> client.getInputStream().read())
        .isInstanceOf(SocketException.class)
        .hasMessageContaining("reset");
  }

  private void assertNewClientIsReset(int port) {
    assertThatThrownBy(() -> near.client(port).getInputStream().read())
        .isInstanceOf(SocketException.class)
        .hasMessageContaining("reset");
  }

  private static String relay(String series, String label) {
    return "penstock_gateway_relay_" + series + "{" + label + "}";
  }

  private FakeAgent agent(GatewayLab at, Service service, Set<Capability> capabilities) {
    double before = at.metric("penstock_gateway_links");
    var agent =
        at.owned(
            FakeAgent.open(
                at.agents(),
                "ws://127.0.0.1:" + at.gateway().address().getPort() + "/ws",
                GatewayLab.TOKEN,
                service,
                capabilities));
    agent.awaitHello();
    at.awaitMetric("penstock_gateway_links", before + 1);
    return agent;
  }

  @Test
  void aClientIsCarriedToTheNodeOfTheAgentAndTheAgentLearnsWhoCalls() throws Exception {
    var agent = far.link(Service.echo());
    int port = near.expose("redis");
    var client = near.client(port);
    roundTrip(client, "hello");
    assertThat(agent.nextAsked())
        .isEqualTo(
            new StreamHeader(
                Protocol.TCP,
                6379,
                "redis",
                "",
                "tcp-redis",
                new CallerAddress(
                    (InetSocketAddress) client.getLocalSocketAddress(),
                    (InetSocketAddress) client.getRemoteSocketAddress())));
    client.shutdownOutput();
    assertThat(client.getInputStream().readAllBytes()).isEmpty();
    near.awaitMetric("penstock_gateway_streams_ended_total{reason=\"finished\"}", 1);
    near.awaitMetric(relay("active_streams", "end=\"out\""), 0);
    far.awaitMetric(relay("active_streams", "end=\"in\""), 0);
    assertThat(far.metric(relay("bytes_total", "direction=\"to_service\""))).isEqualTo(5);
    assertThat(far.metric(relay("bytes_total", "direction=\"to_client\""))).isEqualTo(5);
    assertThat(near.metric("penstock_gateway_dial_seconds_count")).isEqualTo(1);
  }

  @Test
  void aTraceGoesOnAtTheOtherNodeAndAtAnAgentThatKnowsOfTraces() throws Exception {
    var traced = traced("traced-far", _ -> List.of());
    var entry =
        traced("traced-near", _ -> List.of(at("traced-far", traced.gateway().relayAddress())));
    var capabilities =
        EnumSet.of(Capability.DIAL_STATUS, Capability.CALLER_ADDRESS, Capability.TRACE_CONTEXT);
    var agent = agent(traced, Service.echo(), capabilities);
    roundTrip(entry.client(entry.expose("redis")), "hello");
    TraceContext relayed = agent.nextAsked().trace();
    assertThat(relayed).isNotNull();
    roundTrip(traced.client(traced.expose("direct")), "hello");
    TraceContext direct = agent.nextAsked().trace();
    assertThat(direct).isNotNull();
    assertThat(direct.traceId()).isNotEqualTo(relayed.traceId());
  }

  @Test
  void anAgentThatDoesNotKnowOfTracesIsToldOfNone() throws Exception {
    var traced = traced("traced-far", _ -> List.of());
    var agent = agent(traced, Service.echo(), FakeAgent.ALL);
    roundTrip(traced.client(traced.expose("redis")), "hello");
    assertThat(agent.nextAsked().trace()).isNull();
  }

  /// A node that traces every connection; nobody takes its spans.
  private GatewayLab traced(String name, RemoteNodes nodes) throws IOException {
    var lab =
        GatewayLab.in(Files.createDirectory(directory.resolve(name)))
            .with("tracing.endpoint", "http://127.0.0.1:9")
            .with("tracing.sample_ratio", 1)
            .relay(new Gateway.RelayPart(settings(name, SECRET, limits(IDLE)), nodes))
            .start();
    owned.add(lab);
    return lab;
  }

  @Test
  void everyByteArrivesInOrderInBothDirectionsAtOnce() throws Exception {
    far.link(Service.bulkEcho());
    int port = near.expose("bulk");
    var client = near.client(port);
    client.setSoTimeout(60_000);
    var sent = MessageDigest.getInstance("SHA-256");
    var writing =
        CompletableFuture.runAsync(() -> {
          var random = new SplittableRandom(7);
          var block = new byte[64 * 1024];
          try {
            for (int i = 0; i < BULK / block.length; i++) {
              random.nextBytes(block);
              sent.update(block);
              client.getOutputStream().write(block);
            }
            client.shutdownOutput();
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
    var received = MessageDigest.getInstance("SHA-256");
    long bytes;
    try (var in = new DigestInputStream(client.getInputStream(), received)) {
      bytes = in.transferTo(java.io.OutputStream.nullOutputStream());
    }
    Patiently.get(writing);
    assertThat(bytes).isEqualTo(BULK);
    assertThat(received.digest()).isEqualTo(sent.digest());
    Patiently.until(() -> near.metric("penstock_gateway_budget_used_bytes") == 0);
    Patiently.until(() -> far.metric("penstock_gateway_budget_used_bytes") == 0);
  }

  @Test
  void aServiceThatFinishesFirstStillHearsTheClient() throws Exception {
    var agent =
        far.link(_ ->
            Flow.fromSinkAndSource(
                Sink.ignore(), Source.lazySingle(() -> DialStatus.connected().encode())));
    var client = near.client(near.expose("oneway"));
    assertThat(client.getInputStream().read()).isEqualTo(-1);
    say(client, "still heard");
    Patiently.until(() -> agent.heard().equals("still heard"));
    client.close();
    assertThat(agent.awaitFirstStreamEnd().cause()).isEqualTo(StreamEnd.Cause.FINISHED);
  }

  @Test
  void aClientsResetReachesTheAgent() throws Exception {
    var agent = far.link(Service.echo());
    var client = near.client(near.expose("redis"));
    roundTrip(client, "hello");
    client.setSoLinger(true, 0);
    client.close();
    assertThat(agent.awaitFirstStreamEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
  }

  @Test
  void anAgentsResetReachesTheClient() throws Exception {
    far.link(_ ->
        Flow.of(ByteBuffer.class)
            .prepend(Source.lazySingle(() -> DialStatus.connected().encode()))
            .map(bytes -> {
              if (bytes.remaining() == 4) {
                throw new IllegalStateException("the service resets");
              }
              return bytes;
            }));
    var client = near.client(near.expose("redis"));
    roundTrip(client, "hello");
    say(client, "stop");
    assertReset(client);
    near.awaitMetric("penstock_gateway_streams_ended_total{reason=\"reset_by_peer\"}", 1);
  }

  @Test
  void theReasonOfAFailedDialComesBackAndTheClientIsReset() throws Exception {
    far.link(Service.refusing(DialStatus.Code.REFUSED, ""));
    int port = near.expose("redis");
    assertNewClientIsReset(port);
    near.awaitMetric("penstock_gateway_dials_failed_total{reason=\"refused\"}", 1);
    assertThat(near.metric("penstock_gateway_clients_refused_total{reason=\"dial_failed\"}"))
        .isEqualTo(1);
  }

  @Test
  void whatAClientSaidToAnAgentThatFailedIsSaidOnceToTheNextOfTheSameNode() throws Exception {
    var first = far.link(Service.refusing(DialStatus.Code.TIMED_OUT, "early words"));
    var second = far.link(Service.echo());
    int port = near.expose("redis");
    for (int i = 0; i < 6; i++) {
      var client = near.client(port);
      say(client, "early ");
      say(client, "words");
      assertThat(hear(client, 11)).isEqualTo("early words");
      roundTrip(client, " and more");
    }
    assertThat(second.heard()).isEqualTo("early words and more".repeat(6));
    assertThat(first.askedCount()).isPositive();
  }

  @Test
  void aNodeThatDrainsWaitsForTheConnectionsOfOtherNodesClients() throws Exception {
    far.link(Service.echo());
    var client = near.client(near.expose("redis"));
    roundTrip(client, "hello");
    var drained = far.gateway().drain().toCompletableFuture();
    Patiently.until(
        () -> far.manage("GET", "/readyz").body().contains("draining: 1 connections run out"));
    roundTrip(client, "again");
    assertThat(drained).isNotDone();
    client.shutdownOutput();
    assertThat(client.getInputStream().readAllBytes()).isEmpty();
    Patiently.get(drained);
  }

  @Test
  void anotherNodeServesWhenTheFirstCannotBeReachedOrHasNoLink() throws Exception {
    var third = node("third", settings("third", SECRET, limits(IDLE)), _ -> List.of());
    others.clear();
    others.add(at("far", far.gateway().relayAddress()));
    others.add(at("third", third.gateway().relayAddress()));
    try (var closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      others.add(
          at(
              "gone",
              new InetSocketAddress(InetAddress.getLoopbackAddress(), closed.getLocalPort())));
    }
    third.link(Service.echo());
    int port = near.expose("redis");
    for (int i = 0; i < 20; i++) {
      try (var client = near.client(port)) {
        roundTrip(client, "hello");
      }
    }
    assertThat(near.metric("penstock_gateway_clients_refused_total{reason=\"no_link\"}")).isZero();
  }

  @Test
  void aNodeThatDoesNotAnswerCostsItsClientsABoundedWaitAndTheyGoOn() throws Exception {
    var agent = far.link(Service.echo());
    try (var mute = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      others.clear();
      others.add(at("mute", (InetSocketAddress) mute.getLocalSocketAddress()));
      others.add(
          new RemoteNode("far", at("far", far.gateway().relayAddress()).relay(), 1, 1_000_000));
      roundTrip(near.client(near.expose("redis")), "hello");
      assertThat(near.metric("penstock_gateway_relay_connects_failed_total")).isEqualTo(1);
      assertThat(agent.askedCount()).isEqualTo(1);
    }
  }

  @Test
  void aClientWhoseNodeGoesAwayBeforeTheFirstByteIsServedOverAnother() throws Exception {
    var third = node("third", settings("third", SECRET, limits(IDLE)), _ -> List.of());
    var silent = far.link(Service.silent());
    third.link(Service.echo());
    try (var cutter = new Cutter(far.gateway().relayAddress().getPort())) {
      others.clear();
      others.add(at("far", cutter.address()));
      int port = near.expose("redis");
      var client = near.client(port);
      say(client, "early words");
      Patiently.until(() -> silent.heard().equals("early words"));
      others.add(at("third", third.gateway().relayAddress()));
      cutter.cut();
      assertThat(hear(client, 11)).isEqualTo("early words");
      roundTrip(client, " and more");
    }
  }

  @Test
  void aClientThatLeavesDuringTheDialIsForgottenEverywhere() throws Exception {
    var agent = far.link(Service.silent());
    var client = near.client(near.expose("redis"));
    say(client, "hello");
    Patiently.until(() -> agent.heard().equals("hello"));
    client.setSoLinger(true, 0);
    client.close();
    assertThat(agent.awaitFirstStreamEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
    near.awaitMetric("penstock_gateway_active_streams", 0);
    near.awaitMetric(relay("active_streams", "end=\"out\""), 0);
    far.awaitMetric(relay("active_streams", "end=\"in\""), 0);
  }

  @Test
  void aClientIsResetWhenNoNodeCanBeReached() throws Exception {
    others.clear();
    try (var closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      others.add(
          at(
              "gone",
              new InetSocketAddress(InetAddress.getLoopbackAddress(), closed.getLocalPort())));
    }
    int port = near.expose("redis");
    assertNewClientIsReset(port);
    near.awaitMetric("penstock_gateway_relay_connects_failed_total", 1);
  }

  @Test
  void aLinkHereIsPreferred() throws Exception {
    var there = far.link(Service.echo());
    var here = near.link(Service.echo());
    int port = near.expose("redis");
    for (int i = 0; i < 10; i++) {
      roundTrip(near.client(port), "hello");
    }
    assertThat(here.askedCount()).isEqualTo(10);
    assertThat(there.askedCount()).isZero();
  }

  @Test
  void linksOnEveryEventLoopOfTheOtherNodeAreUsed() throws Exception {
    var agents = List.of(far.link(Service.echo()), far.link(Service.echo()));
    agents.getFirst().awaitHello();
    int port = near.expose("redis");
    for (int i = 0; i < 20; i++) {
      roundTrip(near.client(port), "hello");
    }
    assertThat(agents).allMatch(agent -> agent.askedCount() > 0);
  }

  @Test
  void stalledReadersStayWithinTheBudgetsAndStopNobodyElse() throws Exception {
    far.link(
        new Service() {
          @Override
          public Flow<ByteBuffer, ByteBuffer, org.apache.pekko.NotUsed> connect(FakeAgent agent) {
            return Service.endless(16 * 1024).connect(agent);
          }
        });
    int port = near.expose("endless");
    var stalled = new ArrayList<Socket>();
    for (int i = 0; i < 200; i++) {
      var client = near.client(port);
      assertThat(client.getInputStream().read()).isZero();
      stalled.add(client);
    }
    near.awaitMetric("penstock_gateway_active_streams", 200);
    var reader = near.client(port);
    assertThat(reader.getInputStream().readNBytes(20 * 1024 * 1024)).hasSize(20 * 1024 * 1024);
    for (GatewayLab lab : List.of(near, far)) {
      assertThat(lab.metric("penstock_gateway_budget_used_bytes"))
          .isLessThanOrEqualTo(lab.metric("penstock_gateway_budget_limit_bytes"));
    }
    for (Socket client : stalled) {
      client.close();
    }
    near.awaitMetric("penstock_gateway_active_streams", 1);
  }

  @Test
  void aLinkThatIsCutTakesItsStreamsAlongAndNoOthers() throws Exception {
    far.link(Service.bulkEcho());
    try (var cutter = new Cutter(far.gateway().relayAddress().getPort())) {
      others.clear();
      others.add(at("far", cutter.address()));
      int port = near.expose("redis");
      var client = near.client(port);
      roundTrip(client, "hello");
      int before = near.expose("here");
      near.link(Service.bulkEcho());
      var here = near.client(before);
      roundTrip(here, "hello");
      say(client, "under load".repeat(10_000));
      cutter.cut();
      assertThatThrownBy(() -> client.getInputStream().readAllBytes())
          .isInstanceOf(SocketException.class);
      roundTrip(here, "still here");
      near.awaitMetric("penstock_gateway_streams_ended_total{reason=\"link_lost\"}", 1);
      near.awaitMetric(relay("links", "end=\"out\""), 0);
      far.awaitMetric(relay("active_streams", "end=\"in\""), 0);
    }
  }

  @Test
  void aLinkComesBackWithTheNextClientAfterItWasCut() throws Exception {
    far.link(Service.echo());
    try (var cutter = new Cutter(far.gateway().relayAddress().getPort())) {
      others.clear();
      others.add(at("far", cutter.address()));
      int port = near.expose("redis");
      roundTrip(near.client(port), "hello");
      cutter.cut();
      near.awaitMetric(relay("links", "end=\"out\""), 0);
      roundTrip(near.client(port), "hello");
    }
  }

  @Test
  void anIdleLinkIsClosedAndOpenedAgainOnDemand() throws Exception {
    far.link(Service.echo());
    int port = near.expose("redis");
    try (var client = near.client(port)) {
      roundTrip(client, "hello");
      assertThat(far.metric(relay("links", "end=\"in\""))).isPositive();
    }
    near.awaitMetric(relay("links", "end=\"out\""), 0);
    far.awaitMetric(relay("links", "end=\"in\""), 0);
    roundTrip(near.client(port), "hello");
  }

  @Test
  void aNodeWithAnotherSecretIsRefusedAndItsClientIsReset() throws Exception {
    var stranger =
        node(
            "stranger",
            settings("stranger", Secret.of("another secret"), limits(IDLE)),
            _ -> List.copyOf(others));
    far.link(Service.echo());
    int port = stranger.expose("redis");
    assertThatThrownBy(() -> stranger.client(port).getInputStream().read())
        .isInstanceOf(SocketException.class);
    far.awaitMetric(relay("rejected_total", "reason=\"wrong_secret\""), 1);
    assertThat(far.metric(relay("links", "end=\"in\""))).isZero();
    assertThat(stranger.metric("penstock_gateway_relay_connects_failed_total")).isPositive();
  }

  private Socket stranger() throws IOException {
    var socket =
        new Socket(InetAddress.getLoopbackAddress(), far.gateway().relayAddress().getPort());
    owned.add(socket);
    socket.setSoTimeout(10_000);
    return socket;
  }

  @ParameterizedTest
  @ValueSource(strings = {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "X"})
  void aForeignProcessIsToldWhereItIsAndClosed(String greeting) throws Exception {
    var socket = stranger();
    socket.getOutputStream().write(greeting.getBytes(US_ASCII));
    assertThat(new String(socket.getInputStream().readAllBytes(), UTF_8))
        .contains("nodes of a penstock gateway");
    far.awaitMetric(relay("rejected_total", "reason=\"foreign\""), 1);
  }

  @ParameterizedTest
  @CsvSource({"65535, too_long", "1, malformed", "0, malformed"})
  void aMessageThatIsNoHelloIsRefused(int length, String reason) throws Exception {
    var socket = stranger();
    var out = new DataOutputStream(socket.getOutputStream());
    out.writeInt(0x50535201);
    out.writeShort(length);
    out.write(new byte[Math.min(length, 2000)]);
    out.flush();
    assertThat(socket.getInputStream().readAllBytes()).isNotEmpty();
    far.awaitMetric(relay("rejected_total", "reason=\"" + reason + "\""), 1);
  }

  @Test
  void oneThatSaysNothingIsClosedInTimeAndTooManyOfThemAtOnce() throws Exception {
    var silent = List.of(stranger(), stranger());
    assertThat(silent).hasSize(2);
    var third = stranger();
    assertThatThrownBy(
            () -> {
              if (third.getInputStream().read() < 0) {
                throw new SocketException("closed");
              }
            })
        .isInstanceOf(SocketException.class);
    far.awaitMetric(relay("rejected_total", "reason=\"too_many_handshakes\""), 1);
    for (Socket socket : silent) {
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    }
    far.awaitMetric(relay("rejected_total", "reason=\"timed_out\""), 2);
    far.link(Service.echo());
    roundTrip(near.client(near.expose("redis")), "hello");
  }

  @ParameterizedTest
  @ValueSource(strings = {"ours", "dial-status only", "original"})
  void datagramsAreRelayedWholeToAgentsOfEveryKind(String kind) throws Exception {
    Set<Capability> capabilities =
        switch (kind) {
          case "ours" ->
              EnumSet.of(Capability.UDP_FRAMES, Capability.DIAL_STATUS, Capability.CALLER_ADDRESS);
          case "dial-status only" -> EnumSet.of(Capability.DIAL_STATUS);
          default -> Set.of();
        };
    agent(
        far,
        capabilities.contains(Capability.DIAL_STATUS) ? Service.echo() : Service.plainEcho(),
        capabilities);
    int port = near.expose(TunnelRegistration.of(Protocol.UDP, "udp-dns", "dns", 53));
    try (var client = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      client.setSoTimeout(10_000);
      for (int size : new int[] {1, 512, 1_472, 9_000, 30_000}) {
        byte[] datagram = new byte[size];
        new SplittableRandom(size).nextBytes(datagram);
        client.send(new DatagramPacket(datagram, size, InetAddress.getLoopbackAddress(), port));
        var heard = new DatagramPacket(new byte[70_000], 70_000);
        client.receive(heard);
        assertThat(Arrays.copyOf(heard.getData(), heard.getLength())).isEqualTo(datagram);
      }
    }
    assertThat(far.metric(relay("active_streams", "end=\"in\""))).isEqualTo(1);
  }

  @Test
  void aFlowThatNoAgentCanCarryIsGivenBackAndCounted() throws Exception {
    agent(
        far,
        Service.refusing(DialStatus.Code.UNKNOWN_TUNNEL, ""),
        EnumSet.of(Capability.UDP_FRAMES, Capability.DIAL_STATUS));
    int port = near.expose(TunnelRegistration.of(Protocol.UDP, "udp-dns", "dns", 53));
    try (var client = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      client.send(new DatagramPacket(new byte[10], 10, InetAddress.getLoopbackAddress(), port));
      near.awaitMetric("penstock_gateway_udp_dropped_total{reason=\"dial_failed\"}", 1);
    }
    near.awaitMetric("penstock_gateway_udp_active_sessions", 0);
    far.awaitMetric(relay("active_streams", "end=\"in\""), 0);
  }

  @Test
  void aClientFirstUploadPassesToAnAgentThatReportsNoDial() throws Exception {
    var agent = agent(far, Service.plainEcho(), Set.of());
    var client = near.client(near.expose("upload"));
    var text = "x".repeat(100_000);
    roundTrip(client, text);
    client.shutdownOutput();
    assertThat(client.getInputStream().readAllBytes()).isEmpty();
    assertThat(agent.heard()).hasSize(100_000);
  }

  @Test
  void aSilentEndOfAnAgentThatReportsNoDialResetsTheClient() throws Exception {
    agent(far, Service.ending(""), Set.of());
    assertNewClientIsReset(near.expose("redis"));
  }

  /// Something between two nodes that can cut what goes through it.
  private static final class Cutter implements AutoCloseable {
    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final List<Socket> open = new CopyOnWriteArrayList<>();

    Cutter(int to) throws IOException {
      Thread.ofVirtual()
          .start(() -> {
            try {
              while (true) {
                var in = server.accept();
                var out = new Socket(InetAddress.getLoopbackAddress(), to);
                open.add(in);
                open.add(out);
                pump(in, out);
                pump(out, in);
              }
            } catch (IOException _) {
              // Closed.
            }
          });
    }

    private static void pump(Socket from, Socket to) {
      Thread.ofVirtual()
          .start(() -> {
            try (from;
                to) {
              from.getInputStream().transferTo(to.getOutputStream());
            } catch (IOException _) {
              // Cut.
            }
          });
    }

    InetSocketAddress address() {
      return (InetSocketAddress) server.getLocalSocketAddress();
    }

    void cut() throws IOException {
      for (Socket socket : open) {
        socket.close();
      }
      open.clear();
    }

    @Override
    public void close() throws IOException {
      server.close();
      cut();
    }
  }
}
