package dev.penstock.gateway;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.gateway.FakeAgent.Service;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.StreamHeader;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Set;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClientTest {
  private static final String REFUSED = "penstock_gateway_dials_failed_total{reason=\"refused\"}";

  private static final String SUSPECTED =
      "penstock_gateway_dials_failed_total{reason=\"suspected\"}";

  @TempDir Path directory;
  private GatewayLab lab;
  private int port;

  @BeforeEach
  void start() throws Exception {
    lab = GatewayLab.in(directory).publicSide("max_connections: 3").start();
    port = lab.expose("redis");
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  private static void say(Socket client, String text) throws IOException {
    client.getOutputStream().write(text.getBytes(US_ASCII));
  }

  private static String hear(Socket client, int length) throws IOException {
    return new String(client.getInputStream().readNBytes(length), US_ASCII);
  }

  private static String hearToTheEnd(Socket client) throws IOException {
    return new String(client.getInputStream().readAllBytes(), US_ASCII);
  }

  private static void roundTrip(Socket client, String text) throws IOException {
    say(client, text);
    assertThat(hear(client, text.length())).isEqualTo(text);
  }

  private static void assertReset(Socket client) {
    assertThatThrownBy(() -> client.getInputStream().read())
        .isInstanceOf(SocketException.class)
        .hasMessageContaining("reset");
  }

  /// The reset may come as early as during the connect.
  private void assertNewClientIsReset() {
    assertThatThrownBy(() -> lab.client(port).getInputStream().read())
        .isInstanceOf(SocketException.class)
        .hasMessageContaining("reset");
  }

  private static String refused(String reason) {
    return "penstock_gateway_clients_refused_total{reason=\"" + reason + "\"}";
  }

  /// A link that the next client is not given to, because it has one already.
  private FakeAgent busyLink(Service service) throws IOException {
    var link = lab.link(service);
    roundTrip(lab.client(port), "busy");
    return link;
  }

  @Test
  void aClientIsCarriedToTheServiceAndBack() throws IOException {
    lab.link(Service.echo());
    var client = lab.client(port);
    roundTrip(client, "hello");
    client.shutdownOutput();
    assertThat(hearToTheEnd(client)).isEmpty();
    lab.awaitMetric("penstock_gateway_streams_ended_total{reason=\"finished\"}", 1);
    assertThat(lab.metric("penstock_gateway_active_streams")).isZero();
    assertThat(lab.metric("penstock_gateway_streams_total")).isEqualTo(1);
    assertThat(lab.metric("penstock_gateway_bytes_total{direction=\"to_service\"}")).isEqualTo(5);
    assertThat(lab.metric("penstock_gateway_bytes_total{direction=\"to_client\"}")).isEqualTo(5);
    assertThat(lab.metric("penstock_gateway_dial_seconds_count")).isEqualTo(1);
  }

  @Test
  void theAgentIsToldWhatTheStreamIsForAndWhoCalls() throws Exception {
    var agent = lab.link(Service.echo());
    var client = lab.client(port);
    roundTrip(client, "x");
    assertThat(agent.nextAsked())
        .isEqualTo(
            new StreamHeader(
                dev.penstock.protocol.control.Protocol.TCP,
                6379,
                "redis",
                "",
                "tcp-redis",
                new CallerAddress(
                    (InetSocketAddress) client.getLocalSocketAddress(),
                    (InetSocketAddress) client.getRemoteSocketAddress())));
  }

  @Test
  void anAgentThatKnowsNoExtensionIsToldNoCallerAndReportsNoDial() throws Exception {
    var agent =
        lab.owned(
            FakeAgent.open(
                lab.agents(),
                "ws://127.0.0.1:" + lab.gateway().address().getPort() + "/ws",
                GatewayLab.TOKEN,
                Service.plainEcho(),
                Set.of()));
    lab.awaitMetric("penstock_gateway_links", 1);
    roundTrip(lab.client(port), "hello");
    assertThat(agent.nextAsked().caller()).isNull();
  }

  @Test
  void aClientWithoutALinkIsResetAtOnceAndCounted() throws IOException {
    assertNewClientIsReset();
    assertThat(lab.metric(refused("no_link"))).isEqualTo(1);
    assertThat(lab.metric("penstock_gateway_streams_total")).isZero();
  }

  @Test
  void theLinksOfAnotherClusterServeNobodyElse() throws IOException {
    var other =
        lab.owned(
            FakeAgent.link(
                lab.agents(), lab.gateway().address(), GatewayLab.OTHER_TOKEN, Service.echo()));
    lab.awaitMetric("penstock_gateway_links", 1);
    assertNewClientIsReset();
    assertThat(other.askedCount()).isZero();
  }

  @Test
  void refusedClientsGiveTheirPlacesBack() throws IOException {
    for (int i = 0; i < 10; i++) {
      assertNewClientIsReset();
    }
    assertThat(lab.metric(refused("no_link"))).isEqualTo(10);
    lab.link(Service.echo());
    roundTrip(lab.client(port), "hello");
  }

  @Test
  void oneClientTooManyIsResetUntilAnotherLeaves() throws IOException {
    lab.link(Service.echo());
    var first = lab.client(port);
    roundTrip(first, "1");
    roundTrip(lab.client(port), "2");
    roundTrip(lab.client(port), "3");
    assertNewClientIsReset();
    assertThat(lab.metric(refused("too_many_connections"))).isEqualTo(1);
    first.close();
    lab.awaitMetric("penstock_gateway_active_streams", 2);
    roundTrip(lab.client(port), "4");
  }

  @Test
  void whatAClientSaidToAnAgentThatFailedIsSaidOnceToTheNext() throws Exception {
    var second = busyLink(Service.echo());
    var first = lab.link(Service.refusing(DialStatus.Code.REFUSED, "early words"));
    var client = lab.client(port);
    say(client, "early ");
    say(client, "words");
    assertThat(hear(client, 11)).isEqualTo("early words");
    roundTrip(client, " and more");
    assertThat(first.heard()).isEqualTo("early words");
    assertThat(second.heard()).isEqualTo("busyearly words and more");
    assertThat(lab.metric(REFUSED)).isEqualTo(1);
    assertThat(lab.metric("penstock_gateway_active_streams")).isEqualTo(2);
  }

  @Test
  void aClientThatHasSaidAllIsServedByTheNextAgentToo() throws Exception {
    busyLink(Service.echo());
    lab.link(Service.refusing(DialStatus.Code.TIMED_OUT, "all"));
    var client = lab.client(port);
    say(client, "all");
    client.shutdownOutput();
    assertThat(hearToTheEnd(client)).isEqualTo("all");
  }

  @Test
  void whatAClientSaidSurvivesTwoFailedAgents() throws Exception {
    busyLink(Service.echo());
    lab.link(Service.refusing(DialStatus.Code.REFUSED, "words"));
    lab.link(Service.refusing(DialStatus.Code.REFUSED, ""));
    var client = lab.client(port);
    say(client, "early words");
    assertThat(hear(client, 11)).isEqualTo("early words");
  }

  @Test
  void aClientThatNoAgentCanServeIsReset() throws IOException {
    lab.link(Service.refusing(DialStatus.Code.REFUSED, ""));
    lab.link(Service.refusing(DialStatus.Code.REFUSED, ""));
    assertNewClientIsReset();
    lab.awaitMetric(refused("dial_failed"), 1);
    assertThat(lab.metric(REFUSED)).isEqualTo(2);
    assertThat(lab.metric("penstock_gateway_active_streams")).isZero();
  }

  @Test
  void aClientWhoseLinkIsLostDuringTheDialIsServedByAnother() throws Exception {
    var second = busyLink(Service.echo());
    var first = lab.link(Service.silent());
    var client = lab.client(port);
    say(client, "early");
    Patiently.until(() -> first.heard().equals("early"));
    first.cut();
    assertThat(hear(client, 5)).isEqualTo("early");
    assertThat(second.heard()).isEqualTo("busyearly");
    assertThat(lab.metric("penstock_gateway_dials_failed_total{reason=\"failed\"}")).isEqualTo(1);
  }

  @Test
  void aLostLinkResetsItsClientsAndNoOthers() throws Exception {
    lab.link(Service.echo());
    var first = lab.client(port);
    roundTrip(first, "x");
    var lost = lab.link(Service.echo());
    var second = lab.client(port);
    roundTrip(second, "y");
    assertThat(lost.heard()).isEqualTo("y");
    lost.cut();
    assertReset(second);
    roundTrip(first, "still here");
    lab.awaitMetric("penstock_gateway_streams_ended_total{reason=\"link_lost\"}", 1);
    lab.awaitMetric("penstock_gateway_links", 1);
    assertThat(lab.metric("penstock_gateway_links_ended_total{reason=\"lost\"}")).isEqualTo(1);
    roundTrip(lab.client(port), "new");
  }

  /// A link of an agent that knows no extension, and hence reports no dial.
  private FakeAgent originalLink(Service service) {
    double before = lab.metric("penstock_gateway_links");
    var agent =
        lab.owned(
            FakeAgent.open(
                lab.agents(),
                "ws://127.0.0.1:" + lab.gateway().address().getPort() + "/ws",
                GatewayLab.TOKEN,
                service,
                Set.of()));
    lab.awaitMetric("penstock_gateway_links", before + 1);
    return agent;
  }

  @Test
  void anEndWithoutAByteIsTakenForAFailedDialAndTheNextAgentServes() throws Exception {
    busyLink(Service.echo());
    originalLink(Service.ending(""));
    var client = lab.client(port);
    lab.awaitMetric(SUSPECTED, 1);
    roundTrip(client, "hello");
    assertThat(lab.metric(refused("dial_failed"))).isZero();
  }

  @Test
  void anEndWithoutAByteResetsTheClientWhenNobodyElseIsThere() {
    originalLink(Service.ending(""));
    assertNewClientIsReset();
    lab.awaitMetric(refused("dial_failed"), 1);
    assertThat(lab.metric(SUSPECTED)).isEqualTo(1);
    lab.awaitMetric("penstock_gateway_active_streams", 0);
  }

  @Test
  void whatAClientSaidBeforeASuspectedDialIsSaidToNobodyElse() throws Exception {
    var second = busyLink(Service.echo());
    var first = originalLink(Service.ending("early"));
    var client = lab.client(port);
    say(client, "early");
    assertReset(client);
    assertThat(first.heard()).isEqualTo("early");
    assertThat(second.heard()).isEqualTo("busy");
    lab.awaitMetric(refused("dial_failed"), 1);
    assertThat(lab.metric(SUSPECTED)).isEqualTo(1);
  }

  @Test
  void aServiceThatAnswersTheEndOfItsInputWithItsOwnIsBelieved() throws Exception {
    originalLink(_ -> Flow.of(ByteBuffer.class).filter(_ -> false));
    var client = lab.client(port);
    say(client, "for the log");
    client.shutdownOutput();
    assertThat(hearToTheEnd(client)).isEmpty();
    lab.awaitMetric("penstock_gateway_streams_ended_total{reason=\"finished\"}", 1);
    assertThat(lab.metric(SUSPECTED)).isZero();
  }

  @Test
  void aServiceThatHasSaidAWordAndEndsIsBelieved() throws Exception {
    originalLink(_ ->
        Flow.fromSinkAndSource(
            Sink.ignore(), Source.single(ByteBuffer.wrap("bye".getBytes(US_ASCII)))));
    assertThat(hearToTheEnd(lab.client(port))).isEqualTo("bye");
    assertThat(lab.metric(SUSPECTED)).isZero();
  }

  @Test
  void aClientThatLeavesDuringTheDialIsForgotten() throws Exception {
    var agent = lab.link(Service.silent());
    var client = lab.client(port);
    say(client, "?");
    agent.nextAsked();
    client.setSoLinger(true, 0);
    client.close();
    lab.awaitMetric("penstock_gateway_streams_ended_total{reason=\"reset_here\"}", 1);
    assertThat(agent.awaitFirstStreamEnd()).isNotNull();
    assertThat(lab.metric("penstock_gateway_active_streams")).isZero();
  }

  @Test
  void aClientOverWhichNothingGoesIsCutAndCountedAsIdle() throws Exception {
    lab.close();
    lab = GatewayLab.in(directory).publicSide("idle_timeout: 300ms").start();
    port = lab.expose("idle");
    lab.link(Service.echo());
    var client = lab.client(port);
    roundTrip(client, "x");
    assertReset(client);
    lab.awaitMetric("penstock_gateway_streams_ended_total{reason=\"idle\"}", 1);
    assertThat(lab.metric("penstock_gateway_active_streams")).isZero();
  }
}
