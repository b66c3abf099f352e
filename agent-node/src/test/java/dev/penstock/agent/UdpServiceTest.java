package dev.penstock.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.FakeGateway.FakeLink;
import dev.penstock.agent.FakeGateway.FakeStream;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.management.Scrape;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.link.StreamEnd;
import java.io.Closeable;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// UDP services of an agent, towards a gateway that is the wire protocol and nothing else.
class UdpServiceTest {
  private static final int PORT = 53;
  private static final String DNS = "udp-lab-dns-53";
  private static final String ACTIVE = "pipeops_agent_udp_tunnel_active_sessions";

  @TempDir Path directory;

  private final BlockingQueue<String> reachable = new LinkedBlockingQueue<>();
  private final List<Closeable> owned = new ArrayList<>();
  private FakeGateway gateway;
  private Agent agent;
  private FakeLink link;

  @AfterEach
  void end() throws IOException {
    agent.close();
    for (Closeable closeable : owned.reversed()) {
      closeable.close();
    }
  }

  /// An agent with one link and these services.
  private void start(String udp, String services) throws Exception {
    gateway = FakeGateway.start();
    owned.add(gateway);
    var settings =
        AgentSettings.load(
            Files.writeString(
                directory.resolve("agent.yaml"),
                """
                pipeops: {api_url: "http://127.0.0.1:%d", token: s3cret}
                agent: {id: agent-1, links: {count: 1}, event_loops: 2}
                tunnels: {udp: {%s}, services: [%s]}
                management: {listen: "127.0.0.1:0"}
                """
                    .formatted(gateway.port(), udp, services)),
            Map.of());
    agent = Agent.start(settings, new Agent.Announcements(reachable::add, _ -> {}));
    link = gateway.nextLink();
  }

  private static String service(String name, int port, int target) {
    return "{name: %s, protocol: udp, port: %d, target: \"127.0.0.1:%d\"}"
        .formatted(name, port, target);
  }

  private DatagramSocket serverSocket() throws IOException {
    var socket = new DatagramSocket(0, InetAddress.getLoopbackAddress());
    owned.add(socket);
    return socket;
  }

  /// Sends back what it gets; its port.
  private int echo() throws IOException {
    DatagramSocket socket = serverSocket();
    serve(socket);
    return socket.getLocalPort();
  }

  private static void serve(DatagramSocket socket) {
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try {
            var packet = new DatagramPacket(new byte[70_000], 70_000);
            while (true) {
              packet.setLength(70_000);
              socket.receive(packet);
              socket.send(packet);
            }
          } catch (IOException _) {
            // The test is over.
          }
        });
  }

  private double metric(String series) {
    return Scrape.metric(agent.managementAddress().getPort(), series);
  }

  private static String errors(String type) {
    return "pipeops_agent_udp_tunnel_errors_total{error_type=\"" + type + "\"}";
  }

  /// One frame with its length in front, in a form that survives as text.
  private static String frame(String datagram) {
    return "\0" + (char) datagram.length() + datagram;
  }

  @Test
  void aUdpServiceIsRegisteredAndAnnouncedAsOne() throws Exception {
    start("", service("dns", PORT, 10_053));
    var asked = gateway.nextAsked();
    assertThat(asked.registration().protocol()).isEqualTo(Protocol.UDP);
    assertThat(asked.registration().tunnelId()).isEqualTo(DNS);
    asked.take();
    assertThat(reachable.poll(20, TimeUnit.SECONDS))
        .isEqualTo("dns  udp  127.0.0.1:10053 -> 127.0.0.1:10053");
  }

  @Test
  void datagramsGoToTheServiceAndItsAnswersComeBackInTheSameStream() throws Exception {
    start("", service("dns", PORT, echo()));
    FakeStream one = link.openDatagrams(DNS, PORT);
    FakeStream other = link.openDatagrams(DNS, PORT);
    one.say(frame("one") + frame("") + frame("1"));
    one.awaitConnected();
    other.say(frame("other"));
    one.awaitHeard(frame("one") + frame("") + frame("1"));
    other.awaitHeard(frame("other"));
    assertThat(metric(ACTIVE)).isEqualTo(2);
    assertThat(metric("pipeops_agent_udp_tunnel_sessions_total")).isEqualTo(2);
    assertThat(metric("pipeops_agent_udp_tunnel_packets_total{direction=\"received\"}"))
        .isEqualTo(4);
    assertThat(metric("pipeops_agent_udp_tunnel_packets_total{direction=\"sent\"}")).isEqualTo(4);
    assertThat(metric("pipeops_agent_udp_tunnel_bytes_total{direction=\"sent\"}")).isEqualTo(9);
  }

  @Test
  void eachStreamHasASocketOfItsOwn() throws Exception {
    DatagramSocket service = serverSocket();
    start("", service("dns", PORT, service.getLocalPort()));
    link.openDatagrams(DNS, PORT).say(frame("a"));
    link.openDatagrams(DNS, PORT).say(frame("b"));
    var first = new DatagramPacket(new byte[10], 10);
    var second = new DatagramPacket(new byte[10], 10);
    service.setSoTimeout(10_000);
    service.receive(first);
    service.receive(second);
    assertThat(first.getSocketAddress()).isNotEqualTo(second.getSocketAddress());
  }

  @Test
  void aServiceThatDoesNotListenHarmsNoOtherAndIsServedWhenItComes() throws Exception {
    DatagramSocket closed = serverSocket();
    var address = (InetSocketAddress) closed.getLocalSocketAddress();
    closed.close();
    start("", service("dns", PORT, echo()) + ", " + service("gone", 54, address.getPort()));
    FakeStream good = link.openDatagrams(DNS, PORT);
    FakeStream gone = link.openDatagrams("udp-lab-gone-54", 54);
    gone.say(frame("lost"));
    Patiently.until(() -> metric(errors("unreachable")) + metric(errors("send_failed")) > 0);
    good.say(frame("still"));
    good.awaitHeard(frame("still"));
    var again = new DatagramSocket(address);
    owned.add(again);
    serve(again);
    gone.say(frame("found"));
    gone.awaitHeard(frame("found"));
  }

  @Test
  void sessionsAboveTheLimitAreRefusedWithTheReason() throws Exception {
    start("max_sessions: 1", service("dns", PORT, echo()));
    FakeStream first = link.openDatagrams(DNS, PORT);
    first.awaitConnected();
    StreamEnd refused = link.openDatagrams(DNS, PORT).awaitEnd();
    assertThat(refused.dial())
        .isEqualTo(
            new DialStatus(
                DialStatus.Code.OVER_LIMIT,
                "sessions of this agent to dns: 1 are open (expected: at most"
                    + " tunnels.udp.max_sessions)"));
    assertThat(metric(errors("over_limit"))).isEqualTo(1);
    first.say(frame("in"));
    first.awaitHeard(frame("in"));
  }

  @Test
  void aSessionEndsWhenNothingGoesForTheTimeout() throws Exception {
    start("session_timeout: 1s, max_sessions: 1", service("dns", PORT, echo()));
    FakeStream stream = link.openDatagrams(DNS, PORT);
    stream.say(frame("a"));
    stream.awaitHeard(frame("a"));
    assertThat(stream.awaitEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
    Patiently.until(() -> metric(ACTIVE) == 0);
    FakeStream next = link.openDatagrams(DNS, PORT);
    next.say(frame("b"));
    next.awaitHeard(frame("b"));
  }

  @Test
  void aSessionEndsWithItsLink() throws Exception {
    start("", service("dns", PORT, echo()));
    FakeStream stream = link.openDatagrams(DNS, PORT);
    stream.awaitConnected();
    link.cut();
    Patiently.until(() -> metric(ACTIVE) == 0);
  }

  @Test
  void aDatagramThatIsTooLargeIsDroppedAndCounted() throws Exception {
    start("buffer_size: 512", service("dns", PORT, echo()));
    FakeStream stream = link.openDatagrams(DNS, PORT);
    stream.say("\2\1" + "x".repeat(513) + frame("ok"));
    stream.awaitHeard(frame("ok"));
    assertThat(metric(errors("too_large"))).isEqualTo(1);
  }

  @Test
  void aServiceMayHaveLimitsOfItsOwn() throws Exception {
    start(
        "",
        service("dns", PORT, echo())
            .replace("}", ", udp: {buffer_size: 512, session_timeout: 1s, max_sessions: 1}}"));
    FakeStream stream = link.openDatagrams(DNS, PORT);
    stream.awaitConnected();
    assertThat(link.openDatagrams(DNS, PORT).awaitEnd().dial().code())
        .isEqualTo(DialStatus.Code.OVER_LIMIT);
    stream.say("\2\1" + "x".repeat(513) + frame("ok"));
    stream.awaitHeard(frame("ok"));
    assertThat(metric(errors("too_large"))).isEqualTo(1);
    assertThat(stream.awaitEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
  }

  @Test
  void neitherProtocolReachesAServiceOfTheOther() throws Exception {
    start("", service("dns", PORT, echo()) + ", {name: web, port: 80, target: \"127.0.0.1:80\"}");
    assertThat(link.open(DNS, PORT).awaitEnd().dial().code())
        .isEqualTo(DialStatus.Code.UNKNOWN_TUNNEL);
    assertThat(link.openDatagrams("tcp-lab-web-80", 80).awaitEnd().dial().code())
        .isEqualTo(DialStatus.Code.UNKNOWN_TUNNEL);
    assertThat(metric(errors("unknown_tunnel"))).isEqualTo(1);
  }

  @Test
  void aMalformedFrameEndsItsSessionAndNoOther() throws Exception {
    start("", service("dns", PORT, echo()));
    FakeStream good = link.openDatagrams(DNS, PORT);
    FakeStream bad = link.openDatagrams(DNS, PORT);
    bad.sayBytes(new byte[] {(byte) 0xff, (byte) 0xe4});
    assertThat(bad.awaitEnd().cause()).isEqualTo(StreamEnd.Cause.RESET_BY_PEER);
    assertThat(metric(errors("malformed"))).isEqualTo(1);
    good.say(frame("good"));
    good.awaitHeard(frame("good"));
  }
}
