package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.Hands.takeText;
import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.anyPort;
import static dev.penstock.protocol.net.TestNode.await;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.protocol.Seeds;
import dev.penstock.protocol.control.CallerAddress;
import dev.penstock.protocol.net.EventLoops.Transport;
import dev.penstock.protocol.net.ProxyFront.Mode;
import dev.penstock.protocol.net.ProxyFront.Refusal;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Clients at 127.0.0.1 are trusted, those at other addresses are not.
@ParameterizedClass
@EnumSource(Transport.class)
final class ProxyFrontTest {
  private static final String SIGNATURE = "0d0a0d0a000d0a515549540a";
  private static final String V1 = "PROXY TCP4 192.0.2.7 198.51.100.1 51234 15432\r\n";
  private static final CallerAddress CALLER =
      new CallerAddress(address("192.0.2.7", 51234), address("198.51.100.1", 15432));
  private static final Duration LONG = Duration.ofMinutes(1);

  private static TestNode node;

  private final BlockingQueue<TcpConnection> accepted = new LinkedBlockingQueue<>();
  private final BlockingQueue<Refusal> refused = new LinkedBlockingQueue<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private Tcp.Listener listener;

  ProxyFrontTest(Transport ignored) {}

  @BeforeParameterizedClassInvocation
  static void start(Transport transport) {
    node = TestNode.start(transport);
  }

  @AfterParameterizedClassInvocation
  static void stop() {
    node.close();
  }

  @AfterEach
  void end() throws Exception {
    for (AutoCloseable one : opened) {
      one.close();
    }
    accepted.forEach(Connection::reset);
    TestNode.end(listener);
  }

  private static InetSocketAddress address(String literal, int port) {
    return new InetSocketAddress(InetAddress.ofLiteral(literal), port);
  }

  private void listen(Mode mode, Duration timeout) {
    listener =
        await(
            Tcp.listen(
                node.loops(),
                node.loops().get(0),
                anyPort(),
                new ProxyFront(mode, InetAddress.ofLiteral("127.0.0.1")::equals, timeout),
                new Tcp.FrontedAcceptor() {
                  @Override
                  public void accepted(TcpConnection connection) {
                    accepted.add(connection);
                  }

                  @Override
                  public void refused(InetSocketAddress peer, Refusal why) {
                    refused.add(why);
                  }

                  @Override
                  public void acceptFailed(String why) {}
                }));
  }

  private Socket client(String from) throws IOException {
    var socket = new Socket();
    opened.add(socket);
    socket.setTcpNoDelay(true);
    socket.setSoTimeout((int) PATIENCE.toMillis());
    socket.bind(address(from, 0));
    socket.connect(listener.address());
    return socket;
  }

  private Socket trusted() throws IOException {
    return client("127.0.0.1");
  }

  private static void say(Socket client, byte[] bytes) throws IOException {
    client.getOutputStream().write(bytes);
  }

  private static byte[] text(String text) {
    return text.getBytes(ISO_8859_1);
  }

  private static byte[] hex(String... parts) {
    return HexFormat.of().parseHex(String.join("", parts));
  }

  private static byte[] then(byte[] header, String data) {
    var all = ByteBuffer.allocate(header.length + data.length());
    return all.put(header).put(text(data)).array();
  }

  private TcpConnection nextAccepted() throws InterruptedException {
    TcpConnection connection = accepted.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    assertThat(connection).as("accepted, refused: %s", refused).isNotNull();
    return connection;
  }

  private Refusal nextRefused() throws InterruptedException {
    return refused.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
  }

  /// On the other loop, as a tunnel gives a client to a link.
  private static Hands<ByteBuffer> serve(TcpConnection connection) {
    Loop loop = node.loops().get(1);
    await(connection.register(loop));
    return Hands.on(connection.flow(), loop, node.actors());
  }

  private static void assertCaller(TcpConnection connection, CallerAddress expected) {
    assertThat(new CallerAddress(connection.remoteAddress(), connection.localAddress()))
        .isEqualTo(expected);
  }

  private static void assertRealAddresses(TcpConnection connection, Socket client) {
    assertThat(connection.remoteAddress()).isEqualTo(client.getLocalSocketAddress());
    assertThat(connection.localAddress()).isEqualTo(client.getRemoteSocketAddress());
  }

  private static void assertReset(Socket client) {
    assertThatThrownBy(() -> client.getInputStream().read())
        .isInstanceOf(SocketException.class)
        .hasMessageContaining("reset");
  }

  /// Both directions, and both ends.
  private static void assertCarries(TcpConnection connection, Socket client, String first)
      throws IOException {
    var hands = serve(connection);
    assertThat(takeText(hands, first.length())).isEqualTo(first);
    say(client, text("more"));
    assertThat(takeText(hands, 4)).isEqualTo("more");
    hands.put(Hands.bytes("answer"));
    assertThat(client.getInputStream().readNBytes(6)).isEqualTo(text("answer"));
    client.shutdownOutput();
    assertThat(hands.take()).isNull();
    hands.finish();
    assertThat(client.getInputStream().read()).isEqualTo(-1);
  }

  @ParameterizedTest
  @EnumSource(names = {"OPTIONAL", "REQUIRED"})
  void theAddressesOfATrustedHeaderStandForThoseOfTheSocket(Mode mode) throws Exception {
    listen(mode, LONG);
    var client = trusted();
    say(client, then(text(V1), "hello"));
    var connection = nextAccepted();
    assertCaller(connection, CALLER);
    assertCarries(connection, client, "hello");
  }

  @Test
  void aHeaderMayComeInAnyPiecesWithAnythingBehindIt() throws Exception {
    listen(Mode.REQUIRED, LONG);
    byte[] v2 = hex(SIGNATURE, "2111000c", "c0000207", "c6336401", "c822", "3c48");
    for (long seed = 0; seed < 20; seed++) {
      var random = Seeds.random(seed);
      byte[] all = then(random.nextBoolean() ? text(V1) : v2, "hello");
      var client = trusted();
      for (int at = 0; at < all.length; ) {
        int length = Math.min(all.length - at, 1 + random.nextInt(20));
        client.getOutputStream().write(all, at, length);
        at += length;
      }
      var connection = nextAccepted();
      assertCaller(connection, CALLER);
      assertCarries(connection, client, "hello");
    }
  }

  @Test
  void aHeaderMayComeByteByByte() throws Exception {
    listen(Mode.REQUIRED, LONG);
    var client = trusted();
    for (byte one : then(text(V1), "hello")) {
      say(client, new byte[] {one});
    }
    var connection = nextAccepted();
    assertCaller(connection, CALLER);
    assertCarries(connection, client, "hello");
  }

  @Test
  void whatFollowsAHeaderMayBeNothingOrTheEnd() throws Exception {
    listen(Mode.REQUIRED, LONG);
    var silent = trusted();
    say(silent, text(V1));
    assertCarries(nextAccepted(), silent, "");
    var short1 = trusted();
    say(short1, then(text(V1), "bye"));
    short1.shutdownOutput();
    var hands = serve(nextAccepted());
    assertThat(takeText(hands, 4)).isEqualTo("bye(end)");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "PROXY TCP6 2001:db8::7 ::1 1 65535, 2001:db8::7, 1, ::1, 65535",
    "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2, 192.0.2.7, 1, 2001:db8::1, 2",
    "PROXY TCP4 255.255.255.255 0.0.0.0 65535 1, 255.255.255.255, 65535, 0.0.0.0, 1",
  })
  void linesOfEveryFamilyAreRead(
      String line, String client, int port, String listenerAddress, int listenerPort)
      throws Exception {
    listen(Mode.REQUIRED, LONG);
    say(trusted(), text(line + "\r\n"));
    assertCaller(
        nextAccepted(),
        new CallerAddress(address(client, port), address(listenerAddress, listenerPort)));
  }

  @Test
  void binaryHeadersOfEveryFamilyAreRead() throws Exception {
    listen(Mode.REQUIRED, LONG);
    say(
        trusted(),
        hex(
            SIGNATURE,
            "21210024",
            "20010db8000000000000000000000007",
            "20010db800000000000000000000ffff",
            "0001",
            "ffff"));
    assertCaller(
        nextAccepted(),
        new CallerAddress(address("2001:db8::7", 1), address("2001:db8::ffff", 65535)));
  }

  @Test
  void whatStandsBehindTheAddressesOfAHeaderIsSkipped() throws Exception {
    listen(Mode.REQUIRED, LONG);
    var client = trusted();
    // ALPN "h2", a unique id, padding, and a type of nobody's.
    say(
        client,
        then(
            hex(
                SIGNATURE,
                "2111001d",
                "c0000207c6336401c8223c48",
                "0100026832",
                "050002abcd",
                "040000",
                "ee000141"),
            "hello"));
    var connection = nextAccepted();
    assertCaller(connection, CALLER);
    assertCarries(connection, client, "hello");
  }

  /// haproxy's health checks, callers that the proxy does not know, and what is no TCP.
  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "LOCAL, 20000000",
    "LOCAL with addresses, 2011000cc0000207c6336401c8223c48",
    "unspecified, 21000000",
    "unspecified with three bytes, 21000003040000",
    "UDP, 2112000cc0000207c6336401c8223c48",
    "UNKNOWN, v1 PROXY UNKNOWN",
    "UNKNOWN with more, v1 PROXY UNKNOWN ffff::1 some words",
  })
  void aHeaderThatNamesNoCallerKeepsTheRealAddresses(String ignored, String header)
      throws Exception {
    listen(Mode.REQUIRED, LONG);
    var client = trusted();
    byte[] bytes =
        header.startsWith("v1 ") ? text(header.substring(3) + "\r\n") : hex(SIGNATURE, header);
    say(client, then(bytes, "hello"));
    var connection = nextAccepted();
    assertRealAddresses(connection, client);
    assertCarries(connection, client, "hello");
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {
        "v1 PROXY TCP5 192.0.2.7 192.0.2.8 1 2\r\n",
        "v1 PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n",
        "v1 PROXY tcp4 192.0.2.7 192.0.2.8 1 2\r\n",
        "v1 PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n",
        "v1 PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n",
        "v1 PROXY TCP4  192.0.2.7 192.0.2.8 1 2\r\n",
        "v1 PROXY TCP4 192.0.2.256 192.0.2.8 1 2\r\n",
        "v1 PROXY TCP4 localhost 192.0.2.8 1 2\r\n",
        "v1 PROXY TCP4 ::1 ::1 1 2\r\n",
        "v1 PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n",
        "v1 PROXY TCP6 ::g ::1 1 2\r\n",
        "v1 PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n",
        "v1 PROXY TCP4 192.0.2.7 192.0.2.8 -1 2\r\n",
        "v1 PROXY TCP4 192.0.2.7 192.0.2.8 1 port\r\n",
        "v1 PROXY TCP4 192.0.2.7 192.0.2.8 99999999999 2\r\n",
        "long line",
        "31110000", // version 3
        "01110000", // version 0
        "22110000", // an unknown command
        "2f110000",
        "2141000c000000000000000000000000", // an unknown family
        "2113000c000000000000000000000000", // an unknown transport
        "21110000", // no room for the addresses
        "2111000bc0000207c6336401c8223c",
        "2121000cc0000207c6336401c8223c48",
        "21110010c0000207c6336401c8223c480100050a", // an option longer than its header
        "2111ffffc0000207c6336401c8223c48", // more than anybody needs to say
      })
  void aMalformedHeaderOfATrustedPeerIsRefused(String header) throws Exception {
    listen(Mode.OPTIONAL, LONG);
    var client = trusted();
    byte[] bytes =
        header.equals("long line")
            ? text("PROXY UNKNOWN " + "x".repeat(200))
            : header.startsWith("v1 ")
                ? text(header.substring(3))
                : then(
                    hex(SIGNATURE, header),
                    header.startsWith("2111ffff")
                        ? "x".repeat(2 * ProxyHeaderReader.MAX_TLVS)
                        : "");
    say(client, bytes);
    assertThat(nextRefused()).isEqualTo(Refusal.MALFORMED);
    assertReset(client);
    assertThat(accepted).isEmpty();
    // The listener lives.
    var good = trusted();
    say(good, then(text(V1), "hello"));
    assertCarries(nextAccepted(), good, "hello");
  }

  @Test
  void aHeaderThatEndsWithTheConnectionIsRefused() throws Exception {
    listen(Mode.OPTIONAL, LONG);
    var client = trusted();
    say(client, text("PROXY TCP4 192.0"));
    client.shutdownOutput();
    assertThat(nextRefused()).isEqualTo(Refusal.MALFORMED);
  }

  @Test
  void aTrustedPeerThatLeavesWithoutAByteIsGone() throws Exception {
    listen(Mode.REQUIRED, LONG);
    trusted().close();
    assertThat(nextRefused()).isEqualTo(Refusal.GONE);
  }

  /// Netty's decoder begins with the thirteenth byte, be the line at its end or not.
  @ParameterizedTest
  @ValueSource(strings = {"P", "PROX", "PROXY ", "PROXY \r\n", "PROXY TCP4 192.0", "\r\n\r\n\0"})
  void aHeaderThatIsNotCompleteInTimeIsRefused(String beginning) throws Exception {
    listen(Mode.OPTIONAL, Duration.ofMillis(50));
    var client = trusted();
    say(client, text(beginning));
    assertThat(nextRefused()).isEqualTo(Refusal.TIMED_OUT);
    assertReset(client);
  }

  @Test
  void aTrustedPeerThatMustAndSaysNothingIsRefused() throws Exception {
    listen(Mode.REQUIRED, Duration.ofMillis(50));
    var client = trusted();
    assertThat(nextRefused()).isEqualTo(Refusal.TIMED_OUT);
    assertReset(client);
  }

  @Test
  void aTrustedPeerThatMayAndSaysNothingIsTakenAsItIs() throws Exception {
    listen(Mode.OPTIONAL, Duration.ofMillis(50));
    var client = trusted();
    var connection = nextAccepted();
    assertRealAddresses(connection, client);
    assertCarries(connection, client, "");
  }

  @ParameterizedTest
  @ValueSource(strings = {"G", "GET / HTTP/1.1\r\n", "PROXIED", "PROXY\r\n", "\r\n\r\nx", "\0"})
  void aTrustedPeerThatMayAndSaysSomethingElseIsTakenAsItIs(String first) throws Exception {
    listen(Mode.OPTIONAL, LONG);
    var client = trusted();
    say(client, text(first));
    var connection = nextAccepted();
    assertRealAddresses(connection, client);
    assertCarries(connection, client, first);
  }

  @Test
  void aTrustedPeerThatMustAndSaysSomethingElseIsRefused() throws Exception {
    listen(Mode.REQUIRED, LONG);
    var client = trusted();
    say(client, text("GET / HTTP/1.1\r\n"));
    assertThat(nextRefused()).isEqualTo(Refusal.MISSING);
    assertReset(client);
  }

  @Test
  void theHeaderOfAnybodyElseIsDataLikeOtherData() throws Exception {
    listen(Mode.OPTIONAL, LONG);
    var client = client("127.0.0.2");
    say(client, then(text(V1), "hello"));
    var connection = nextAccepted();
    assertRealAddresses(connection, client);
    assertCarries(connection, client, V1 + "hello");
  }

  @Test
  void whereAHeaderIsRequiredAnybodyElseIsRefusedAtOnce() throws Exception {
    listen(Mode.REQUIRED, LONG);
    var client = client("127.0.0.2");
    assertThat(nextRefused()).isEqualTo(Refusal.UNTRUSTED);
    assertReset(client);
    assertThat(accepted).isEmpty();
  }

  @Test
  void whereNoneIsReadTheHeaderOfATrustedPeerIsDataToo() throws Exception {
    listen(Mode.OFF, LONG);
    var client = trusted();
    say(client, text(V1));
    var connection = nextAccepted();
    assertRealAddresses(connection, client);
    assertCarries(connection, client, V1);
  }

  @Test
  void tooManyThatWaitForTheirHeaderAreRefused() throws Exception {
    listen(Mode.REQUIRED, LONG);
    var first = trusted();
    for (int i = 0; i < ProxyHeaderReader.MAX_WAITING - 1; i++) {
      trusted();
    }
    var tooMany = trusted();
    assertThat(nextRefused()).isEqualTo(Refusal.TOO_MANY);
    assertReset(tooMany);
    say(first, then(text(V1), "hello"));
    assertCarries(nextAccepted(), first, "hello");
    say(trusted(), text(V1));
    nextAccepted();
  }
}
