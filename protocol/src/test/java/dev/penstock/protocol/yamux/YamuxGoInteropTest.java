package dev.penstock.protocol.yamux;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.penstock.protocol.Seeds;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Against hashicorp/yamux, the library of the original agent, in both roles. The other end is
/// `src/test/go/yamux-interop`, built here; skipped without `go`, which CI must have.
class YamuxGoInteropTest {
  private static final Path SOURCE = Path.of("src/test/go/yamux-interop");
  private static final Path PROGRAM = Path.of("target/yamux-interop").toAbsolutePath();
  private static final Duration LIMIT = Duration.ofSeconds(30);

  @BeforeAll
  static void build() throws IOException, InterruptedException {
    if (!hasGo()) {
      if ("true".equals(System.getenv("CI"))) {
        fail("go: not on the PATH (expected: Go, because CI=true)");
      }
      assumeTrue(false, "go: not on the PATH");
    }
    Process build =
        new ProcessBuilder("go", "build", "-o", PROGRAM.toString(), ".")
            .directory(SOURCE.toFile())
            .redirectErrorStream(true)
            .start();
    String output = new String(build.getInputStream().readAllBytes(), US_ASCII);
    assertThat(build.waitFor()).as(output).isZero();
  }

  private static boolean hasGo() {
    String path = System.getenv("PATH");
    return path != null
        && Arrays.stream(path.split(File.pathSeparator, -1))
            .anyMatch(directory -> Files.isExecutable(Path.of(directory, "go")));
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void eightStreamsEcho20MegabytesOfOurs(Role role) throws Exception {
    try (GoPeer go = new GoPeer(role)) {
      List<Exchange> exchanges = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        exchanges.add(go.exchange(2_500_000, i));
      }
      go.ping();
      go.await(() -> exchanges.stream().allMatch(Exchange::isDone));
      exchanges.forEach(Exchange::check);
      go.await(() -> go.session.rttNanos() > 0);
      go.checkNothingIsHeld();
    }
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void eightStreamsOfTheirsEcho20Megabytes(Role role) throws Exception {
    try (GoPeer go = new GoPeer(role)) {
      assertThat(go.ask("O 8 2500000\n")).isEqualTo("ok");
      go.checkNothingIsHeld();
    }
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void threeHundredStreamsAtOnceInBothDirections(Role role) throws Exception {
    try (GoPeer go = new GoPeer(role)) {
      Reply reply = go.request("O 300 1000\n");
      List<Exchange> exchanges = new ArrayList<>();
      for (int i = 0; i < 300; i++) {
        exchanges.add(go.exchange(1000, i));
      }
      go.await(() -> reply.isDone() && exchanges.stream().allMatch(Exchange::isDone));
      exchanges.forEach(Exchange::check);
      assertThat(reply.text()).isEqualTo("ok");
      assertThat(go.session.counters().refusedOpens).isZero();
      go.checkNothingIsHeld();
    }
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void weMayFinishFirst(Role role) throws Exception {
    try (GoPeer go = new GoPeer(role)) {
      assertThat(go.ask("H" + "x".repeat(700_000))).isEqualTo("700000 <nil>");
    }
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void theirTimeoutAfterFinArrivesAsReset(Role role) throws Exception {
    try (GoPeer go = new GoPeer(role)) {
      Recorder recorder = new Recorder();
      go.open(recorder).write(ByteBuffer.wrap("T".getBytes(US_ASCII)));
      go.await(() -> recorder.events.contains("closed RESET_BY_PEER"));
      assertThat(recorder.events)
          .containsExactly("writable", "peer finished", "closed RESET_BY_PEER");
    }
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void ourResetReachesTheReader(Role role) throws Exception {
    try (GoPeer go = new GoPeer(role)) {
      Recorder recorder = new Recorder();
      YamuxStream stream = go.open(recorder);
      stream.write(ByteBuffer.wrap("R123".getBytes(US_ASCII)));
      go.await(() -> recorder.events.contains("received 1"));
      stream.reset();
      String errors = go.ask("Q");
      for (int tries = 1; errors.isEmpty() && tries < 1000; tries++) {
        errors = go.ask("Q");
      }
      assertThat(errors).isEqualTo("connection-reset");
    }
  }

  @ParameterizedTest
  @EnumSource(Role.class)
  void theirGoAwayIsToldAndOldStreamsGoOn(Role role) throws Exception {
    try (GoPeer go = new GoPeer(role)) {
      Exchange exchange = go.exchange(3_000_000, 1);
      go.request("G");
      go.await(() -> !go.goAways.isEmpty() && exchange.isDone());
      exchange.check();
      assertThat(go.goAways).containsExactly(GoAwayCode.NORMAL);
      assertThat(go.session.open(new Recorder()))
          .isEqualTo(new OpenResult.Refused(OpenResult.Reason.GOING_AWAY));
    }
  }

  /// A session on a socket to the Go program; the test's thread owns it and drives it in [#await].
  /// Echoes what the peer opens.
  private static final class GoPeer implements SessionListener, AutoCloseable {
    final ByteBudget budget = new ByteBudget(1L << 30);
    final YamuxSession session;
    final List<GoAwayCode> goAways = new ArrayList<>();
    private final Process process;
    private final Socket socket;
    private final OutputStream out;
    private final BlockingQueue<ByteBuffer> arrived = new LinkedBlockingQueue<>();

    GoPeer(Role ours) throws IOException {
      try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        listening.setSoTimeout((int) LIMIT.toMillis());
        process =
            new ProcessBuilder(
                    PROGRAM.toString(),
                    ours.peer().name().toLowerCase(Locale.ROOT),
                    listening.getInetAddress().getHostAddress() + ":" + listening.getLocalPort())
                .inheritIO()
                .start();
        socket = listening.accept();
      }
      socket.setTcpNoDelay(true);
      out = socket.getOutputStream();
      session = new YamuxSession(ours, SessionSettings.defaults(), budget, this);
      Thread.ofVirtual().start(this::read);
    }

    private void read() {
      try {
        InputStream in = socket.getInputStream();
        while (true) {
          byte[] chunk = new byte[64 * 1024];
          int length = in.read(chunk);
          if (length < 0) {
            return;
          }
          arrived.add(ByteBuffer.wrap(chunk, 0, length));
        }
      } catch (IOException _) {
        // The test closed the socket.
      }
    }

    @Override
    public void opened(YamuxStream stream) {
      stream.listen(new Echo(stream));
      stream.accept();
    }

    @Override
    public void goAway(GoAwayCode code) {
      goAways.add(code);
    }

    YamuxStream open(StreamListener listener) {
      return switch (session.open(listener)) {
        case OpenResult.Opened(YamuxStream stream) -> stream;
        case OpenResult.Refused(OpenResult.Reason reason) -> throw new AssertionError(reason);
      };
    }

    Exchange exchange(int size, long seed) {
      byte[] bytes = new byte[size];
      Seeds.random(seed).nextBytes(bytes);
      Exchange exchange = new Exchange(bytes);
      exchange.begin(open(exchange), "E".getBytes(US_ASCII));
      return exchange;
    }

    Reply request(String command) {
      Reply reply = new Reply();
      YamuxStream stream = open(reply);
      reply.stream = stream;
      stream.write(ByteBuffer.wrap(command.getBytes(US_ASCII)));
      stream.finish();
      return reply;
    }

    String ask(String command) throws Exception {
      Reply reply = request(command);
      await(reply::isDone);
      return reply.text();
    }

    void ping() {
      session.ping(System.nanoTime());
    }

    void await(BooleanSupplier condition) throws Exception {
      long end = System.nanoTime() + LIMIT.toNanos();
      while (!condition.getAsBoolean()) {
        assertThat(System.nanoTime()).as("time").isLessThan(end);
        flush();
        ByteBuffer chunk = arrived.poll(10, TimeUnit.MILLISECONDS);
        if (chunk != null) {
          session.onBytes(chunk, System.nanoTime());
        }
      }
      flush();
    }

    private void flush() throws IOException {
      for (ByteBuffer @Nullable [] batch = session.nextBatch(1 << 18, System.nanoTime());
          batch != null;
          batch = session.nextBatch(1 << 18, System.nanoTime())) {
        for (ByteBuffer buffer : batch) {
          out.write(buffer.array(), buffer.arrayOffset() + buffer.position(), buffer.remaining());
        }
      }
    }

    void checkNothingIsHeld() throws Exception {
      await(() -> session.streamCount() == 0);
      session.end();
      assertThat(budget.used()).isZero();
    }

    @Override
    public void close() throws IOException {
      session.end();
      socket.close();
      process.destroy();
    }
  }

  /// Sends bytes and expects them back.
  private static final class Exchange extends Recorder {
    private final byte[] sent;
    private final ByteArrayOutputStream echo = new ByteArrayOutputStream();
    private @Nullable YamuxStream stream;
    private int written;

    Exchange(byte[] sent) {
      this.sent = sent;
    }

    void begin(YamuxStream opened, byte[] command) {
      stream = opened;
      opened.write(ByteBuffer.wrap(command));
    }

    @Override
    public void writable() {
      int length = Math.min(100_000, sent.length - written);
      if (length == 0) {
        stream.finish();
        return;
      }
      stream.write(ByteBuffer.wrap(sent, written, length));
      written += length;
    }

    @Override
    public void received(ByteBuffer bytes) {
      int length = bytes.remaining();
      echo.write(bytes.array(), bytes.arrayOffset() + bytes.position(), length);
      stream.consumed(length, System.nanoTime());
    }

    boolean isDone() {
      return events.stream().anyMatch(event -> event.startsWith("closed"));
    }

    void check() {
      assertThat(events).containsExactly("peer finished", "closed FINISHED");
      assertThat(Arrays.equals(echo.toByteArray(), sent)).isTrue();
    }
  }

  /// The text that answers a command.
  private static final class Reply extends Recorder {
    private final ByteArrayOutputStream text = new ByteArrayOutputStream();
    private @Nullable YamuxStream stream;

    @Override
    public void received(ByteBuffer bytes) {
      int length = bytes.remaining();
      text.write(bytes.array(), bytes.arrayOffset() + bytes.position(), length);
      stream.consumed(length, System.nanoTime());
    }

    boolean isDone() {
      return events.stream().anyMatch(event -> event.startsWith("closed"));
    }

    String text() {
      return text.toString(US_ASCII);
    }
  }

  /// Sends back what arrives, and takes more only as it could send.
  private static final class Echo implements StreamListener {
    private final YamuxStream stream;
    private final Deque<ByteBuffer> waiting = new ArrayDeque<>();
    private int unsent;
    private boolean peerFinished;

    Echo(YamuxStream stream) {
      this.stream = stream;
    }

    @Override
    public void received(ByteBuffer bytes) {
      waiting.add(bytes);
      if (unsent == 0) {
        writeNext();
      }
    }

    @Override
    public void writable() {
      stream.consumed(unsent, System.nanoTime());
      unsent = 0;
      writeNext();
    }

    private void writeNext() {
      ByteBuffer bytes = waiting.poll();
      if (bytes != null) {
        unsent = bytes.remaining();
        stream.write(bytes);
      } else if (peerFinished) {
        stream.finish();
      }
    }

    @Override
    public void peerFinished() {
      peerFinished = true;
      if (unsent == 0) {
        stream.finish();
      }
    }

    @Override
    public void closed(CloseCause cause) {}
  }
}
