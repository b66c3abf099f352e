package dev.penstock.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.Secret;
import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.links.GatewayLink;
import dev.penstock.gateway.links.LinkPort;
import dev.penstock.gateway.links.LinkSupervisor;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.net.HttpPort;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.SpawnProtocol;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.stream.SystemMaterializer;
import org.apache.pekko.stream.javadsl.Flow;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Links of a gateway that waits less long for `gateway_hello_ack` than a whole one does.
class HelloTest {
  private final NodeSystem node = NodeSystem.start("links", 1);
  private String url;

  @BeforeEach
  void listen() {
    var budget = new ByteBudget(1 << 20);
    var meters = new GatewayMeters(new PrometheusRegistry(), budget);
    var badPeers = new BadPeers(meters);
    ActorRef<LinkSupervisor.Command> supervisor =
        Patiently.get(
            AskPattern.<SpawnProtocol.Command, ActorRef<LinkSupervisor.Command>>ask(
                node.actors(),
                replyTo ->
                    new SpawnProtocol.Spawn<>(
                        LinkSupervisor.create(
                            new GatewayLink.Shared(
                                new Links(1),
                                LinkSettings.defaults(),
                                Duration.ofSeconds(10),
                                Duration.ofMillis(300),
                                budget,
                                meters,
                                badPeers,
                                SystemMaterializer.get(node.actors()).materializer())),
                        "supervisor",
                        Props.empty(),
                        replyTo),
                Duration.ofSeconds(10),
                node.actors().scheduler()));
    var port =
        new LinkPort(
            new Tokens(Map.of(Secret.of("s3cret"), "lab")),
            null,
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

  @Test
  void anAgentThatDoesNotAnswerTheHelloIsClosed() {
    assertThat(FakeAgent.openMute(node, url, "s3cret").awaitEnd().detail())
        .isEqualTo("code 1008: no gateway_hello_ack within 300 ms");
  }

  @Test
  void registeringOnTheGatewaySocketIsNoAnswerToTheHello() {
    var agent = FakeAgent.openMute(node, url, "s3cret");
    agent
        .link()
        .send(new Register("1", "agent-1", "lab", "1", "host", Map.of(), Map.of(), Set.of(), ""));
    assertThat(agent.awaitEnd().detail())
        .isEqualTo("code 1008: no gateway_hello_ack within 300 ms");
  }
}
