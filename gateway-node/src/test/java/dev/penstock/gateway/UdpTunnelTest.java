package dev.penstock.gateway;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.FakeAgent.Service;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.DialStatus;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.StreamHeader;
import dev.penstock.protocol.control.TunnelRegistration;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.random.RandomGenerator;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A public UDP port, towards agents that are the wire protocol and nothing else.
class UdpTunnelTest {
  private static final int PATIENCE_MILLIS = 10_000;

  /// Long enough for a datagram that is not to come.
  private static final int SILENCE_MILLIS = 300;

  private static final Set<Capability> OURS =
      EnumSet.of(Capability.UDP_FRAMES, Capability.DIAL_STATUS, Capability.CALLER_ADDRESS);
  private static final String ACTIVE = "penstock_gateway_udp_active_sessions";

  @TempDir Path directory;
  private GatewayLab lab;
  private int port;

  private void start(String udp) throws Exception {
    lab = GatewayLab.in(directory).udp(udp).start();
    port = lab.expose(TunnelRegistration.of(Protocol.UDP, "udp-dns", "dns", 53));
  }

  @AfterEach
  void end() throws Exception {
    lab.close();
  }

  private FakeAgent link(Service service, Set<Capability> capabilities) {
    double before = lab.metric("penstock_gateway_links");
    var agent =
        lab.owned(
            FakeAgent.open(
                lab.agents(),
                "ws://127.0.0.1:" + lab.gateway().address().getPort() + "/ws",
                GatewayLab.TOKEN,
                service,
                capabilities));
    agent.awaitHello();
    lab.awaitMetric("penstock_gateway_links", before + 1);
    return agent;
  }

  private DatagramSocket client() throws IOException {
    var socket = lab.owned(new DatagramSocket(0, InetAddress.getLoopbackAddress()));
    socket.setSoTimeout(PATIENCE_MILLIS);
    return socket;
  }

  private void say(DatagramSocket client, byte[] datagram) throws IOException {
    client.send(
        new DatagramPacket(datagram, datagram.length, InetAddress.getLoopbackAddress(), port));
  }

  private void say(DatagramSocket client, String text) throws IOException {
    say(client, text.getBytes(US_ASCII));
  }

  private byte[] hearBytes(DatagramSocket client) throws IOException {
    var packet = new DatagramPacket(new byte[70_000], 70_000);
    client.receive(packet);
    assertThat(packet.getPort()).as("the sender's port").isEqualTo(port);
    return Arrays.copyOf(packet.getData(), packet.getLength());
  }

  private String hear(DatagramSocket client) throws IOException {
    return new String(hearBytes(client), US_ASCII);
  }

  private void assertHearsNothing(DatagramSocket client) throws IOException {
    client.setSoTimeout(SILENCE_MILLIS);
    try {
      throw new AssertionError("heard " + hear(client));
    } catch (SocketTimeoutException _) {
      client.setSoTimeout(PATIENCE_MILLIS);
    }
  }

  private static String dropped(String reason) {
    return "penstock_gateway_udp_dropped_total{reason=\"" + reason + "\"}";
  }

  private static String datagrams(String direction) {
    return "penstock_gateway_udp_datagrams_total{direction=\"" + direction + "\"}";
  }

  @Test
  void everyClientGetsItsOwnDatagramsBackAsItSentThem() throws Exception {
    start("");
    link(Service.echo(), OURS);
    var random = RandomGenerator.of("L64X128MixRandom");
    var clients = List.of(client(), client(), client());
    int[] sizes = {1, 2, 100, 512, 1_472, 9_000, 32_768, 32_769, 65_507, 0, 3};
    for (int size : sizes) {
      var sent = new ArrayList<byte[]>();
      for (DatagramSocket client : clients) {
        byte[] datagram = new byte[size];
        random.nextBytes(datagram);
        sent.add(datagram);
        say(client, datagram);
      }
      for (int i = 0; i < clients.size(); i++) {
        assertThat(hearBytes(clients.get(i))).isEqualTo(sent.get(i));
      }
    }
    double expected = sizes.length * 3;
    lab.awaitMetric(datagrams("to_client"), expected);
    assertThat(lab.metric(datagrams("to_service"))).isEqualTo(expected);
    assertThat(lab.metric(ACTIVE)).isEqualTo(3);
    assertThat(lab.metric("penstock_gateway_udp_sessions_total")).isEqualTo(3);
  }

  @Test
  void theAgentLearnsWhoseDatagramsAreInTheStream() throws Exception {
    start("");
    FakeAgent agent = link(Service.echo(), OURS);
    DatagramSocket client = client();
    say(client, "?");
    assertThat(hear(client)).isEqualTo("?");
    assertThat(agent.nextAsked())
        .isEqualTo(
            new StreamHeader(
                Protocol.UDP,
                53,
                "dns",
                "",
                "udp-dns",
                new CallerAddress(
                    (InetSocketAddress) client.getLocalSocketAddress(),
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), port))));
    say(client, "again");
    assertThat(hear(client)).isEqualTo("again");
    assertThat(agent.askedCount()).as("more streams").isZero();
  }

  @Test
  void withoutAnAgentEveryDatagramIsDroppedAndCounted() throws Exception {
    start("");
    DatagramSocket client = client();
    for (int i = 0; i < 7; i++) {
      say(client, "lost");
    }
    lab.awaitMetric(dropped("no_link"), 7);
    link(Service.echo(), OURS);
    say(client, "found");
    assertThat(hear(client)).isEqualTo("found");
  }

  @Test
  void newFlowsAboveTheLimitAreRefusedAndCountedAndTheOldOnesGoOn() throws Exception {
    start("max_sessions: 2");
    link(Service.echo(), OURS);
    var served = List.of(client(), client());
    for (DatagramSocket client : served) {
      say(client, "in");
      assertThat(hear(client)).isEqualTo("in");
    }
    for (int i = 0; i < 50; i++) {
      say(client(), "flood");
    }
    lab.awaitMetric(dropped("too_many_sessions"), 50);
    for (DatagramSocket client : served) {
      say(client, "still in");
      assertThat(hear(client)).isEqualTo("still in");
    }
    assertThat(lab.metric(ACTIVE)).isEqualTo(2);
  }

  @Test
  void aSourceThatTheTunnelDeniesBeginsNoFlow() throws Exception {
    start("");
    link(Service.echo(), OURS);
    port =
        lab.expose(
            TunnelRegistration.of(Protocol.UDP, "udp-closed", "closed", 53)
                .annotations(AccessRules.NOBODY.annotations()));
    DatagramSocket client = client();
    say(client, "in?");
    lab.awaitMetric(dropped("source_refused"), 1);
    assertThat(lab.metric(ACTIVE)).isZero();
  }

  @Test
  void aFlowEndsWhenNothingGoesForTheTimeoutAndTheNextDatagramBeginsAnother() throws Exception {
    start("session_timeout: 1s, max_sessions: 1");
    FakeAgent agent = link(Service.echo(), OURS);
    DatagramSocket client = client();
    say(client, "one");
    assertThat(hear(client)).isEqualTo("one");
    lab.awaitMetric(ACTIVE, 0);
    agent.awaitFirstStreamEnd();
    say(client, "two");
    assertThat(hear(client)).isEqualTo("two");
    assertThat(lab.metric("penstock_gateway_udp_sessions_total")).isEqualTo(2);
  }

  @Test
  void aDrainEndsAFlowOnWhichNothingGoesAndLetsTheOthersGoOn() throws Exception {
    lab = GatewayLab.in(directory).drain("udp_quiet: 1s").start();
    port = lab.expose(TunnelRegistration.of(Protocol.UDP, "udp-dns", "dns", 53));
    link(Service.echo(), OURS);
    DatagramSocket quiet = client();
    DatagramSocket busy = client();
    say(quiet, "one");
    assertThat(hear(quiet)).isEqualTo("one");
    say(busy, "one");
    assertThat(hear(busy)).isEqualTo("one");
    var drained = lab.gateway().drain().toCompletableFuture();
    Patiently.until(() -> {
      say(busy, "more");
      assertThat(hear(busy)).isEqualTo("more");
      return lab.metric(ACTIVE) == 1;
    });
    assertThat(drained).isNotDone();
    say(quiet, "late");
    lab.awaitMetric(dropped("draining"), 1);
    Patiently.get(drained);
  }

  @Test
  void datagramsThatAreTooLargeAreDroppedAndCounted() throws Exception {
    start("buffer_size: 1000");
    link(Service.echo(), OURS);
    DatagramSocket client = client();
    say(client, new byte[1_001]);
    say(client, new byte[1_000]);
    assertThat(hearBytes(client)).hasSize(1_000);
    assertThat(lab.metric(dropped("too_large"))).isEqualTo(1);
  }

  /// An agent that stops reading: its stream's window, what is under way and the queue fill up, and
  /// then the oldest datagrams go, each of them counted.
  @Test
  void aStalledFlowKeepsTheNewestAndCountsTheRestExactly() throws Exception {
    start("queue_size: 128KiB");
    var gate = new CompletableFuture<Void>();
    link(
        _ ->
            Flow.of(ByteBuffer.class)
                .mapAsync(1, bytes -> gate.thenApply(_ -> bytes))
                .prepend(Source.lazySingle(() -> DialStatus.connected().encode())),
        OURS);
    int sent = 3_000;
    DatagramSocket client = client();
    client.setReceiveBufferSize(4 * 1024 * 1024);
    for (int i = 0; i < sent; i++) {
      say(client, ByteBuffer.allocate(1_000).putInt(i).array());
      int before = i + 1;
      if (i % 100 == 99) {
        Patiently.until(() -> known() >= before - 2_000);
      }
    }
    Patiently.until(() -> lab.metric(dropped("queue_full")) > 0);
    gate.complete(null);
    var heard = new ArrayList<Integer>();
    do {
      heard.add(ByteBuffer.wrap(hearBytes(client)).getInt());
    } while (heard.getLast() < sent - 1);
    assertThat(heard).isSorted().doesNotHaveDuplicates();
    Patiently.until(() ->
        heard.size()
                + lab.metric(dropped("queue_full"))
                + lab.metric(dropped("receive_buffer_full"))
            == sent);
  }

  /// Datagrams that were sent on or dropped so far.
  private double known() {
    return lab.metric(datagrams("to_service")) + lab.metric(dropped("queue_full"));
  }

  @Test
  void whenOneAgentCannotReachTheServiceAnotherIsGivenTheSameDatagrams() throws Exception {
    start("");
    FakeAgent refusing = link(Service.refusing(DialStatus.Code.REFUSED, "one"), OURS);
    DatagramSocket client = client();
    say(client, "one");
    Patiently.until(() -> refusing.heard().contains("one"));
    lab.awaitMetric(dropped("dial_failed"), 1);
    link(Service.echo(), OURS);
    // The first agent has no stream any more and the second none yet, so both are tried.
    Patiently.until(() -> {
      DatagramSocket other = client();
      say(other, "one");
      return hear(other).equals("one") && lab.metric(dropped("dial_failed")) == 1;
    });
  }

  @Test
  void aRefusalThatComesBeforeTheFirstDatagramWasHandedOverLosesNone() throws Exception {
    start("");
    FakeAgent refusing = link(Service.refusing(DialStatus.Code.REFUSED, "first"), OURS);
    DatagramSocket first = client();
    say(first, "first");
    Patiently.until(() -> refusing.heard().contains("first"));
    // From now on it refuses at once.
    link(Service.echo(), OURS);
    for (int i = 0; i < 200; i++) {
      DatagramSocket client = client();
      say(client, "datagram " + i);
      assertThat(hear(client)).isEqualTo("datagram " + i);
    }
  }

  @Test
  void aMalformedFrameEndsItsFlowAndNoOther() throws Exception {
    start("");
    link(
        _ ->
            Flow.of(ByteBuffer.class)
                .map(bytes -> bytes.get(2) == '!' ? ByteBuffer.wrap(new byte[] {-1, -1}) : bytes)
                .prepend(Source.lazySingle(() -> DialStatus.connected().encode())),
        OURS);
    DatagramSocket good = client();
    DatagramSocket bad = client();
    say(good, "a");
    assertThat(hear(good)).isEqualTo("a");
    say(bad, "!");
    lab.awaitMetric(dropped("malformed"), 1);
    lab.awaitMetric(ACTIVE, 1);
    say(good, "b");
    assertThat(hear(good)).isEqualTo("b");
    say(bad, "c");
    assertThat(hear(bad)).isEqualTo("c");
  }

  @Test
  void losingTheLinkEndsItsFlowsAndTheyGoOnOverTheNext() throws Exception {
    start("");
    FakeAgent agent = link(Service.echo(), OURS);
    DatagramSocket client = client();
    say(client, "one");
    assertThat(hear(client)).isEqualTo("one");
    agent.cut();
    lab.awaitMetric(ACTIVE, 0);
    link(Service.echo(), OURS);
    say(client, "two");
    assertThat(hear(client)).isEqualTo("two");
  }

  @Test
  void theSameTunnelListensAgainAfterARestart() throws Exception {
    start("");
    lab.gateway().close();
    lab.start();
    link(Service.echo(), OURS);
    DatagramSocket client = client();
    say(client, "again");
    assertThat(hear(client)).isEqualTo("again");
  }

  // --- an original agent: it knows no extension, and what it reads at once is one datagram ---

  private static Service noting(Queue<Integer> frames) {
    return _ ->
        Flow.of(ByteBuffer.class)
            .map(bytes -> {
              frames.add(bytes.remaining());
              return bytes;
            });
  }

  @Test
  void anOriginalAgentGetsOneFrameForEachDatagramAndItsFramesAreDatagrams() throws Exception {
    start("");
    var frames = new ConcurrentLinkedQueue<Integer>();
    link(noting(frames), Set.of());
    DatagramSocket client = client();
    List<Integer> sizes = List.of(1, 40, 1_472, 1, 32_768, 2);
    for (int size : sizes) {
      say(client, new byte[size]);
    }
    for (int size : sizes) {
      assertThat(hearBytes(client)).hasSize(size);
    }
    assertThat(frames).containsExactlyElementsOf(sizes);
  }

  @Test
  void anOriginalAgentThatDoesNotAnswerIsSentTheNextAfterAPause() throws Exception {
    start("");
    var times = new ConcurrentLinkedQueue<Long>();
    link(
        _ ->
            Flow.fromSinkAndSource(
                Sink.<ByteBuffer>foreach(_ -> times.add(System.nanoTime())), Source.maybe()),
        Set.of());
    DatagramSocket client = client();
    for (int i = 0; i < 20; i++) {
      say(client, "x");
    }
    Patiently.until(() -> times.size() == 20);
    var all = List.copyOf(times);
    // Timers may fire late and so shorten a single gap, but not all of them together.
    assertThat(all.getLast() - all.getFirst()).isGreaterThan(19 * 3_000_000L);
    assertHearsNothing(client);
  }

  @Test
  void whatAnOriginalAgentCannotTakeWholeIsDroppedAndCounted() throws Exception {
    start("");
    var frames = new ConcurrentLinkedQueue<Integer>();
    link(noting(frames), Set.of());
    DatagramSocket client = client();
    say(client, new byte[32_769]);
    say(client, new byte[0]);
    say(client, new byte[32_768]);
    assertThat(hearBytes(client)).hasSize(32_768);
    assertThat(frames).containsExactly(32_768);
    assertThat(lab.metric(dropped("unsupported_size"))).isEqualTo(2);
  }
}
