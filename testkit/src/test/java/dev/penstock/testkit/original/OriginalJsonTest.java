package dev.penstock.testkit.original;

import static dev.penstock.testkit.original.OriginalLab.until;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.testkit.EchoService;
import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.EchoService.End;
import dev.penstock.testkit.Ports;
import dev.penstock.testkit.UdpEcho;
import dev.penstock.testkit.original.OriginalAgent.State;
import dev.penstock.testkit.original.OriginalSettings.Trait;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Random;
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
    lab = OriginalLab.in(directory).links("original_json: true, original_pause: 30ms").start();
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

  private int exposeUdp(UdpEcho service) throws Exception {
    return lab.rest("lab")
        .register(OriginalTunnel.of("udp", service.port(), "echo", "default", 5353))
        .tunnelPort();
  }

  private static DatagramSocket udpClient(int port) throws IOException {
    var client = new DatagramSocket();
    client.setSoTimeout(20_000);
    client.setReceiveBufferSize(1 << 20);
    client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    return client;
  }

  private static byte[] pattern(int size, int seed) {
    byte[] bytes = new byte[size];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private static void send(DatagramSocket client, byte[] bytes) throws IOException {
    client.send(new DatagramPacket(bytes, bytes.length));
  }

  private static byte[] receive(DatagramSocket client) throws IOException {
    var packet = new DatagramPacket(new byte[65_536], 65_536);
    client.receive(packet);
    return Arrays.copyOf(packet.getData(), packet.getLength());
  }

  @Test
  void datagramsOfEverySizeComeBackWhole() throws Exception {
    registeredOnController();
    try (var echo = UdpEcho.start()) {
      int port = exposeUdp(echo);
      until(() -> lab.metric("penstock_gateway_links") == 1);
      try (DatagramSocket client = udpClient(port)) {
        for (int size : new int[] {1, 2, 3, 512, 1_472, 32_768, 32_769, 65_506, 65_507}) {
          byte[] said = pattern(size, size);
          send(client, said);
          assertThat(receive(client)).as("%d bytes", size).isEqualTo(said);
        }
      }
      assertThat(lab.metric("penstock_gateway_udp_active_sessions")).isOne();
    }
  }

  /// Its protocol has no word for a datagram without bytes.
  @Test
  void anEmptyDatagramIsDroppedAndCountedAndTheNextGoesOn() throws Exception {
    registeredOnController();
    try (var echo = UdpEcho.start();
        var client = new DatagramSocket()) {
      var port = new InetSocketAddress(InetAddress.getLoopbackAddress(), exposeUdp(echo));
      until(() -> lab.metric("penstock_gateway_links") == 1);
      client.setSoTimeout(20_000);
      client.send(new DatagramPacket(new byte[0], 0, port));
      client.send(new DatagramPacket(new byte[] {7}, 1, port));
      assertThat(receive(client)).containsExactly(7);
      assertThat(echo.answered()).isOne();
      assertThat(lab.metric("penstock_gateway_udp_dropped_total{reason=\"unsupported_size\"}"))
          .isOne();
    }
  }

  /// The agent gives each datagram to a thread of its own, and each answer to every client that it
  /// has seen on a tunnel.
  @Test
  void burstsKeepTheirOrderAndNobodyGetsAnothersAnswers() throws Exception {
    registeredOnController();
    int datagrams = 40;
    try (var echo = UdpEcho.start()) {
      int port = exposeUdp(echo);
      until(() -> lab.metric("penstock_gateway_links") == 1);
      var clients = new ArrayList<DatagramSocket>();
      try {
        for (int i = 0; i < 5; i++) {
          clients.add(udpClient(port));
        }
        for (int n = 0; n < datagrams; n++) {
          for (int i = 0; i < clients.size(); i++) {
            send(clients.get(i), pattern(200, i * 1_000 + n));
          }
        }
        for (int i = 0; i < clients.size(); i++) {
          for (int n = 0; n < datagrams; n++) {
            assertThat(receive(clients.get(i)))
                .as("answer %d of client %d", n, i)
                .isEqualTo(pattern(200, i * 1_000 + n));
          }
        }
        for (DatagramSocket client : clients) {
          client.setSoTimeout(50);
          assertThatThrownBy(() -> receive(client)).isInstanceOf(SocketTimeoutException.class);
        }
      } finally {
        clients.forEach(DatagramSocket::close);
      }
      assertThat(echo.answered()).isEqualTo(clients.size() * datagrams);
    }
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
