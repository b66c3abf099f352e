package dev.penstock.testkit;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.protocol.control.Carrier;
import dev.penstock.protocol.link.DatagramDrop;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Datagrams through a gateway and an agent in processes of their own.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class UdpSystemTest {
  private static final Duration LIMIT = Duration.ofMinutes(1);
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  /// What the kernel dropped at a session's socket is known at the session's end.
  private static final String SHORT_SESSIONS = "session_timeout: 4s";

  @TempDir Path directory;

  @Test
  void digGetsTheAnswersOfARealDnsServerOverUdpAndTcp() {
    String dig = Programs.require("dig");
    try (RealServer server = RealServer.dns();
        Lab lab =
            Lab.in(directory)
                .exposeUdp("dns", server.address())
                .expose("dns-tcp", server.address())
                .start()) {
      assertThat(lab.agent().output()).contains(lab.announcement("dns"));
      assertThat(dig(dig, lab.port("dns"), "+notcp", "penstock.test", "A")).isEqualTo("192.0.2.7");
      assertThat(dig(dig, lab.port("dns"), "+notcp", "penstock.test", "AAAA"))
          .isEqualTo("2001:db8::7");
      assertThat(dig(dig, lab.port("dns"), "+notcp", "text.penstock.test", "TXT"))
          .isEqualTo("\"carried as one\"");
      assertThat(dig(dig, lab.port("dns-tcp"), "+tcp", "penstock.test", "A"))
          .isEqualTo("192.0.2.7");
    }
  }

  private String dig(String program, int port, String transport, String name, String type) {
    return Programs.run(
            LIMIT,
            directory,
            List.of(
                program,
                "@127.0.0.1",
                "-p",
                Integer.toString(port),
                transport,
                "+short",
                "+tries=3",
                "+time=5",
                name,
                type))
        .strip();
  }

  /// What one flow sends: each datagram says whose it is, which one, and how its bytes are to be.
  private static final class Flow {
    static final int DATAGRAMS = 100;
    private static final int HEAD = 16;
    private static final int LARGEST = 65_507;

    final int number;
    final InetSocketAddress port;
    final DatagramChannel channel;
    final boolean[] came = new boolean[DATAGRAMS];
    int sent;
    int received;
    int lastReceived = -1;

    /// @param channel bound and not connected: a connected one of Java does not send what is empty
    Flow(int number, InetSocketAddress port, DatagramChannel channel) {
      this.number = number;
      this.port = port;
      this.channel = channel;
    }

    /// From nothing to the largest, mostly small ones, as in life.
    int size(int index) {
      var random = new SplittableRandom(number * 1_000L + index);
      return switch (index) {
        case 0 -> LARGEST;
        case 1 -> 0;
        case 2 -> 1;
        default -> (int) Math.pow(LARGEST, random.nextDouble());
      };
    }

    ByteBuffer datagram(int index, ByteBuffer target) {
      int size = size(index);
      var random = new SplittableRandom(number * 1_000L + index);
      target.clear();
      if (size < HEAD) {
        for (int i = 0; i < size; i++) {
          target.put((byte) random.nextInt());
        }
        return target.flip();
      }
      target.putInt(number).putInt(index).putInt(size);
      int body = HEAD;
      for (; body + 8 <= size; body += 8) {
        target.putLong(body, random.nextLong());
      }
      for (; body < size; body++) {
        target.put(body, (byte) random.nextInt());
      }
      target.putInt(12, crc(target, size)).limit(size).position(0);
      return target;
    }

    private static int crc(ByteBuffer datagram, int size) {
      var crc = new CRC32C();
      crc.update(datagram.slice(HEAD, size - HEAD));
      return (int) crc.getValue();
    }

    /// Takes one datagram; false when none is there.
    boolean hear(ByteBuffer buffer) throws IOException {
      SocketAddress from = channel.receive(buffer.clear());
      if (from == null) {
        return false;
      }
      assertThat(from).isEqualTo(port);
      check(buffer.flip());
      return true;
    }

    /// Fails unless this is one of ours, whole, once, and in order.
    private void check(ByteBuffer datagram) {
      int index = datagram.remaining() < HEAD ? indexOfSmall(datagram) : indexOfNumbered(datagram);
      assertThat(came[index]).as("came before").isFalse();
      assertThat(index).as("order").isGreaterThan(lastReceived);
      came[index] = true;
      lastReceived = index;
      received++;
    }

    private int indexOfNumbered(ByteBuffer datagram) {
      assertThat(datagram.getInt(0)).as("flow").isEqualTo(number);
      int index = datagram.getInt(4);
      assertThat(datagram.getInt(8)).as("size").isEqualTo(datagram.remaining());
      assertThat(datagram.remaining()).isEqualTo(size(index));
      assertThat(datagram.getInt(12)).as("bytes").isEqualTo(crc(datagram, datagram.remaining()));
      return index;
    }

    /// One too small for a number is the next of those under way that has its bytes.
    private int indexOfSmall(ByteBuffer datagram) {
      for (int index = lastReceived + 1; index < sent; index++) {
        if (size(index) == datagram.remaining()
            && datagram(index, ByteBuffer.allocate(HEAD)).equals(datagram)) {
          return index;
        }
      }
      throw new AssertionError(
          "datagram of " + datagram.remaining() + " bytes: none of flow " + number);
    }
  }

  /// A thousand clients, each with one datagram under way at a time and the next after its echo or
  /// a while.
  @Test
  void aThousandFlowsGetEveryDatagramBackWholeOrItIsCounted() throws Exception {
    everyDatagramComesBackWholeOrIsCounted(1_000, Lab.in(directory));
  }

  @Test
  void flowsInJsonGetEveryDatagramBackWholeOrItIsCounted() throws Exception {
    everyDatagramComesBackWholeOrIsCounted(200, Lab.in(directory).over(Carrier.JSON));
  }

  @Test
  @Tag("long")
  void aThousandFlowsInJsonGetEveryDatagramBackWholeOrItIsCounted() throws Exception {
    everyDatagramComesBackWholeOrIsCounted(1_000, Lab.in(directory).over(Carrier.JSON));
  }

  @ParameterizedTest
  @EnumSource(Carrier.class)
  void everySizeComesBackWhole(Carrier carrier) throws Exception {
    try (var echo = UdpEcho.start();
        Lab lab = Lab.in(directory).over(carrier).exposeUdp("echo", echo.address()).start();
        DatagramChannel client = client(lab);
        UdpPeer empty = UdpPeer.open()) {
      empty.send(publicPort(lab, "echo"), 10, 0);
      await().atMost(PATIENCE).until(() -> empty.received() == 10);
      assertThat(empty.bytes()).isZero();
      for (int size : new int[] {1, 2, 15, 255, 256, 1_472, 32_767, 32_768, 32_769, 65_507}) {
        assertEchoes(client, "x".repeat(size));
      }
      assertThat(lab.gateway().log().toString()).contains("protocol=\"" + carrier.label());
    }
  }

  private void everyDatagramComesBackWholeOrIsCounted(int flows, Lab parts) throws Exception {
    try (var echo = UdpEcho.start();
        Lab lab = parts.gatewayUdp(SHORT_SESSIONS).exposeUdp("echo", echo.address()).start();
        var selector = Selector.open()) {
      var port = publicPort(lab, "echo");
      var all = new ArrayList<Flow>();
      try {
        for (int i = 0; i < flows; i++) {
          var channel = DatagramChannel.open();
          var flow = new Flow(i, port, channel);
          all.add(flow);
          channel.setOption(StandardSocketOptions.SO_RCVBUF, 1 << 20);
          channel.setOption(StandardSocketOptions.SO_SNDBUF, 1 << 20);
          channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
          channel.configureBlocking(false);
          channel.register(selector, SelectionKey.OP_READ, flow);
        }
        drive(selector, all);
        int sent = all.stream().mapToInt(flow -> flow.sent).sum();
        assertThat(sent).isEqualTo(flows * Flow.DATAGRAMS);
        int[] ports = ports(all, echo);
        var buffer = ByteBuffer.allocateDirect(70_000);
        await()
            .atMost(PATIENCE)
            .untilAsserted(() -> {
              selector.selectNow(key -> hearAll((Flow) key.attachment(), buffer));
              assertThat(received(all) + dropped(lab) + KernelDrops.at(ports))
                  .as(lab::report)
                  .isEqualTo(sent);
            });
        System.out.println(
            "of "
                + sent
                + " datagrams "
                + received(all)
                + " came back, "
                + dropped(lab)
                + " were counted, "
                + KernelDrops.at(ports)
                + " did not reach the test");
      } finally {
        for (Flow flow : all) {
          flow.channel.close();
        }
      }
    }
  }

  private static InetSocketAddress publicPort(Lab lab, String service) {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.port(service));
  }

  private static int received(List<Flow> flows) {
    return flows.stream().mapToInt(flow -> flow.received).sum();
  }

  /// The ports of the test itself, where the kernel may drop what Penstock carried.
  private static int[] ports(List<Flow> flows, UdpEcho echo) {
    return IntStream.concat(
            flows.stream().mapToInt(flow -> flow.channel.socket().getLocalPort()),
            IntStream.of(echo.port()))
        .toArray();
  }

  /// Datagrams that either process says it dropped.
  private static long dropped(Lab lab) {
    return Stream.of(DatagramDrop.values()).mapToLong(why -> dropped(lab, why)).sum();
  }

  private static long dropped(Lab lab, DatagramDrop why) {
    return droppedByGateway(lab, why) + droppedByAgent(lab, why);
  }

  private static long droppedByGateway(Lab lab, DatagramDrop why) {
    return (long) lab.gateway().metric("penstock_gateway_udp_dropped_total", quoted(why));
  }

  private static long droppedByAgent(Lab lab, DatagramDrop why) {
    return (long) lab.agent().metric("pipeops_agent_udp_tunnel_errors_total", quoted(why));
  }

  private static String quoted(DatagramDrop why) {
    return '"' + why.label() + '"';
  }

  private static void drive(Selector selector, List<Flow> flows) throws IOException {
    var buffer = ByteBuffer.allocateDirect(70_000);
    int window = 50;
    int next = 0;
    int active = 0;
    while (next < flows.size() || active > 0) {
      for (; active < window && next < flows.size(); next++, active++) {
        send(flows.get(next), buffer);
      }
      long deadline = System.nanoTime() + Duration.ofSeconds(2).toNanos();
      int heard = 0;
      while (heard == 0 && System.nanoTime() < deadline) {
        selector.select(100);
        for (SelectionKey key : selector.selectedKeys()) {
          var flow = (Flow) key.attachment();
          while (flow.hear(buffer)) {
            heard++;
            if (flow.sent < Flow.DATAGRAMS) {
              send(flow, buffer);
            } else if (flow.received + missing(flow) == Flow.DATAGRAMS) {
              active--;
            }
          }
        }
        selector.selectedKeys().clear();
      }
      if (heard == 0) {
        // Whatever was under way was lost: every flow that waits goes on with its next one.
        for (Flow flow : flows.subList(0, next)) {
          if (flow.sent > 0 && flow.sent < Flow.DATAGRAMS) {
            send(flow, buffer);
          }
        }
        active = (int) flows.subList(0, next).stream().filter(f -> f.sent < Flow.DATAGRAMS).count();
      }
    }
  }

  private static void hearAll(Flow flow, ByteBuffer buffer) {
    try {
      while (flow.hear(buffer)) {}
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int missing(Flow flow) {
    return flow.lastReceived + 1 - flow.received;
  }

  private static void send(Flow flow, ByteBuffer buffer) throws IOException {
    ByteBuffer datagram = flow.datagram(flow.sent, buffer);
    assertThat(flow.channel.send(datagram, flow.port))
        .as("bytes sent")
        .isEqualTo(flow.size(flow.sent));
    flow.sent++;
  }

  private static final int BURST = 100;

  private static final int SIZE_IN_BURST = 4 * 1024;

  @ParameterizedTest
  @EnumSource(Carrier.class)
  void whatOverflowsWhileTheOtherEndStandsStillIsCountedExactly(Carrier carrier) throws Exception {
    try (var service = UdpPeer.open();
        var client = UdpPeer.open();
        Lab lab =
            Lab.in(directory)
                .over(carrier)
                .gatewayUdp(SHORT_SESSIONS + ", queue_size: 128KiB")
                .exposeUdp("service", "127.0.0.1:" + service.port())
                .start()) {
      var port = publicPort(lab, "service");
      client.send(port, 1, 1);
      await().atMost(PATIENCE).until(() -> service.received() == 1);

      lab.agent().pause();
      int sent = sendUntil(() -> droppedByGateway(lab, DatagramDrop.QUEUE_FULL) > 0, client, port);
      lab.agent().resume();
      awaitAccounted(lab, 1 + sent, 0, service);
      assertThat(service.received()).as("others came").isGreaterThan(1);

      long before = dropped(lab);
      long fullBefore = droppedByAgent(lab, DatagramDrop.QUEUE_FULL);
      int reached = service.received() + 1;
      client.send(port, 1, 1);
      await().atMost(PATIENCE).until(() -> service.received() == reached);
      lab.gateway().pause();
      int answered =
          sendUntil(
              () -> droppedByAgent(lab, DatagramDrop.QUEUE_FULL) > fullBefore,
              service,
              service.lastSender());
      lab.gateway().resume();
      awaitAccounted(lab, answered, before, client);
      assertThat(client.received()).as("others came").isPositive();
    }
  }

  /// Sends bursts until the queue of the end that goes on is full. A burst of a fixed size may
  /// never get there: a busy machine's kernel drops most of it at the socket.
  ///
  /// @return how many datagrams it took
  private static int sendUntil(BooleanSupplier full, UdpPeer sender, SocketAddress to)
      throws IOException {
    int sent = 0;
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!full.getAsBoolean()) {
      assertThat(System.nanoTime()).as("nothing dropped of %d", sent).isLessThan(deadline);
      sender.send(to, BURST, SIZE_IN_BURST);
      sent += BURST;
    }
    return sent;
  }

  /// Until every one of `sent` has come to `receiver` or is counted.
  ///
  /// @param before what was counted before
  private static void awaitAccounted(Lab lab, long sent, long before, UdpPeer receiver) {
    await()
        .atMost(PATIENCE)
        .untilAsserted(() ->
            assertThat(
                    receiver.received() + dropped(lab) - before + KernelDrops.at(receiver.port()))
                .as(lab::report)
                .isEqualTo(sent));
    System.out.println(
        "of "
            + sent
            + " datagrams "
            + receiver.received()
            + " came, "
            + (dropped(lab) - before)
            + " were counted");
  }

  @Test
  void aFloodOfNewFlowsIsRefusedAndCountedAndTheOldOnesGoOn() throws Exception {
    int limit = 100;
    int flood = 1_000;
    try (var echo = UdpEcho.start();
        Lab lab =
            Lab.in(directory)
                .gatewayUdp("max_sessions: " + limit)
                .exposeUdp("echo", echo.address())
                .start()) {
      var first = new ArrayList<DatagramChannel>();
      try {
        for (int i = 0; i < limit; i++) {
          DatagramChannel client = client(lab);
          first.add(client);
          assertEchoes(client, "in");
        }
        for (int i = 0; i < flood; i++) {
          try (DatagramChannel client = client(lab)) {
            client.write(ByteBuffer.wrap("flood".getBytes(US_ASCII)));
          }
        }
        await()
            .atMost(PATIENCE)
            .untilAsserted(() ->
                assertThat(
                        lab.gateway()
                            .metric("penstock_gateway_udp_dropped_total", "too_many_sessions"))
                    .isEqualTo(flood));
        for (DatagramChannel client : first) {
          assertEchoes(client, "still in");
        }
        assertThat(lab.gateway().metric("penstock_gateway_udp_active_sessions")).isEqualTo(limit);
      } finally {
        for (DatagramChannel client : first) {
          client.close();
        }
      }
    }
  }

  @Test
  void withoutAnAgentDatagramsAreCountedAndFlowsGoOnWhenItIsBack() throws Exception {
    int lost = 200;
    try (var echo = UdpEcho.start();
        Lab lab = Lab.in(directory).exposeUdp("echo", echo.address()).start();
        DatagramChannel client = client(lab)) {
      assertEchoes(client, "before");
      lab.agent().terminate();
      await()
          .atMost(PATIENCE)
          .until(() -> lab.gateway().metric("penstock_gateway_udp_active_sessions") == 0);
      for (int i = 0; i < lost; i++) {
        client.write(ByteBuffer.wrap("lost".getBytes(US_ASCII)));
      }
      await()
          .atMost(PATIENCE)
          .untilAsserted(() ->
              assertThat(lab.gateway().metric("penstock_gateway_udp_dropped_total", "no_link"))
                  .isEqualTo(lost));
      lab.startAgent().awaitReady();
      assertEchoes(client, "after");
    }
  }

  private static DatagramChannel client(Lab lab) throws IOException {
    return DatagramChannel.open()
        .connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.port("echo")));
  }

  /// Asks again when nothing comes for a while: a datagram may be lost.
  private static void assertEchoes(DatagramChannel client, String text) throws IOException {
    byte[] bytes = text.getBytes(US_ASCII);
    client.socket().setSoTimeout(2_000);
    var packet = new java.net.DatagramPacket(new byte[65_536], 65_536);
    for (int attempt = 0; ; attempt++) {
      client.write(ByteBuffer.wrap(bytes));
      try {
        client.socket().receive(packet);
        assertThat(new String(packet.getData(), 0, packet.getLength(), US_ASCII)).isEqualTo(text);
        return;
      } catch (java.net.SocketTimeoutException e) {
        if (attempt == 4) {
          throw e;
        }
      }
    }
  }
}
