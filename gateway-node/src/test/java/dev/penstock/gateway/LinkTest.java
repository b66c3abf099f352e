package dev.penstock.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.gateway.FakeAgent.Service;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.ControlMessage;
import dev.penstock.protocol.control.ControlMessage.Register;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.link.LinkEnd;
import dev.penstock.protocol.net.UpgradeRefused;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LinkTest {
  private static final String CONTROLLER = "/api/v1/clusters/agent/ws";

  @TempDir Path directory;
  private GatewayLab lab;

  @BeforeEach
  void start() throws IOException {
    lab =
        GatewayLab.in(directory)
            .links("register_timeout: 300ms, max_links_per_cluster: 2, max_text_message: 64KiB")
            .start();
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  private FakeAgent open(String path, String token) {
    return lab.owned(
        FakeAgent.open(
            lab.agents(),
            "ws://localhost:" + lab.gateway().address().getPort() + path,
            token,
            Service.echo(),
            FakeAgent.ALL));
  }

  private static String rejected(String reason) {
    return "penstock_gateway_rejected_total{reason=\"" + reason + "\"}";
  }

  @Test
  void anAgentThatRegistersIsToldItsClusterAndWhereToLink() throws Exception {
    var agent = open(CONTROLLER, GatewayLab.TOKEN);
    agent
        .link()
        .send(
            new Register(
                "req_1", "agent-1", "lab", "1.0", "host", Map.of(), Map.of(), Set.of(), ""));
    assertThat(agent.nextMessage())
        .isEqualTo(
            new ControlMessage.RegisterSuccess(
                "req_1",
                "lab",
                "lab",
                "lab",
                "registered",
                null,
                "ws://localhost:" + lab.gateway().address().getPort() + "/ws"));
    assertThat(lab.metric("penstock_gateway_links")).isZero();
  }

  @Test
  void aHeartbeatOnTheControllerSocketIsASignThatTheAgentWasRegisteredBefore() throws Exception {
    var agent = open(CONTROLLER, GatewayLab.TOKEN);
    agent
        .link()
        .send(new ControlMessage.Heartbeat("lab", "agent-1", "healthy", "connected", "1.0"));
    assertThat(agent.nextMessage()).isEqualTo(new ControlMessage.HeartbeatAck());
    var other = open(CONTROLLER, GatewayLab.TOKEN);
    assertThat(other.awaitEnd().detail()).contains("no register message");
    agent.link().send(new ControlMessage.Ping("still there", ""));
    assertThat(agent.nextMessage()).isInstanceOf(ControlMessage.Pong.class);
  }

  @Test
  void anAgentThatDoesNotRegisterInTimeIsClosedAndCounted() {
    var end = open(CONTROLLER, GatewayLab.TOKEN).awaitEnd();
    assertThat(end)
        .isEqualTo(
            new LinkEnd(
                LinkEnd.Cause.CLOSED_BY_PEER, "code 1008: no register message within 300 ms"));
    assertThat(lab.metric(rejected("not_registered_in_time"))).isEqualTo(1);
    assertThat(lab.metric("penstock_gateway_links_ended_total{reason=\"closed\"}")).isZero();
  }

  @Test
  void aLinkIsOfferedYamuxAndCountsOnceItIsAccepted() throws Exception {
    var agent = lab.link(Service.echo());
    assertThat(agent.nextMessage())
        .isInstanceOfSatisfying(
            ControlMessage.GatewayHello.class,
            hello -> {
              assertThat(hello.useYamux()).isTrue();
              assertThat(hello.capabilities())
                  .containsExactlyInAnyOrder(
                      Capability.UDP_FRAMES,
                      Capability.DIAL_STATUS,
                      Capability.CALLER_ADDRESS,
                      Capability.CREDITS,
                      Capability.DRAIN,
                      Capability.NODES,
                      Capability.CANARY);
            });
    assertThat(lab.metric("penstock_gateway_links")).isEqualTo(1);
  }

  @Test
  void signsOfLifeAreAnswered() throws Exception {
    var agent = lab.link(Service.echo());
    agent.nextMessage();
    agent
        .link()
        .send(new ControlMessage.Heartbeat("lab", "agent-1", "healthy", "connected", "1.0"));
    assertThat(agent.nextMessage()).isEqualTo(new ControlMessage.HeartbeatAck());
    agent.link().send(new ControlMessage.Ping("req_2", "now"));
    assertThat(agent.nextMessage())
        .isInstanceOfSatisfying(
            ControlMessage.Pong.class, pong -> assertThat(pong.requestId()).isEqualTo("req_2"));
  }

  @Test
  void oneLinkTooManyIsSentAwayUntilAnotherEnds() {
    var first = lab.link(Service.echo());
    lab.link(Service.echo());
    assertThatThrownBy(() -> open("/ws", GatewayLab.TOKEN)).rootCause().hasMessageContaining("503");
    assertThat(lab.metric(rejected("too_many_links"))).isEqualTo(1);
    assertThat(lab.metric("penstock_gateway_links")).isEqualTo(2);
    first.cut();
    lab.awaitMetric("penstock_gateway_links", 1);
    lab.link(Service.echo());
  }

  @Test
  void anUpgradeWithoutAKnownTokenOrPathIsRefused() {
    assertThatThrownBy(() -> open("/ws", "wrong"))
        .hasRootCauseInstanceOf(UpgradeRefused.class)
        .rootCause()
        .hasMessageContaining("401");
    assertThatThrownBy(() -> open("/other", GatewayLab.TOKEN))
        .rootCause()
        .hasMessageContaining("404");
    assertThat(lab.metric(rejected("wrong_token"))).isEqualTo(1);
    assertThat(lab.metric(rejected("unknown_path"))).isEqualTo(1);
  }

  @Test
  void anAgentThatOpensStreamsLosesThemAndNotItsLink() throws Exception {
    var agent = lab.link(Service.echo());
    var opened = new CompletableFuture<Boolean>();
    var link = agent.link();
    link.loop()
        .run(() ->
            opened.complete(
                link.open(new StreamHeader(Protocol.TCP, 1, "x", "", "x", null)) != null));
    assertThat(Patiently.get(opened)).isTrue();
    lab.awaitMetric(rejected("foreign_stream"), 1);
    assertThat(lab.metric("penstock_gateway_links")).isEqualTo(1);
  }

  @Test
  void aMessageTooLargeEndsItsLinkAndNoOther() throws Exception {
    var good = lab.link(Service.echo());
    var bad = lab.link(Service.echo());
    bad.link().send(new ControlMessage.ErrorMessage("x".repeat(70_000)));
    assertThat(bad.awaitEnd().detail()).contains("1009");
    lab.awaitMetric(rejected("websocket_violation"), 1);
    good.nextMessage();
    good.link().send(new ControlMessage.Ping("req_3", ""));
    assertThat(good.nextMessage()).isInstanceOf(ControlMessage.Pong.class);
  }
}
