package dev.penstock.gateway;

import static dev.penstock.gateway.GatewayLab.OTHER_TOKEN;
import static dev.penstock.gateway.GatewayLab.TOKEN;
import static dev.penstock.gateway.GatewayLab.freePort;
import static dev.penstock.gateway.GatewayLab.tunnel;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelRegistration;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RegistrationTest {
  @TempDir Path directory;
  private GatewayLab lab;

  @BeforeEach
  void start() throws IOException {
    lab = GatewayLab.in(directory).start();
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  private HttpResponse<String> register(TunnelRegistration.Builder tunnel) {
    return lab.post(TOKEN, "lab", tunnel.build().encode());
  }

  private static void assertProblem(HttpResponse<String> answer, int status, String detail)
      throws Exception {
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
    assertThat(answer.headers().firstValue("content-type")).hasValue(Problem.MEDIA_TYPE);
    var problem = Problem.decode(answer.body());
    assertThat(problem.status()).isEqualTo(status);
    assertThat(problem.detail()).contains(detail);
  }

  @Test
  void aTunnelIsGivenTenThousandMoreThanItsListenerPort() throws Exception {
    int port = freePort();
    var answer = register(tunnel("redis", port - 10_000));
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(answer.headers().firstValue("content-type")).hasValue("application/json");
    assertThat(TunnelRegistered.decode(answer.body()))
        .isEqualTo(new TunnelRegistered("tcp-redis", Protocol.TCP, port, "127.0.0.1:" + port));
    assertThat(GatewayLab.listens(port)).isTrue();
    assertThat(lab.metric("penstock_gateway_tunnels")).isEqualTo(1);
  }

  @Test
  void theSameTunnelIsGivenTheSamePortAgain() throws Exception {
    int port = lab.expose("redis");
    assertThat(lab.expose("redis")).isEqualTo(port);
    assertThat(lab.metric("penstock_gateway_tunnels")).isEqualTo(1);
  }

  @Test
  void aTunnelRegisteredManyTimesAtOnceHasOnePort() throws Exception {
    int port = freePort();
    var answers =
        IntStream.range(0, 20).parallel().mapToObj(_ -> register(tunnel("redis", port - 10_000)));
    assertThat(answers.map(HttpResponse::body).distinct()).hasSize(1);
    assertThat(lab.metric("penstock_gateway_tunnels")).isEqualTo(1);
  }

  @Test
  void aPortOfAnotherClusterIsPassedOverForTheNextFreeOne() throws Exception {
    int port = lab.expose("redis");
    var answer = lab.post(OTHER_TOKEN, "shop", tunnel("redis", port - 10_000).build().encode());
    assertThat(answer.statusCode()).isEqualTo(200);
    assertThat(TunnelRegistered.decode(answer.body()).tunnelPort()).isGreaterThan(port);
  }

  @Test
  void aPortOfAnotherProgramIsPassedOverForTheNextFreeOne() throws Exception {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      int port = lab.expose(tunnel("redis", taken.getLocalPort() - 10_000));
      assertThat(port).isGreaterThan(taken.getLocalPort());
      assertThat(GatewayLab.listens(port)).isTrue();
    }
  }

  @Test
  void aPortWantedByNumberIsGiven() throws Exception {
    int wanted = freePort();
    assertThat(lab.expose(tunnel("redis", 6379).tunnelPort(wanted))).isEqualTo(wanted);
  }

  @Test
  void aWantedPortOfAnotherClusterIsAConflictThatDoesNotNameTheOther() throws Exception {
    int port = lab.expose("redis");
    var answer =
        lab.post(OTHER_TOKEN, "shop", tunnel("web", 8080).tunnelPort(port).build().encode());
    assertProblem(answer, 409, port + " is taken by another tunnel");
    assertThat(answer.body()).doesNotContain("redis", "lab");
    assertThat(lab.metric("penstock_gateway_rejected_total{reason=\"port_conflict\"}"))
        .isEqualTo(1);
  }

  @Test
  void aWantedPortOfAnotherProgramIsAConflictUntilThatIsGone() throws Exception {
    int wanted;
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      wanted = taken.getLocalPort();
      var tunnel = tunnel("redis", 6379).tunnelPort(wanted);
      assertProblem(register(tunnel), 409, String.valueOf(wanted));
      assertProblem(register(tunnel), 409, String.valueOf(wanted));
    }
    assertThat(lab.expose(tunnel("redis", 6379).tunnelPort(wanted))).isEqualTo(wanted);
  }

  @Test
  void aWantedPortOutOfTheRangeIsAConflict() throws Exception {
    assertProblem(
        register(tunnel("redis", 6379).tunnelPort(80)), 409, "80 (expected: one of 10000-65535)");
    var impossible =
        tunnel("redis", 6379).build().encode().replaceFirst("\\{", "{\"tunnel_port\":70000,");
    assertProblem(lab.post(TOKEN, "lab", impossible), 400, "tunnel_port");
  }

  @Test
  void aDatagramTunnelMayShareANumberWithATcpTunnel() throws Exception {
    int port = lab.expose("dns");
    var udp =
        TunnelRegistration.of(Protocol.UDP, "udp-dns", "dns", 53)
            .gateway("", "dns", port - 10_000)
            .build();
    var answer = lab.post(TOKEN, "lab", udp.encode());
    assertThat(TunnelRegistered.decode(answer.body()))
        .isEqualTo(new TunnelRegistered("udp-dns", Protocol.UDP, port, "127.0.0.1:" + port));
  }

  @Test
  void anIdOfOneProtocolIsNotThatOfAnother() throws Exception {
    lab.expose("redis");
    var udp = TunnelRegistration.of(Protocol.UDP, "tcp-redis", "redis", 53).build().encode();
    assertProblem(lab.post(TOKEN, "lab", udp), 409, "protocol: udp (expected: tcp");
  }

  @Test
  void aBodyThatNamesAnotherClusterIsForbidden() throws Exception {
    assertProblem(register(tunnel("redis", 6379).cluster("shop")), 403, "cluster_uuid");
    assertThat(lab.list("lab")).isEmpty();
    assertThat(lab.metric("penstock_gateway_rejected_total{reason=\"foreign_cluster\"}"))
        .isEqualTo(1);
  }

  @Test
  void aTcpAndAUdpTunnelShareAPortNumber() throws Exception {
    int wanted = freePort();
    var udp = TunnelRegistration.of(Protocol.UDP, "udp-dns", "dns", 53).tunnelPort(wanted);
    assertThat(lab.expose(tunnel("dns", 53).tunnelPort(wanted))).isEqualTo(wanted);
    assertThat(lab.expose(udp)).isEqualTo(wanted);
    assertThat(lab.metric("penstock_gateway_tunnels")).isEqualTo(2);
  }

  @Test
  void aUdpPortOfAnotherProgramIsAConflict() throws Exception {
    try (var taken = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      var udp =
          TunnelRegistration.of(Protocol.UDP, "udp-dns", "dns", 53)
              .tunnelPort(taken.getLocalPort());
      assertProblem(register(udp), 409, String.valueOf(taken.getLocalPort()));
    }
  }

  @Test
  void thePathOfAnotherClusterIsForbidden() throws Exception {
    var body = tunnel("redis", 6379).build().encode();
    assertProblem(lab.post(TOKEN, "shop", body), 403, "not of the cluster");
    assertThat(lab.metric("penstock_gateway_rejected_total{reason=\"foreign_cluster\"}"))
        .isEqualTo(1);
  }

  @Test
  void withoutAKnownTokenNothingIsToldButHowToAsk() throws Exception {
    assertProblem(
        lab.send(
            HttpRequest.newBuilder(lab.tunnels("lab"))
                .POST(HttpRequest.BodyPublishers.ofString("{}"))
                .build()),
        401,
        "no token");
    var wrong = lab.post("wrong", "lab", "{}");
    assertProblem(wrong, 401, "not known here");
    assertThat(wrong.headers().firstValue("www-authenticate"))
        .hasValue("Bearer realm=\"penstock\"");
    assertThat(lab.metric("penstock_gateway_rejected_total{reason=\"no_token\"}")).isEqualTo(1);
    assertThat(lab.metric("penstock_gateway_rejected_total{reason=\"wrong_token\"}")).isEqualTo(1);
  }

  @Test
  void anUnknownPathIsNotFound() throws Exception {
    assertProblem(
        lab.send(HttpRequest.newBuilder(lab.rest("/metrics")).build()), 404, "nothing is served");
  }

  @Test
  void anotherMethodIsRefusedWithThoseThatAreTaken() throws Exception {
    for (var row :
        Map.of("", "GET, POST", "/sync", "POST, DELETE", "/tcp-x", "DELETE").entrySet()) {
      var answer =
          lab.send(
              HttpRequest.newBuilder(URI.create(lab.tunnels("lab") + row.getKey()))
                  .header("Authorization", "Bearer " + TOKEN)
                  .method("PUT", HttpRequest.BodyPublishers.noBody())
                  .build());
      assertProblem(answer, 405, "PUT (expected: " + row.getValue().replace(", ", " or ") + ")");
      assertThat(answer.headers().firstValue("allow")).hasValue(row.getValue());
    }
  }

  @Test
  void aBodyWithoutSenseIsRefused() throws Exception {
    assertProblem(lab.post(TOKEN, "lab", "garbage"), 400, "");
    assertProblem(lab.post(TOKEN, "lab", ""), 400, "");
    assertProblem(lab.post(TOKEN, "lab", "{\"protocol\":\"tcp\"}"), 400, "tunnel_id");
    assertThat(lab.metric("penstock_gateway_rejected_total{reason=\"bad_registration\"}"))
        .isEqualTo(3);
  }

  @Test
  void aBodyOfAMegabyteIsRefusedBeforeItIsRead() throws Exception {
    try (var socket =
        new Socket(InetAddress.getLoopbackAddress(), lab.gateway().address().getPort())) {
      socket.setSoTimeout(10_000);
      socket
          .getOutputStream()
          .write(
              """
              POST /api/v1/clusters/agent/lab/tunnels HTTP/1.1\r
              Host: x\r
              Authorization: Bearer s3cret\r
              Content-Type: application/json\r
              Content-Length: 1000000\r
              \r
              {\
              """
                  .getBytes(StandardCharsets.US_ASCII));
      var status = new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII);
      assertThat(status).isEqualTo("HTTP/1.1 413");
    }
    assertThat(lab.metric("penstock_gateway_rejected_total{reason=\"body_too_large\"}"))
        .isEqualTo(1);
    lab.expose("redis");
  }
}
