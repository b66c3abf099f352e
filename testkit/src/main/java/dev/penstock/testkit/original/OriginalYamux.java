package dev.penstock.testkit.original;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The client end of a yamux session as hashicorp/yamux 0.1.2 behaves in the original agent: it
/// opens nothing, acknowledges a stream at once, and dies without a word when the peer breaks a
/// rule. Any thread may call; [#onBytes] belongs to the socket's reader.
final class OriginalYamux {
  static final int INITIAL_WINDOW = 256 * 1024;
  static final int DATA = 0;
  static final int WINDOW_UPDATE = 1;
  static final int PING = 2;
  static final int GO_AWAY = 3;
  static final int SYN = 1;
  static final int ACK = 2;
  static final int FIN = 4;
  static final int RST = 8;

  private static final int HEADER_BYTES = 12;
  private static final int ACCEPT_BACKLOG = 256;

  /// Sends one binary message.
  interface Output {
    void send(byte[] message) throws IOException;
  }

  /// What the hello asks for.
  ///
  /// @param maxWindow bytes; the session is not made when this is less than 256 KiB
  record Config(int maxWindow, Duration keepAlive, Duration timeout) {}

  private final Config config;
  private final Output output;
  private final Consumer<OriginalStream> accepted;
  private final Map<Integer, OriginalStream> streams = new ConcurrentHashMap<>();
  private final Semaphore backlog = new Semaphore(ACCEPT_BACKLOG);
  private final AtomicReference<String> death = new AtomicReference<>("");
  private final AtomicInteger pings = new AtomicInteger();
  private final AtomicInteger unanswered = new AtomicInteger();
  private final AtomicInteger drained = new AtomicInteger();
  private final ScheduledExecutorService timers;
  private final ScheduledFuture<?> keepAlive;

  private final ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
  private @Nullable OriginalStream target;
  private int left;

  /// @param accepted gets every stream, on a thread of its own
  OriginalYamux(
      Config config,
      Output output,
      ScheduledExecutorService timers,
      Consumer<OriginalStream> accepted) {
    this.config = config;
    this.output = output;
    this.timers = timers;
    this.accepted = accepted;
    this.keepAlive =
        timers.scheduleAtFixedRate(
            this::ping,
            config.keepAlive().toMillis(),
            config.keepAlive().toMillis(),
            TimeUnit.MILLISECONDS);
  }

  /// Streams that have not ended.
  int open() {
    return streams.size();
  }

  /// Why the session died; empty while it lives.
  Optional<String> death() {
    return Optional.of(death.get()).filter(why -> !why.isEmpty());
  }

  /// Bytes of streams that were not known.
  int drained() {
    return drained.get();
  }

  /// Ends the session. The peer is told nothing.
  void die(String why) {
    if (death.compareAndSet("", why)) {
      keepAlive.cancel(false);
      streams.values().forEach(OriginalStream::sessionDied);
      streams.clear();
    }
  }

  // --- from the peer ---

  /// Takes the payload of a binary message; frames and messages need not align.
  void onBytes(ByteBuffer bytes) {
    while (bytes.hasRemaining() && death().isEmpty()) {
      if (left > 0) {
        payload(bytes);
      } else {
        while (header.hasRemaining() && bytes.hasRemaining()) {
          header.put(bytes.get());
        }
        if (!header.hasRemaining()) {
          header.flip();
          frame(header.get(), header.get(), header.getShort(), header.getInt(), header.getInt());
          header.clear();
        }
      }
    }
  }

  private void payload(ByteBuffer bytes) {
    byte[] piece = new byte[Math.min(left, bytes.remaining())];
    bytes.get(piece);
    left -= piece.length;
    if (target == null) {
      drained.addAndGet(piece.length);
    } else {
      target.received(piece);
    }
  }

  private void frame(int version, int type, int flags, int id, int length) {
    if (version != 0 || type < DATA || type > GO_AWAY) {
      die("version " + version + ", type " + type + " (expected: version 0, type 0..3)");
      return;
    }
    switch (type) {
      case PING -> {
        if ((flags & SYN) != 0) {
          later(() -> send(PING, ACK, 0, length));
        } else {
          unanswered.set(0);
        }
      }
      case GO_AWAY -> {
        if (length != 0) {
          die("go-away with code " + length);
        }
      }
      default -> streamFrame(type, flags, id, length);
    }
  }

  private void streamFrame(int type, int flags, int id, int length) {
    if ((flags & SYN) != 0 && !incoming(id)) {
      return;
    }
    OriginalStream stream = streams.get(id);
    if (stream != null) {
      String violation = stream.onHeader(type, flags, length);
      if (violation != null) {
        later(() -> send(GO_AWAY, 0, 0, 1));
        die(violation);
        return;
      }
    }
    if (type == DATA) {
      target = stream;
      left = length;
    }
  }

  /// False when the session died of it.
  private boolean incoming(int id) {
    if (streams.containsKey(id)) {
      later(() -> send(GO_AWAY, 0, 0, 1));
      die("duplicate stream " + id);
      return false;
    }
    if (!backlog.tryAcquire()) {
      later(() -> send(WINDOW_UPDATE, RST, id, 0));
      return true;
    }
    var stream = new OriginalStream(this, id, config.maxWindow());
    streams.put(id, stream);
    later(() -> {
      backlog.release();
      stream.acknowledge();
      accepted.accept(stream);
    });
    return true;
  }

  // --- to the peer ---

  /// Sends a header as one message.
  void send(int type, int flags, int id, int length) throws IOException {
    synchronized (output) {
      output.send(header(type, flags, id, length));
    }
  }

  /// Sends a header as one message and the body as another, with nothing between them.
  void sendData(int flags, int id, byte[] body) throws IOException {
    synchronized (output) {
      output.send(header(DATA, flags, id, body.length));
      output.send(body);
    }
  }

  void forget(int id) {
    streams.remove(id);
  }

  private static byte[] header(int type, int flags, int id, int length) {
    return ByteBuffer.allocate(HEADER_BYTES)
        .put((byte) 0)
        .put((byte) type)
        .putShort((short) flags)
        .putInt(id)
        .putInt(length)
        .array();
  }

  private void ping() {
    int value = pings.getAndIncrement();
    if (unanswered.compareAndSet(0, 1)) {
      later(() -> send(PING, SYN, 0, value));
      timers.schedule(
          () -> {
            if (unanswered.get() != 0) {
              die("keepalive timeout");
            }
          },
          config.timeout().toMillis(),
          TimeUnit.MILLISECONDS);
    }
  }

  private interface Sending {
    void run() throws IOException;
  }

  private void later(Sending sending) {
    Thread.ofVirtual()
        .start(() -> {
          try {
            sending.run();
          } catch (IOException e) {
            die("write: " + e.getMessage());
          }
        });
  }
}
