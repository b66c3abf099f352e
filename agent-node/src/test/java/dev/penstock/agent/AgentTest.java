package dev.penstock.agent;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.FakeGateway.FakeLink;
import dev.penstock.agent.FakeGateway.Greeting;
import dev.penstock.agent.FakeGateway.Heartbeats;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.management.Scrape;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.link.StreamEnd;
import dev.penstock.protocol.net.ProxyHeader;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.Kill;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AgentTest {
  private static final String REDIS = "{name: redis, port: 6379, target: \"127.0.0.1:6379\"}";
  private static final String REDIS_TUNNEL = "tcp-lab-redis-6379";
  private static final String REDIS_MISSING = "tunnel redis is not confirmed by the gateway";

  @TempDir Path directory;

  private final BlockingQueue<String> reachable = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> refused = new LinkedBlockingQueue<>();
  private final List<Closeable> owned = new ArrayList<>();
  private FakeGateway gateway;
  private Agent agent;

  @AfterEach
  void end() throws IOException {
    if (agent != null) {
      agent.close();
    }
    for (Closeable closeable : owned.reversed()) {
      closeable.close();
    }
  }

  private FakeGateway startGateway() {
    gateway = owned(FakeGateway.start());
    return gateway;
  }

  private <T extends Closeable> T owned(T closeable) {
    owned.add(closeable);
    return closeable;
  }

  private void startAgent(int links, String services) throws IOException {
    startAgent(gateway.port(), links, services);
  }

  private void startAgent(int gatewayPort, int links, String tunnels) throws IOException {
    var settings =
        AgentSettings.load(
            Files.writeString(
                directory.resolve("agent.yaml"),
                """
                pipeops: {api_url: "http://127.0.0.1:%d", token: s3cret}
                agent: {id: agent-1, links: {count: %d}, event_loops: 2}
                tunnels: {%s}
                management: {listen: "127.0.0.1:0"}
                """
                    .formatted(
                        gatewayPort,
                        links,
                        tunnels.startsWith("{") ? "services: [" + tunnels + "]" : tunnels)),
            Map.of());
    agent = Agent.start(settings, new Agent.Announcements(reachable::add, refused::add));
  }

  private static String service(String name, int port, int target) {
    return "{name: %s, port: %d, target: \"127.0.0.1:%d\"}".formatted(name, port, target);
  }

  private static ServerSocket server() throws IOException {
    return new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
  }

  private String management(String path) {
    return Scrape.page(agent.managementAddress().getPort(), path);
  }

  private void awaitReadiness(String what) {
    Patiently.until(() -> management("/readyz").contains(what));
  }

  private static String next(BlockingQueue<String> queue) throws InterruptedException {
    return queue.poll(20, TimeUnit.SECONDS);
  }

  @Test
  void anAgentRegistersLinksAndTellsWhatCanBeReached() throws Exception {
    startGateway();
    startAgent(2, REDIS);
    var controller = gateway.nextUpgrade();
    assertThat(controller.path()).isEqualTo(FakeGateway.CONTROLLER_PATH);
    assertThat(controller.authorization()).isEqualTo("Bearer s3cret");
    var register = gateway.nextRegister();
    assertThat(register.agentId()).isEqualTo("agent-1");
    for (int i = 0; i < 2; i++) {
      gateway.nextLink();
      var upgrade = gateway.nextUpgrade();
      assertThat(upgrade.path()).isEqualTo("/ws");
      assertThat(upgrade.authorization()).isEqualTo("Bearer s3cret");
      assertThat(upgrade.query())
          .containsEntry("cluster_uuid", List.of("lab"))
          .containsEntry(
              Capability.QUERY_PARAMETER,
              List.of("udp-frames,dial-status,caller-address,drain,credits,nodes,canary"));
    }
    var asked = gateway.nextAsked();
    assertThat(asked.path()).isEqualTo("/api/v1/clusters/agent/lab/tunnels");
    assertThat(asked.registration().tunnelId()).isEqualTo(REDIS_TUNNEL);
    assertThat(asked.registration().gatewayPort()).isEqualTo(6379);
    asked.take();
    assertThat(next(reachable)).isEqualTo("redis  tcp  127.0.0.1:16379 -> 127.0.0.1:6379");
    assertThat(gateway.askedCount()).isZero();
  }

  private static final String TWO = REDIS + ", {name: dns, port: 53, target: \"127.0.0.1:53\"}";

  @Test
  void severalTunnelsAreRegisteredInOneCall() throws Exception {
    startGateway().serve(FakeGateway.Syncs.SERVED);
    startAgent(1, TWO);
    var sync = gateway.nextSync();
    assertThat(sync.path()).isEqualTo("/api/v1/clusters/agent/lab/tunnels/sync");
    assertThat(sync.sync().clusterUuid()).isEqualTo("lab");
    assertThat(sync.tunnels())
        .extracting(TunnelRegistration::tunnelId)
        .containsExactly(REDIS_TUNNEL, "tcp-lab-dns-53");
    assertThat(sync.tunnels()).allMatch(TunnelRegistration::hasService);
    sync.take(Map.of());
    assertThat(List.of(next(reachable), next(reachable)))
        .containsExactlyInAnyOrder(
            "redis  tcp  127.0.0.1:16379 -> 127.0.0.1:6379",
            "dns  tcp  127.0.0.1:10053 -> 127.0.0.1:53");
    awaitReadiness("ready");
    assertThat(gateway.askedCount()).isZero();
  }

  @Test
  void aTunnelThatASyncRejectsIsToldWithItsReasonAndTriedAgainByItself() throws Exception {
    startGateway().serve(FakeGateway.Syncs.SERVED);
    startAgent(1, TWO);
    gateway.nextSync().take(Map.of(REDIS_TUNNEL, "public port: 16379 is taken"));
    assertThat(next(reachable)).startsWith("dns  tcp");
    awaitReadiness(REDIS_MISSING + ": public port: 16379 is taken");
    var asked = gateway.nextAsked();
    assertThat(asked.registration().tunnelId()).isEqualTo(REDIS_TUNNEL);
    asked.take();
    assertThat(next(reachable)).startsWith("redis  tcp");
  }

  @Test
  void aSyncThatFailsIsTriedAgain() throws Exception {
    startGateway().serve(FakeGateway.Syncs.SERVED);
    startAgent(1, TWO);
    gateway.nextSync().refuse(503);
    gateway.nextSync().take(Map.of());
    assertThat(next(reachable)).isNotNull();
  }

  @Test
  void aGatewayWithoutSyncIsAskedForEachTunnel() throws Exception {
    startGateway();
    startAgent(1, TWO);
    gateway.nextAsked().take();
    gateway.nextAsked().take();
    assertThat(List.of(next(reachable), next(reachable))).hasSize(2);
  }

  @Test
  void aLinkThatEndsByAFaultIsOpenedAgain() throws Exception {
    startGateway();
    startAgent(1, REDIS);
    var link = gateway.nextLink();
    gateway.nextAsked().take();
    assertThat(next(reachable)).startsWith("redis  tcp");
    kill("/user/supervisor/link-1");
    link.awaitEnd();
    gateway.nextLink();
    gateway.nextAsked().take();
    awaitReadiness("ready");
    assertThat(management("/metrics"))
        .contains("penstock_agent_links_crashed_total 1.0", "penstock_agent_links 1.0");
  }

  /// Has an actor fail, as a fault in it would.
  private void kill(String path) {
    agent
        .actors()
        .classicSystem()
        .actorSelection(path)
        .tell(Kill.getInstance(), ActorRef.noSender());
  }

  @Test
  void readinessTellsWhatIsMissingUntilNothingIs() throws Exception {
    startGateway().refuseUpgrades(503);
    startAgent(1, REDIS);
    awaitReadiness("not registered at the gateway");
    awaitReadiness(REDIS_MISSING);
    gateway.greet(Greeting.NONE);
    gateway.refuseUpgrades(0);
    var asked = gateway.nextAsked();
    awaitReadiness("no link to the gateway");
    asked.take();
    Patiently.until(() -> !management("/readyz").contains(REDIS_MISSING));
    gateway.greet(Greeting.HELLO);
    gateway.nextUnreadyLink().cut();
    gateway.nextLink();
    Patiently.until(() -> !management("/readyz").contains("no link"));
    assertThat(next(reachable)).startsWith("redis  tcp");
  }

  @Test
  void anAgentIsReadyOnlyOnceTheGatewayHasItsLinkOnItsList() throws Exception {
    startGateway().hear(Heartbeats.HEARD);
    startAgent(1, REDIS);
    gateway.nextAsked().take();
    var link = gateway.nextLink();
    assertThat(link.nextSaid()).isInstanceOf(ControlMessage.Heartbeat.class);
    link.tell(new ControlMessage.Ping("behind the hello", ""));
    assertThat(link.nextSaid()).isInstanceOf(ControlMessage.Pong.class);
    awaitReadiness("no link to the gateway");
    Patiently.until(() -> !management("/readyz").contains(REDIS_MISSING));
    assertThat(management("/readyz")).contains("no link to the gateway");
    assertThat(reachable).isEmpty();
    link.tell(new ControlMessage.HeartbeatAck());
    assertThat(next(reachable)).startsWith("redis  tcp");
    Patiently.until(() -> !management("/readyz").contains("no link"));
  }

  @Test
  void aGatewayThatAsksForALinkElsewhereHasItOnItsList() throws Exception {
    startGateway().hear(Heartbeats.HEARD);
    gateway.isNode("a", List.of(gateway.asNode("a")));
    startAgent(1, REDIS);
    gateway.nextLink().tell(new ControlMessage.Drain());
    gateway.nextLink();
  }

  @Test
  void aGatewayThatIsNotThereAtTheStartIsFoundWhenItComes() throws Exception {
    int port;
    try (var taken = server()) {
      port = taken.getLocalPort();
    }
    startAgent(port, 1, REDIS);
    awaitReadiness("not registered at the gateway");
    gateway = owned(FakeGateway.startAt(port));
    gateway.nextAsked().take();
    assertThat(next(reachable)).isNotNull();
    assertThat(refused).isEmpty();
  }

  @Test
  void aRefusedTokenIsToldAndNotTriedAgain() throws Exception {
    startGateway().refuseUpgrades(401);
    startAgent(1, REDIS);
    assertThat(next(refused)).contains("401", "as told");
    assertThat(reachable).isEmpty();
  }

  @Test
  void aLinksUrlThatCannotBeUsedIsAskedForAgain() throws Exception {
    startGateway();
    for (String url :
        List.of("http://127.0.0.1/ws", "ws:nowhere", "wss://127.0.0.1/ws", "ws://a b")) {
      gateway.linksUrl(url);
      if (agent == null) {
        startAgent(1, REDIS);
      }
      gateway.nextRegister();
    }
    gateway.linksUrl("ws://127.0.0.1:" + gateway.port());
    assertThat(gateway.nextLink()).isNotNull();
  }

  @Test
  void aTunnelThatTheGatewayCannotTakeNowIsRegisteredAgain() throws Exception {
    startGateway();
    startAgent(1, REDIS);
    gateway.nextLink();
    gateway.nextAsked().refuse(503);
    gateway.nextAsked().refuse(409);
    assertThat(reachable).isEmpty();
    gateway.nextAsked().take();
    assertThat(next(reachable)).startsWith("redis  tcp");
  }

  @Test
  void tunnelsThatAreSwitchedOffAreNeitherRegisteredNorServed() throws Exception {
    try (var service = ServerSocketChannel.open()) {
      service.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      service.configureBlocking(false);
      int target = ((InetSocketAddress) service.getLocalAddress()).getPort();
      startGateway();
      startAgent(1, "enabled: false, services: [" + service("redis", 6379, target) + "]");
      var stream = gateway.nextLink().open(REDIS_TUNNEL, target);
      assertThat(stream.awaitEnd().dial().code()).isEqualTo(DialStatus.Code.UNKNOWN_TUNNEL);
      assertThat(service.accept()).isNull();
      assertThat(gateway.askedCount()).isZero();
      assertThat(management("/readyz")).doesNotContain("tunnel");
    }
  }

  @Test
  void aStreamIsJoinedWithItsService() throws Exception {
    try (var service = server()) {
      startGateway();
      startAgent(1, service("redis", 6379, service.getLocalPort()));
      var stream = gateway.nextLink().open(REDIS_TUNNEL, 1);
      stream.say("ping");
      try (Socket accepted = service.accept()) {
        stream.awaitConnected();
        assertThat(new String(accepted.getInputStream().readNBytes(4), US_ASCII)).isEqualTo("ping");
        accepted.getOutputStream().write("pong".getBytes(US_ASCII));
        stream.awaitHeard("pong");
      }
    }
  }

  private String proxied(int port, String version) {
    return service("redis", 6379, port).replace("}", ", proxy_protocol: " + version + "}");
  }

  @Test
  void aServiceThatWantsToKnowIsToldWhoCallsBeforeTheClientSpeaks() throws Exception {
    var caller =
        new CallerAddress(
            new InetSocketAddress(InetAddress.ofLiteral("192.0.2.7"), 51234),
            new InetSocketAddress(InetAddress.ofLiteral("198.51.100.1"), 16379));
    String line = "PROXY TCP4 192.0.2.7 198.51.100.1 51234 16379\r\n";
    try (var service = server()) {
      startGateway();
      startAgent(1, proxied(service.getLocalPort(), "v1"));
      var link = gateway.nextLink();
      var stream = link.open(REDIS_TUNNEL, 1, caller);
      try (Socket accepted = service.accept()) {
        // A service that speaks first waits for nothing but the header.
        assertThat(said(accepted, line.length())).isEqualTo(line);
        stream.say("ping");
        assertThat(said(accepted, 4)).isEqualTo("ping");
        accepted.getOutputStream().write("pong".getBytes(US_ASCII));
        stream.awaitHeard("pong");
      }
      link.open(REDIS_TUNNEL, 1);
      try (Socket accepted = service.accept()) {
        assertThat(said(accepted, 15)).isEqualTo("PROXY UNKNOWN\r\n");
      }
    }
  }

  @Test
  void theCallerIsToldInTheSecondVersionToo() throws Exception {
    var caller =
        new CallerAddress(
            new InetSocketAddress(InetAddress.ofLiteral("2001:db8::7"), 51234),
            new InetSocketAddress(InetAddress.ofLiteral("2001:db8::1"), 16379));
    try (var service = server()) {
      startGateway();
      startAgent(1, proxied(service.getLocalPort(), "v2"));
      var link = gateway.nextLink();
      for (var said : new CallerAddress[] {caller, null}) {
        var stream = link.open(REDIS_TUNNEL, 1, said);
        stream.say("ping");
        byte[] header = ProxyHeader.V2.ofConnection(said).orElseThrow().array();
        try (Socket accepted = service.accept()) {
          assertThat(accepted.getInputStream().readNBytes(header.length)).isEqualTo(header);
          assertThat(said(accepted, 4)).isEqualTo("ping");
        }
      }
    }
  }

  private static String said(Socket accepted, int length) throws IOException {
    accepted.setSoTimeout(10_000);
    return new String(accepted.getInputStream().readNBytes(length), US_ASCII);
  }

  @Test
  void theGatewayIsToldWhoMayConnect() throws Exception {
    startGateway();
    startAgent(
        1,
        REDIS.replace(
            "}",
            ", access: {allow: [10.0.0.0/8], deny: 10.1.2.3, new_connections_per_second: 5}}"));
    assertThat(gateway.nextAsked().registration().annotations())
        .containsExactly(
            Map.entry("penstock.dev/allow", "10.0.0.0/8"),
            Map.entry("penstock.dev/deny", "10.1.2.3/32"),
            Map.entry("penstock.dev/new-connections-per-second", "5"));
  }

  @Test
  void aTunnelThatWasNotRegisteredIsNeverDialled() throws Exception {
    try (var service = ServerSocketChannel.open()) {
      service.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      service.configureBlocking(false);
      int port = ((InetSocketAddress) service.getLocalAddress()).getPort();
      startGateway();
      startAgent(1, REDIS);
      var link = gateway.nextLink();
      for (String id :
          List.of("127.0.0.1:" + port, "tcp-lab-other-" + port, "tcp-other-redis-6379")) {
        var end = link.open(id, port).awaitEnd();
        assertThat(end.cause()).isEqualTo(StreamEnd.Cause.DIAL_FAILED);
        assertThat(end.dial().code()).isEqualTo(DialStatus.Code.UNKNOWN_TUNNEL);
      }
      assertThat(service.accept()).isNull();
      assertThat(management("/metrics"))
          .contains("pipeops_agent_tcp_tunnel_errors_total{error_type=\"unknown_tunnel\"} 3.0");
    }
  }

  @Test
  void aServiceThatRefusesIsReportedAtOnceAndServedWhenItIsBack() throws Exception {
    int port;
    try (var taken = server()) {
      port = taken.getLocalPort();
    }
    startGateway();
    startAgent(1, service("redis", 6379, port));
    var link = gateway.nextLink();
    long best = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      long start = System.nanoTime();
      var end = link.open(REDIS_TUNNEL, 1).awaitEnd();
      best = Math.min(best, System.nanoTime() - start);
      assertThat(end.dial().code()).isEqualTo(DialStatus.Code.REFUSED);
      assertThat(end.dial().text()).contains("127.0.0.1:" + port);
    }
    assertThat(Duration.ofNanos(best)).isLessThan(Duration.ofMillis(100));
    try (var service = new ServerSocket(port, 10, InetAddress.getLoopbackAddress())) {
      var stream = link.open(REDIS_TUNNEL, 1);
      try (Socket accepted = service.accept()) {
        accepted.getOutputStream().write('!');
        stream.awaitHeard("!");
      }
    }
  }

  @Test
  void aLostLinkComesBackAndTheStreamsOfTheOtherGoOn() throws Exception {
    try (var service = server()) {
      startGateway();
      startAgent(2, service("redis", 6379, service.getLocalPort()));
      FakeLink first = gateway.nextLink();
      FakeLink second = gateway.nextLink();
      gateway.nextAsked().take();
      var kept = second.open(REDIS_TUNNEL, 1);
      try (Socket accepted = service.accept()) {
        kept.awaitConnected();
        var lost = first.open(REDIS_TUNNEL, 1);
        try (Socket cut = service.accept()) {
          lost.awaitConnected();
          first.cut();
          cut.setSoTimeout(10_000);
          assertThat(endOf(cut)).isEqualTo("reset");
        }
        gateway.nextLink();
        accepted.getOutputStream().write('!');
        kept.awaitHeard("!");
      }
      assertThat(gateway.askedCount()).isZero();
    }
  }

  private static String endOf(Socket socket) {
    try {
      return "read " + socket.getInputStream().read();
    } catch (IOException e) {
      return String.valueOf(e.getMessage()).contains("reset") ? "reset" : e.toString();
    }
  }

  @Test
  void afterATotalOutageTheTunnelsAreRegisteredAgain() throws Exception {
    startGateway();
    startAgent(2, REDIS);
    gateway.nextLink();
    gateway.nextLink();
    gateway.nextAsked().take();
    assertThat(next(reachable)).isNotNull();
    int port = gateway.port();
    gateway.close();
    awaitReadiness(REDIS_MISSING);
    assertThat(management("/readyz")).contains("no link to the gateway");
    gateway = owned(FakeGateway.startAt(port));
    gateway.nextAsked().take();
    Patiently.until(() -> !management("/readyz").contains(REDIS_MISSING));
    assertThat(reachable).as("told once, for it can be reached where it was").isEmpty();
  }

  @Test
  void aLateRefusalOfAnEarlierOutageDoesNotKeepATunnelFromBeingRegistered() throws Exception {
    var services = new ArrayList<String>();
    for (int i = 0; i < 20; i++) {
      services.add(service("s" + i, 7000 + i, 1));
    }
    startGateway();
    startAgent(1, String.join(", ", services));
    var late = askedForAll(services.size());
    gateway.nextLink().cut();
    gateway.nextLink();
    askedForAll(services.size()).forEach(it -> it.refuse(503));
    late.forEach(it -> it.refuse(503));
    askedForAll(services.size()).forEach(FakeGateway.Asked::take);
    Patiently.until(() -> reachable.size() == services.size());
  }

  private List<FakeGateway.Asked> askedForAll(int count) throws InterruptedException {
    var all = new ArrayList<FakeGateway.Asked>();
    for (int i = 0; i < count; i++) {
      all.add(gateway.nextAsked());
    }
    return all;
  }

  @Test
  void aLinkOnWhichTheGatewaySaysNothingIsGivenUp() throws Exception {
    startGateway().greet(Greeting.NONE);
    startAgent(1, REDIS);
    var silent = gateway.nextUnreadyLink();
    gateway.greet(Greeting.HELLO);
    assertThat(silent.awaitEnd().detail()).contains("no usable gateway_hello");
    gateway.nextLink();
  }

  @RepeatedTest(5)
  void anAgentThatEndsClosesItsLinksInOrder() throws Exception {
    startGateway();
    startAgent(3, REDIS);
    var links = List.of(gateway.nextLink(), gateway.nextLink(), gateway.nextLink());
    agent.close();
    for (FakeLink link : links) {
      assertThat(link.awaitEnd())
          .isEqualTo(new LinkEnd(LinkEnd.Cause.CLOSED_BY_PEER, "code 1001: the agent ends"));
    }
  }
}
