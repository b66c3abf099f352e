package dev.penstock.testkit;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.protocol.control.Carrier;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
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
import java.util.zip.CRC32C;
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
    final DatagramChannel channel;
    final boolean[] came = new boolean[DATAGRAMS];
    int sent;
    int received;
    int lastReceived = -1;

    Flow(int number, DatagramChannel channel) {
      this.number = number;
      this.channel = channel;
    }

    /// Mostly small ones, as in life, and every size class up to the largest; those too small for a
    /// number are known by their place: flow and order are held by the other ones.
    int size(int index) {
      var random = new SplittableRandom(number * 1_000L + index);
      return switch (index) {
        case 0 -> LARGEST;
        case 1 -> HEAD;
        default -> (int) Math.pow(LARGEST - HEAD, random.nextDouble()) + HEAD;
      };
    }

    ByteBuffer datagram(int index, ByteBuffer target) {
      int size = size(index);
      target.clear().putInt(number).putInt(index).putInt(size);
      var random = new SplittableRandom(number * 1_000L + index);
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

    /// Fails unless this is one of ours, whole, once, and in order.
    void check(ByteBuffer datagram) {
      assertThat(datagram.remaining()).as("size").isGreaterThanOrEqualTo(HEAD);
      assertThat(datagram.getInt(0)).as("flow").isEqualTo(number);
      int index = datagram.getInt(4);
      assertThat(datagram.getInt(8)).as("size").isEqualTo(datagram.remaining());
      assertThat(datagram.remaining()).isEqualTo(size(index));
      assertThat(datagram.getInt(12)).as("bytes").isEqualTo(crc(datagram, datagram.remaining()));
      assertThat(came[index]).as("came before").isFalse();
      assertThat(index).as("order").isGreaterThan(lastReceived);
      came[index] = true;
      lastReceived = index;
      received++;
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

  @ParameterizedTest
  @EnumSource(Carrier.class)
  void everySizeComesBackWhole(Carrier carrier) throws Exception {
    try (var echo = UdpEcho.start();
        Lab lab = Lab.in(directory).over(carrier).exposeUdp("echo", echo.address()).start();
        DatagramChannel client = client(lab)) {
      for (int size : new int[] {1, 2, 15, 255, 256, 1_472, 32_767, 32_768, 32_769, 65_507}) {
        assertEchoes(client, "x".repeat(size - 1) + "y");
      }
      assertThat(lab.gateway().log().toString()).contains("protocol=\"" + carrier.label());
    }
  }

  private void everyDatagramComesBackWholeOrIsCounted(int flows, Lab parts) throws Exception {
    try (var echo = UdpEcho.start();
        Lab lab = parts.exposeUdp("echo", echo.address()).start();
        var selector = Selector.open()) {
      var all = new ArrayList<Flow>();
      try {
        for (int i = 0; i < flows; i++) {
          var channel = DatagramChannel.open();
          var flow = new Flow(i, channel);
          all.add(flow);
          channel.setOption(StandardSocketOptions.SO_RCVBUF, 1 << 20);
          channel.setOption(StandardSocketOptions.SO_SNDBUF, 1 << 20);
          channel.connect(
              new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.port("echo")));
          channel.configureBlocking(false);
          channel.register(selector, SelectionKey.OP_READ, flow);
        }
        drive(selector, all);
      } finally {
        for (Flow flow : all) {
          flow.channel.close();
        }
      }
      int sent = all.stream().mapToInt(flow -> flow.sent).sum();
      int received = all.stream().mapToInt(flow -> flow.received).sum();
      assertThat(sent).isEqualTo(flows * Flow.DATAGRAMS);
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> assertThat(received + dropped(lab)).as(lab::report).isEqualTo(sent));
      assertThat(echo.answered()).isGreaterThanOrEqualTo(received);
      System.out.println(
          "of "
              + sent
              + " datagrams "
              + received
              + " came back, "
              + dropped(lab)
              + " were counted");
    }
  }

  /// Datagrams that either process says it dropped.
  private static long dropped(Lab lab) {
    return (long)
        (lab.gateway().metric("penstock_gateway_udp_dropped_total")
            + lab.agent().metric("pipeops_agent_udp_tunnel_errors_total"));
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
          for (int n = flow.channel.read(buffer.clear());
              n > 0;
              n = flow.channel.read(buffer.clear())) {
            flow.check(buffer.flip());
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

  private static int missing(Flow flow) {
    return flow.lastReceived + 1 - flow.received;
  }

  private static void send(Flow flow, ByteBuffer buffer) throws IOException {
    ByteBuffer datagram = flow.datagram(flow.sent, buffer);
    assertThat(flow.channel.write(datagram)).as("bytes sent").isEqualTo(flow.size(flow.sent));
    flow.sent++;
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
