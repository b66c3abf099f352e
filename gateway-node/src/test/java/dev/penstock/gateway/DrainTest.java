package dev.penstock.gateway;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.gateway.FakeAgent.Service;
import dev.penstock.gateway.links.NodeDirectory;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.Drain;
import dev.penstock.protocol.control.ControlMessage.Drained;
import dev.penstock.protocol.control.ControlMessage.GatewayHello;
import dev.penstock.protocol.control.ControlMessage.Nodes;
import dev.penstock.protocol.control.GatewayNode;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.net.Tcp;
import dev.penstock.protocol.net.UpgradeRefused;
import dev.penstock.protocol.net.WebSocketClient;
import dev.penstock.protocol.net.WebSocketSettings;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A node that agents can leave: what it tells them, and how it ends.
class DrainTest {
  private static final Set<Capability> OURS =
      EnumSet.of(Capability.DIAL_STATUS, Capability.DRAIN, Capability.NODES, Capability.CANARY);

  /// What a test says that there is.
  private static final class Directory implements NodeDirectory {
    private final List<Runnable> told = new CopyOnWriteArrayList<>();
    private volatile List<GatewayNode> nodes =
        List.of(new GatewayNode("one", "ws://10.0.0.1/ws"), new GatewayNode("two", ""));

    @Override
    public String self() {
      return "one";
    }

    @Override
    public List<GatewayNode> nodes() {
      return nodes;
    }

    @Override
    public void subscribe(Runnable changed) {
      told.add(changed);
    }

    void become(GatewayNode... all) {
      nodes = List.of(all);
      told.forEach(Runnable::run);
    }
  }

  @TempDir Path directory;
  private final Directory nodes = new Directory();
  private final CompletableFuture<Void> handedOver = new CompletableFuture<>();
  private volatile boolean handOverAsked;
  private GatewayLab lab;

  @BeforeEach
  void start() throws IOException {
    lab =
        GatewayLab.in(directory)
            .surroundings(
                new Gateway.Surroundings(
                    nodes,
                    () -> {
                      handOverAsked = true;
                      return handedOver;
                    }))
            .start();
    handedOver.complete(null);
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  private FakeAgent link(Set<Capability> capabilities, Service service) {
    double before = lab.metric("penstock_gateway_links");
    var agent =
        lab.owned(
            FakeAgent.open(
                lab.agents(),
                url() + "?capabilities=" + Capability.format(capabilities),
                GatewayLab.TOKEN,
                service,
                capabilities));
    agent.awaitHello();
    Patiently.until(() -> lab.metric("penstock_gateway_links") == before + 1);
    return agent;
  }

  private String url() {
    return "ws://127.0.0.1:" + lab.gateway().address().getPort() + "/ws";
  }

  private static <T extends ControlMessage> T next(FakeAgent agent, Class<T> type)
      throws InterruptedException {
    while (true) {
      ControlMessage message = agent.nextMessage();
      assertThat(message).as("the next %s", type).isNotNull();
      if (type.isInstance(message)) {
        return type.cast(message);
      }
    }
  }

  private static void roundTrip(Socket client) throws IOException {
    client.getOutputStream().write("ping".getBytes(US_ASCII));
    assertThat(client.getInputStream().readNBytes(4)).isEqualTo("ping".getBytes(US_ASCII));
  }

  @Test
  void anAgentThatAsksIsToldOfTheNodesAndOfEveryChange() throws Exception {
    var agent = link(OURS, Service.echo());
    GatewayHello hello = next(agent, GatewayHello.class);
    assertThat(hello.node()).isEqualTo("one");
    assertThat(hello.nodes()).isEqualTo(nodes.nodes());
    nodes.become(new GatewayNode("one", ""), new GatewayNode("three", "ws://10.0.0.3/ws"));
    assertThat(next(agent, Nodes.class).nodes()).isEqualTo(nodes.nodes());
  }

  @Test
  void anAgentThatDoesNotAskIsToldNothingNew() throws Exception {
    var agent = link(Set.of(), Service.plainEcho());
    GatewayHello hello = next(agent, GatewayHello.class);
    assertThat(hello.node()).isEmpty();
    assertThat(hello.nodes()).isEmpty();
    nodes.become(new GatewayNode("one", ""));
    int port = lab.expose("redis");
    try (Socket client = lab.client(port)) {
      roundTrip(client);
    }
    lab.gateway().drain().toCompletableFuture().join();
    // It would end the process of an original agent, or puzzle it at least.
    for (ControlMessage message = agent.nextMessageNow();
        message != null;
        message = agent.nextMessageNow()) {
      assertThat(message).isNotInstanceOfAny(Nodes.class, Drain.class, Drained.class);
    }
    assertThat(agent.awaitEnd().detail()).startsWith("code 1001: this node of the gateway ends");
  }

  @Test
  void whatRunsOnADrainedNodeEndsByItself() throws Exception {
    var agent = link(OURS, Service.echo());
    int port = lab.expose("redis");
    try (Socket client = lab.client(port)) {
      roundTrip(client);
      var drained = lab.gateway().drain().toCompletableFuture();
      next(agent, Drain.class);
      assertThat(readiness()).contains("draining: agents are asked");
      try (Socket late = lab.client(port)) {
        // Until the agent has a link elsewhere it is served here.
        roundTrip(late);
      }
      assertThatThrownBy(this::upgrade)
          .isInstanceOfSatisfying(
              UpgradeRefused.class,
              refused -> {
                assertThat(refused.status()).isEqualTo(503);
                assertThat(refused.retryAfter())
                    .isBetween(Duration.ofSeconds(1), Duration.ofSeconds(3));
              });
      agent.link().send(new Drained());
      Patiently.until(() -> !GatewayLab.listens(port));
      assertThat(handOverAsked).isTrue();
      Patiently.until(() -> readiness().contains("draining: 1 connections run out"));
      roundTrip(client);
      assertThat(drained).isNotDone();
      client.shutdownOutput();
      assertThat(client.getInputStream().read()).isEqualTo(-1);
      Patiently.get(drained);
      assertThat(agent.awaitEnd())
          .isEqualTo(
              new LinkEnd(
                  LinkEnd.Cause.CLOSED_BY_PEER, "code 1001: this node of the gateway ends"));
    }
  }

  private void upgrade() throws Throwable {
    try {
      WebSocketClient.connect(
              lab.agents().loops(),
              lab.agents().loops().get(0),
              URI.create(url()),
              Map.of("Authorization", "Bearer " + GatewayLab.TOKEN),
              null,
              WebSocketSettings.defaults())
          .toCompletableFuture()
          .join();
    } catch (CompletionException e) {
      throw Tcp.causeOf(e);
    }
  }

  private String readiness() {
    return lab.send(management("/readyz").build()).body();
  }

  private HttpRequest.Builder management(String path) {
    return HttpRequest.newBuilder(
        URI.create("http://127.0.0.1:" + lab.gateway().managementAddress().getPort() + path));
  }

  @Test
  void anAgentThatHasNoLinkElsewhereYetHoldsUpADrainForAWhileOnly() throws Exception {
    link(OURS, Service.echo());
    long begun = System.nanoTime();
    Patiently.get(lab.gateway().drain());
    assertThat(Duration.ofNanos(System.nanoTime() - begun))
        .isBetween(Duration.ofSeconds(4), Duration.ofSeconds(9));
  }

  @Test
  void anOperatorsCallDrainsAndAWebPagesDoesNot() {
    assertThat(lab.send(management("/drain").build()).statusCode()).isEqualTo(405);
    var fromPage =
        management("/drain")
            .header("Origin", "http://evil.example")
            .POST(HttpRequest.BodyPublishers.noBody())
            .build();
    assertThat(lab.send(fromPage).statusCode()).isEqualTo(403);
    assertThat(readiness()).isEqualTo("ready\n");
    var call = management("/drain").POST(HttpRequest.BodyPublishers.noBody()).build();
    assertThat(lab.send(call).statusCode()).isEqualTo(202);
    Patiently.get(lab.gateway().whenDrained());
  }

  @Test
  void anAgentThatLeavesIsGivenNothingMore() throws Exception {
    var leaving = link(OURS, Service.echo());
    var staying = link(OURS, Service.echo());
    int port = lab.expose("redis");
    leaving.link().send(new Drain());
    next(leaving, Drained.class);
    int before = realStreams(leaving);
    for (int i = 0; i < 10; i++) {
      try (Socket client = lab.client(port)) {
        roundTrip(client);
      }
    }
    assertThat(realStreams(leaving)).isEqualTo(before);
    assertThat(realStreams(staying)).isEqualTo(10);
  }

  private static int realStreams(FakeAgent agent) {
    return (int) agent.allAsked().stream().filter(header -> !header.isCanary()).count();
  }

  @Test
  void aLinkThatServesNoStreamsIsCutWithinTenSecondsAndAnAgentWithoutCanariesIsLeftAlone()
      throws Exception {
    var dead = link(OURS, Service.silent());
    var original = link(Set.of(), Service.plainEcho());
    long begun = System.nanoTime();
    assertThat(dead.awaitEnd().detail()).contains("no canary stream");
    assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(10));
    assertThat(original.askedCount()).isZero();
    lab.awaitMetric("penstock_gateway_links_ended_total{reason=\"canary_timeout\"}", 1);
  }

  @Test
  void aLinkThatServesStreamsProvesIt() {
    link(OURS, Service.echo());
    Patiently.until(() -> lab.metric("penstock_gateway_canaries_total") >= 2);
    assertThat(lab.metric("penstock_gateway_links")).isEqualTo(1);
    assertThat(lab.metric("penstock_gateway_active_streams")).isZero();
  }
}
