package dev.penstock.gateway;

import static dev.penstock.gateway.GatewayLab.freePort;
import static dev.penstock.gateway.GatewayLab.tunnel;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.ConfigException;
import dev.penstock.gateway.FakeAgent.Service;
import dev.penstock.protocol.link.LinkEnd;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.Kill;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GatewayTest {
  @TempDir Path directory;

  private static void assertFree(int port) {
    try (var socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    } catch (IOException e) {
      throw new AssertionError("port " + port + ": " + e, e);
    }
  }

  @Test
  void aRestartedGatewayBindsTheSamePortsBeforeAnyAgentComes() throws Exception {
    var lab = GatewayLab.in(directory).start();
    var ports = new ArrayList<Integer>();
    for (int i = 0; i < 5; i++) {
      ports.add(lab.expose("service-" + i));
    }
    lab.close();
    try (var again = GatewayLab.in(directory).start()) {
      for (int port : ports) {
        assertThat(GatewayLab.listens(port)).isTrue();
      }
      assertThat(again.metric("penstock_gateway_tunnels")).isEqualTo(5);
      for (int i = 0; i < 5; i++) {
        assertThat(again.expose("service-" + i)).isEqualTo(ports.get(i));
      }
    }
  }

  @Test
  void aTunnelThatEndsByAFaultIsBoundAgainAtItsPort() throws Exception {
    try (var lab = GatewayLab.in(directory).start()) {
      int port = lab.expose("redis");
      int other = lab.expose("postgres");
      lab.gateway()
          .actors()
          .classicSystem()
          .actorSelection("/user/tunnels/*")
          .tell(Kill.getInstance(), ActorRef.noSender());
      Patiently.until(() -> lab.metric("penstock_gateway_tunnels_crashed_total") == 2);
      Patiently.until(() -> GatewayLab.listens(port) && GatewayLab.listens(other));
      Patiently.until(() -> lab.metric("penstock_gateway_tunnels") == 2);
      assertThat(lab.metric("penstock_gateway_tunnels_blocked")).isZero();
      assertThat(lab.expose("redis")).isEqualTo(port);
    }
  }

  @RepeatedTest(5)
  void aGatewayThatEndsClosesItsLinksInOrderAndFreesItsPorts() throws Exception {
    var lab = GatewayLab.in(directory).start();
    var agents = new ArrayList<FakeAgent>();
    for (int i = 0; i < 3; i++) {
      agents.add(lab.link(Service.echo()));
    }
    int port = lab.expose("redis");
    int listen = lab.gateway().address().getPort();
    int management = lab.gateway().managementAddress().getPort();
    lab.gateway().close();
    for (FakeAgent agent : agents) {
      assertThat(agent.awaitEnd())
          .isEqualTo(new LinkEnd(LinkEnd.Cause.CLOSED_BY_PEER, "code 1001: the gateway ends"));
    }
    assertFree(port);
    assertFree(listen);
    assertFree(management);
    lab.close();
  }

  @Test
  void aPublicAddressThatIsNotOfThisMachineIsRefusedAtTheStartAndCostsNoLease() throws Exception {
    var lab = GatewayLab.in(directory).start();
    int port = lab.expose(tunnel("redis", 6379).tunnelPort(freePort()));
    lab.close();
    var wrong = GatewayLab.in(directory).publicSide("bind: 192.0.2.1");
    assertThatThrownBy(wrong::start)
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("gateway.public.bind");
    wrong.close();
    try (var again = GatewayLab.in(directory).start()) {
      assertThat(again.expose("redis")).isEqualTo(port);
    }
  }

  @Test
  void aDirectoryOfARunningGatewayIsRefused() throws Exception {
    try (var lab = GatewayLab.in(directory).start()) {
      assertThatThrownBy(() -> Gateway.start(lab.settings())).isInstanceOf(IOException.class);
      lab.expose("redis");
    }
  }

  @Test
  void aPortThatAnotherProgramTookIsKeptForItsTunnelAndBoundWhenItIsFree() throws Exception {
    int port;
    try (var lab = GatewayLab.in(directory).start()) {
      port = lab.expose("redis");
    }
    try (var again = GatewayLab.in(directory)) {
      try (var _ = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
        again.start();
        assertThat(again.metric("penstock_gateway_tunnels_blocked")).isEqualTo(1);
        var answer = again.post(GatewayLab.TOKEN, "lab", tunnel("redis", 1).build().encode());
        assertThat(answer.statusCode()).isEqualTo(503);
        assertThat(answer.body())
            .contains("public port: " + port + " cannot be bound", "already in use", "kept");
        assertThat(again.list("lab").get(0).get("listening").booleanValue()).isFalse();
        assertThat(again.expose(tunnel("web", port - 10_000))).isNotEqualTo(port);
      }
      again.awaitMetric("penstock_gateway_tunnels_blocked", 0);
      assertThat(again.expose("redis")).isEqualTo(port);
      assertThat(GatewayLab.listens(port)).isTrue();
    }
  }

  @Test
  void aBlockedTunnelCanBeDeregistered() throws Exception {
    int port;
    try (var lab = GatewayLab.in(directory).start()) {
      port = lab.expose("redis");
    }
    try (var _ = new ServerSocket(port, 1, InetAddress.getLoopbackAddress());
        var again = GatewayLab.in(directory).start()) {
      assertThat(again.delete("lab", "tcp-redis").statusCode()).isEqualTo(204);
      assertThat(again.metric("penstock_gateway_tunnels_blocked")).isZero();
      assertThat(again.list("lab")).isEmpty();
    }
  }
}
