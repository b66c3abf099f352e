package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.await;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.net.EventLoops.Transport;
import java.io.IOException;
import java.net.BindException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@ParameterizedClass
@EnumSource(Transport.class)
final class UdpTest {
  private static TestNode node;

  @Parameter Transport transport;

  private final List<AutoCloseable> opened = new ArrayList<>();

  @BeforeParameterizedClassInvocation
  static void start(Transport transport) {
    node = TestNode.start(transport);
  }

  @AfterParameterizedClassInvocation
  static void stop() {
    node.close();
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable closeable : opened.reversed()) {
      closeable.close();
    }
  }

  /// Notes all that a socket tells.
  private static final class Ears implements UdpSocket.Receiver {
    final BlockingQueue<byte[]> heard = new LinkedBlockingQueue<>();
    final BlockingQueue<InetSocketAddress> senders = new LinkedBlockingQueue<>();
    final BlockingQueue<String> failures = new LinkedBlockingQueue<>();
    final AtomicInteger notSent = new AtomicInteger();
    final AtomicInteger turns = new AtomicInteger();

    @Override
    public void received(ByteBuffer datagram, InetSocketAddress from) {
      byte[] copy = new byte[datagram.remaining()];
      datagram.get(copy);
      heard.add(copy);
      senders.add(from);
    }

    @Override
    public void receivedAll() {
      turns.incrementAndGet();
    }

    @Override
    public void notSent(int datagrams, int bytes) {
      notSent.addAndGet(datagrams);
    }

    @Override
    public void failed(String why) {
      failures.add(why);
    }

    byte[] next() throws InterruptedException {
      byte[] next = heard.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
      assertThat(next).as("a datagram").isNotNull();
      return next;
    }
  }

  private UdpSocket bind(String address, Ears ears) {
    var at = new InetSocketAddress(address, 0);
    UdpSocket socket = await(Udp.bind(node.loops(), node.loop(), at, ears));
    opened.add(() -> await(socket.close()));
    return socket;
  }

  private UdpSocket connect(InetSocketAddress target, Ears ears) {
    UdpSocket socket =
        await(
            Udp.connect(
                node.loops(),
                node.loop(),
                target.getAddress().getHostAddress(),
                target.getPort(),
                ears));
    opened.add(() -> await(socket.close()));
    return socket;
  }

  /// A socket of the platform, at a port of its own.
  private DatagramSocket plain() throws IOException {
    var socket = new DatagramSocket(0, InetAddress.getLoopbackAddress());
    socket.setSoTimeout((int) PATIENCE.toMillis());
    opened.add(socket);
    return socket;
  }

  private static byte[] receive(DatagramSocket socket) throws IOException {
    var packet = new DatagramPacket(new byte[70_000], 70_000);
    socket.receive(packet);
    return Arrays.copyOf(packet.getData(), packet.getLength());
  }

  private static void onLoop(Runnable task) {
    node.loop().run(task);
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(US_ASCII));
  }

  private static byte[] random(int size) {
    byte[] all = new byte[size];
    Seeds.random(size).nextBytes(all);
    return all;
  }

  @ParameterizedTest
  @ValueSource(strings = {"127.0.0.1", "::1"})
  void datagramsKeepTheirBoundariesInBothDirections(String address) throws Exception {
    var server = new Ears();
    var client = new Ears();
    UdpSocket port = bind(address, server);
    UdpSocket socket = connect(port.address(), client);
    for (int size : List.of(1, 2, 511, 1232, 1233, 1472, 9_000, 32_768, 65_507)) {
      byte[] sent = random(size);
      onLoop(() -> socket.send(ByteBuffer.wrap(sent)));
      assertThat(server.next()).isEqualTo(sent);
      InetSocketAddress from = server.senders.take();
      assertThat(from).isEqualTo(socket.address());
      onLoop(() -> port.send(ByteBuffer.wrap(sent), from));
      assertThat(client.next()).isEqualTo(sent);
    }
    assertThat(server.notSent.get() + client.notSent.get()).isZero();
  }

  @Test
  void anEmptyDatagramIsSentInItsPlaceOrToldAsNotSent() throws Exception {
    var server = new Ears();
    var client = new Ears();
    UdpSocket socket = connect(bind("127.0.0.1", server).address(), client);
    onLoop(() -> {
      socket.send(bytes("a"));
      socket.send(bytes(""));
      socket.send(bytes("b"));
    });
    assertThat(server.next()).isEqualTo(new byte[] {'a'});
    if (transport == Transport.EPOLL) {
      assertThat(server.next()).isEmpty();
    } else {
      assertThat(client.notSent).hasValue(1);
    }
    assertThat(server.next()).isEqualTo(new byte[] {'b'});
  }

  @Test
  void manyDatagramsOfAllSizesLeaveInOneTurnAndInOrder() throws Exception {
    var server = new Ears();
    UdpSocket socket = connect(bind("127.0.0.1", server).address(), new Ears());
    var random = Seeds.random(7);
    var sent = new ArrayList<byte[]>();
    for (int i = 0; i < 600; i++) {
      // Runs of one size, as a stream of media or of measurements has them, and others between.
      sent.add(random(random.nextInt(4) == 0 ? random.nextInt(1, 3_000) : 512));
      sent.getLast()[0] = (byte) i;
    }
    onLoop(() -> sent.forEach(datagram -> socket.send(ByteBuffer.wrap(datagram))));
    for (byte[] expected : sent) {
      byte[] received = server.next();
      assertThat(received).hasSize(expected.length);
      assertThat(Arrays.equals(received, expected)).as("the same bytes").isTrue();
    }
    if (transport == Transport.EPOLL) {
      assertThat(server.turns.get()).as("turns of the loop").isLessThan(sent.size() / 4);
    }
  }

  @Test
  void aDatagramGoesToItsRecipientOnlyEvenAmongRunsToOthers() throws Exception {
    UdpSocket port = bind("127.0.0.1", new Ears());
    DatagramSocket one = plain();
    DatagramSocket other = plain();
    onLoop(() -> {
      for (int i = 0; i < 20; i++) {
        port.send(
            bytes("one-" + (char) ('a' + i)), (InetSocketAddress) one.getLocalSocketAddress());
        if (i % 3 == 0) {
          port.send(
              bytes("two-" + (char) ('a' + i)), (InetSocketAddress) other.getLocalSocketAddress());
        }
      }
    });
    for (int i = 0; i < 20; i++) {
      assertThat(new String(receive(one), US_ASCII)).isEqualTo("one-" + (char) ('a' + i));
    }
    for (int i = 0; i < 20; i += 3) {
      assertThat(new String(receive(other), US_ASCII)).isEqualTo("two-" + (char) ('a' + i));
    }
  }

  @Test
  void aConnectedSocketHearsNobodyElse() throws Exception {
    var ears = new Ears();
    DatagramSocket service = plain();
    DatagramSocket stranger = plain();
    UdpSocket socket = connect((InetSocketAddress) service.getLocalSocketAddress(), ears);
    byte[] text = {'x'};
    stranger.send(new DatagramPacket(text, 1, socket.address()));
    byte[] answer = {'y'};
    service.send(new DatagramPacket(answer, 1, socket.address()));
    assertThat(ears.next()).isEqualTo(answer);
    assertThat(ears.heard).isEmpty();
  }

  @Test
  void aTargetThatDoesNotListenIsToldAndTheSocketGoesOn() throws Exception {
    var ears = new Ears();
    DatagramSocket service = plain();
    var target = (InetSocketAddress) service.getLocalSocketAddress();
    UdpSocket socket = connect(target, ears);
    service.close();
    onLoop(() -> socket.send(bytes("lost")));
    Awaitility.await()
        .atMost(PATIENCE)
        .until(() -> !ears.failures.isEmpty() || ears.notSent.get() > 0);
    try (var again = new DatagramSocket(target)) {
      again.setSoTimeout((int) PATIENCE.toMillis());
      onLoop(() -> socket.send(bytes("found")));
      assertThat(new String(receive(again), US_ASCII)).isEqualTo("found");
    }
  }

  @Test
  void aPortInUseIsABindExceptionThatNamesIt() throws Exception {
    DatagramSocket taken = plain();
    var address = (InetSocketAddress) taken.getLocalSocketAddress();
    assertThatThrownBy(() -> await(Udp.bind(node.loops(), node.loop(), address, new Ears())))
        .hasRootCauseMessage(
            transport == Transport.EPOLL
                ? "bind(..) failed with error(-98): Address already in use"
                : "Address already in use")
        .satisfies(failed -> {
          Throwable cause = failed instanceof BindException ? failed : failed.getCause();
          assertThat(cause)
              .isInstanceOf(BindException.class)
              .hasMessage("127.0.0.1:" + address.getPort() + ": Address already in use");
        });
  }

  @Test
  void aNameThatDoesNotResolveIsADialFailure() {
    assertThatThrownBy(
            () -> await(Udp.connect(node.loops(), node.loop(), "no.such.invalid", 53, new Ears())))
        .isInstanceOfSatisfying(
            DialFailure.class,
            failure -> assertThat(failure.kind()).isEqualTo(DialFailure.Kind.NAME_NOT_RESOLVED));
  }

  /// The loop stands still while more comes than the kernel holds.
  @Test
  void whatTheKernelDropsIsCountedExactly() throws Exception {
    Assumptions.assumeTrue(transport == Transport.EPOLL, "only the native transport can tell");
    int sent = 20_000;
    var ears = new Ears();
    UdpSocket port = bind("127.0.0.1", ears);
    DatagramSocket client = plain();
    var stopped = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    node.loop()
        .execute(() -> {
          stopped.countDown();
          try {
            goOn.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
    stopped.await();
    var packet = new DatagramPacket(new byte[1_000], 1_000, port.address());
    for (int i = 0; i < sent; i++) {
      client.send(packet);
    }
    goOn.countDown();
    Awaitility.await()
        .atMost(PATIENCE)
        .untilAsserted(() -> assertThat(ears.heard.size() + port.kernelDrops()).isEqualTo(sent));
    assertThat(port.kernelDrops()).isPositive();
  }
}
