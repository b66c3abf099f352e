package dev.penstock.testkit.original;

import static dev.penstock.testkit.original.OriginalLab.until;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.testkit.EchoService;
import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.EchoService.End;
import dev.penstock.testkit.Ports;
import dev.penstock.testkit.original.OriginalAgent.State;
import dev.penstock.testkit.original.OriginalSettings.Trait;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Tunnels in JSON through an original agent that stays on the controller socket.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OriginalJsonTest {
  @TempDir Path directory;
  private OriginalLab lab;

  @BeforeEach
  void start() throws IOException {
    lab = OriginalLab.in(directory).links("original_json: true").start();
  }

  @AfterEach
  void end() throws IOException {
    lab.close();
  }

  private OriginalAgent registeredOnController() {
    OriginalAgent agent = lab.start(lab.agent().with(Trait.TUNNELS_ENABLED));
    until(() -> agent.state() == State.CONNECTED && !agent.clusterId().isEmpty());
    return agent;
  }

  /// Exposes what listens on this port of the agent's own host.
  private int expose(int port) throws Exception {
    return lab.rest("lab")
        .register(OriginalTunnel.of("tcp", port, "echo", "default", 5432))
        .tunnelPort();
  }

  private int echo() {
    return lab.service(Behaviour.echo()).getPort();
  }

  @Test
  void bytesArriveInOrderAndNoneIsLost() throws Exception {
    OriginalAgent agent = registeredOnController();
    int port = expose(echo());
    until(() -> lab.metric("penstock_gateway_links") == 1);
    assertThat(agent.isOnGateway()).isFalse();
    byte[] said = new byte[300_000];
    for (int i = 0; i < said.length; i++) {
      said[i] = (byte) (i * 31 + (i >>> 8));
    }
    try (Socket client = lab.client(port)) {
      client.getOutputStream().write(said);
      assertThat(client.getInputStream().readNBytes(said.length)).isEqualTo(said);
    }
    assertThat(agent.lostEarly()).isZero();
    until(() -> agent.openTunnels() == 0);
  }

  @Test
  void theAnswerToAClientThatHasFinishedStillComes() throws Exception {
    registeredOnController();
    int port = expose(echo());
    until(() -> lab.metric("penstock_gateway_links") == 1);
    try (Socket client = lab.client(port)) {
      client.getOutputStream().write("question".getBytes(UTF_8));
      client.shutdownOutput();
      assertThat(new String(client.getInputStream().readAllBytes(), UTF_8)).isEqualTo("question");
    }
  }

  @Test
  void aServiceThatDoesNotListenResetsTheClient() throws Exception {
    registeredOnController();
    int port = expose(Ports.free());
    until(() -> lab.metric("penstock_gateway_links") == 1);
    try (Socket client = lab.client(port)) {
      assertThat(End.of(client.getInputStream()).how()).isEqualTo(EchoService.End.How.RESET);
    }
    assertThat(lab.metric("penstock_gateway_dials_failed_total{reason=\"failed\"}")).isOne();
  }

  @Test
  void anAgentThatRegistersNoTunnelIsSentNoTunnelMessage() throws Exception {
    OriginalAgent before = registeredOnController();
    int port = expose(echo());
    until(() -> lab.metric("penstock_gateway_links") == 1);
    before.close();
    until(() -> lab.metric("penstock_gateway_links") == 0);
    OriginalAgent agent = lab.start(lab.agent());
    until(() -> agent.state() == State.CONNECTED && !agent.clusterId().isEmpty());
    assertThat(lab.echoes(port)).isFalse();
    assertThat(agent.state()).isEqualTo(State.CONNECTED);
    assertThat(agent.received("tcp_tunnel_start")).isZero();
  }
}
