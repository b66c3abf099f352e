package dev.penstock.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.Secret;
import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.links.Arrivals;
import dev.penstock.gateway.links.GatewayLink;
import dev.penstock.gateway.links.Handshakes;
import dev.penstock.gateway.links.KubernetesClaims;
import dev.penstock.gateway.links.LinkPort;
import dev.penstock.gateway.links.LinkSupervisor;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.control.CarrierChoice;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.net.HttpPort;
import dev.penstock.protocol.net.UpgradeRefused;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.SpawnProtocol;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.stream.javadsl.Flow;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Links of a gateway that waits less long for `gateway_hello_ack` than a whole one does, and that
/// is left with links to itself.
class HelloTest {
  private final NodeSystem node = NodeSystem.start("links", 1);
  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final Arrivals arrivals = new Arrivals(2, 3);
  private final Links links = new Links(2);
  private String url;
  private FakeAgent newest;

  @BeforeEach
  void listen() {
    var budget = new ByteBudget(1 << 20);
    var meters = new GatewayMeters(registry, budget);
    var badPeers = new BadPeers(meters);
    ActorRef<LinkSupervisor.Command> supervisor =
        Patiently.get(
            AskPattern.<SpawnProtocol.Command, ActorRef<LinkSupervisor.Command>>ask(
                node.actors(),
                replyTo ->
                    new SpawnProtocol.Spawn<>(
                        LinkSupervisor.create(
                            new GatewayLink.Shared(
                                links,
                                arrivals,
                                LinkSettings.defaults(),
                                CarrierChoice.AUTO,
                                GatewayLink.Originals.DEFAULT,
                                Duration.ofSeconds(10),
                                new GatewayLink.HelloPatience(
                                    Duration.ofMillis(300), Duration.ofMinutes(5)),
                                Duration.ZERO,
                                budget,
                                meters,
                                badPeers)),
                        "supervisor",
                        Props.empty(),
                        replyTo),
                Duration.ofSeconds(10),
                node.actors().scheduler()));
    var port =
        new LinkPort(
            new Tokens(Map.of(Secret.of("s3cret"), "lab")),
            null,
            arrivals,
            new Handshakes(100, 100),
            new KubernetesClaims(),
            meters,
            badPeers,
            (accepted, connection) ->
                supervisor.tell(new LinkSupervisor.Connected(accepted, connection)));
    var listener =
        Patiently.get(
            HttpPort.bind(
                node.actors().classicSystem(),
                node.loops(),
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                null,
                WebSocketSettings.defaults(),
                port::answer,
                _ -> Flow.of(HttpRequest.class).map(_ -> HttpResponse.create()),
                (_, _, _) -> {}));
    url = "ws://127.0.0.1:" + listener.address().getPort() + "/ws";
  }

  @AfterEach
  void end() {
    node.close();
  }

  private FakeAgent mute() {
    newest = FakeAgent.openMute(node, url, "s3cret");
    return newest;
  }

  private double fallbacks() {
    return value("penstock_gateway_hello_fallbacks");
  }

  private double value(String name) {
    return sum(name, _ -> true);
  }

  private double rejected(String reason) {
    return sum(
        "penstock_gateway_rejected", point -> reason.equals(point.getLabels().get("reason")));
  }

  private double sum(String name, Predicate<CounterDataPointSnapshot> which) {
    return registry.scrape(name::equals).stream()
        .flatMap(snapshot -> snapshot.getDataPoints().stream())
        .map(CounterDataPointSnapshot.class::cast)
        .filter(which)
        .mapToDouble(CounterDataPointSnapshot::getValue)
        .sum();
  }

  private boolean isLinked() {
    return links.choose("lab", Set.of(), RandomGenerator.getDefault()) != null;
  }

  private static void assertAlive(FakeAgent agent) throws InterruptedException {
    agent.link().send(new ControlMessage.Ping("still", ""));
    ControlMessage answer = agent.nextMessage();
    while (!(answer instanceof ControlMessage.Pong) && answer != null) {
      answer = agent.nextMessage();
    }
    assertThat(answer).isNotNull();
  }

  @Test
  void anAgentThatDoesNotAnswerTheHelloKeepsItsSocketAndGetsNoStreams() throws Exception {
    var agent = mute();
    Patiently.until(() -> fallbacks() == 1);
    assertAlive(agent);
    assertThat(isLinked()).isFalse();
  }

  @Test
  void registeringOnTheGatewaySocketIsNoAnswerToTheHello() {
    var agent = mute();
    agent
        .link()
        .send(new Register("1", "agent-1", "lab", "1", "host", Map.of(), Map.of(), Set.of(), ""));
    Patiently.until(() -> fallbacks() == 1);
    assertThat(isLinked()).isFalse();
  }

  @Test
  void anAnswerThatComesLateIsHonoured() throws Exception {
    var agent = mute();
    Patiently.until(() -> fallbacks() == 1);
    agent.link().accept(new ControlMessage.GatewayHelloAck(true, Set.of()));
    Patiently.until(this::isLinked);
    assertAlive(agent);
  }

  @Test
  void anAgentThatComesBackIsGivenTheLongTime() throws Exception {
    arrivals.linked("lab", System.nanoTime());
    var returned = mute();
    Patiently.until(() -> value("penstock_gateway_sockets_opened") == 1);
    arrivals.linked("lab", System.nanoTime() - Duration.ofMinutes(3).toNanos());
    mute();
    Patiently.until(() -> fallbacks() == 1);
    assertAlive(returned);
    assertThat(fallbacks()).isEqualTo(1);
  }

  @Test
  void aSocketBeyondTheBoundIsRefusedInAWayThatHeals() {
    mute();
    var second = mute();
    assertRefusal(503);
    assertThat(rejected("too_many_links")).isEqualTo(1);
    second.cut();
    Patiently.until(() -> !isRefused());
  }

  @Test
  void aStormOfLinksIsRefusedInAWayThatHeals() {
    Patiently.until(() -> {
      if (!isRefused()) {
        newest.cut();
      }
      return rejected("too_many_handshakes") > 0;
    });
    assertThat(value("penstock_gateway_sockets_opened")).isEqualTo(3);
    assertRefusal(503);
  }

  private boolean isRefused() {
    try {
      mute();
      return false;
    } catch (AssertionError refused) {
      return true;
    }
  }

  private void assertRefusal(int status) {
    assertThatThrownBy(this::mute)
        .hasRootCauseInstanceOf(UpgradeRefused.class)
        .rootCause()
        .hasMessageContaining(String.valueOf(status));
  }

  @Test
  void anAgentThatCanUseNoneOfOurProtocolsIsToldSo() {
    var agent = FakeAgent.openMute(node, url, "s3cret");
    agent.link().send(new ControlMessage.GatewayHelloAck(false, Set.of()));
    assertThat(agent.awaitEnd().detail())
        .isEqualTo(
            "code 1008: no protocol in common for tunnels: this gateway is set to auto and the"
                + " agent uses yamux");
  }
}
