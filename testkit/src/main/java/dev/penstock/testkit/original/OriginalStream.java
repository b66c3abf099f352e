package dev.penstock.testkit.original;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// One stream of an [OriginalYamux], with blocking reads and writes. One thread reads, one writes.
final class OriginalStream {
  private enum State {
    OPEN,
    LOCAL_CLOSED,
    REMOTE_CLOSED,
    CLOSED,
    RESET
  }

  /// What a stream is for: its first bytes.
  record Header(int protocol, int port, String service, String namespace, String tunnelId) {
    static final int UDP = 2;
  }

  private final OriginalYamux session;
  private final int id;
  private final int maxWindow;
  private final ArrayDeque<ByteBuffer> received = new ArrayDeque<>();
  private int unread;
  private State state = State.OPEN;
  private boolean unacknowledged = true;
  private long sendWindow = OriginalYamux.INITIAL_WINDOW;
  private int receiveWindow = OriginalYamux.INITIAL_WINDOW;

  OriginalStream(OriginalYamux session, int id, int maxWindow) {
    this.session = session;
    this.id = id;
    this.maxWindow = maxWindow;
  }

  // --- from the session's reader ---

  /// What a header does; text when it kills the session.
  synchronized @Nullable String onHeader(int type, int flags, int length) {
    if ((flags & OriginalYamux.FIN) != 0) {
      switch (state) {
        case OPEN -> state = State.REMOTE_CLOSED;
        case LOCAL_CLOSED -> closed(State.CLOSED);
        case REMOTE_CLOSED, CLOSED, RESET -> {
          return "unexpected FIN on stream " + id + " in state " + state;
        }
      }
    }
    if ((flags & OriginalYamux.RST) != 0) {
      closed(State.RESET);
    }
    if (type == OriginalYamux.WINDOW_UPDATE) {
      sendWindow += Integer.toUnsignedLong(length);
    } else if (length > receiveWindow) {
      return "receive window exceeded on stream %d: %d (expected: at most %d)"
          .formatted(id, length, receiveWindow);
    }
    notifyAll();
    return null;
  }

  /// The window shrinks together with what fills it: an update between the two would give back
  /// bytes that nobody has read.
  synchronized void received(byte[] bytes) {
    receiveWindow -= bytes.length;
    received.add(ByteBuffer.wrap(bytes));
    unread += bytes.length;
    notifyAll();
  }

  synchronized void sessionDied() {
    state = State.CLOSED;
    notifyAll();
  }

  /// Sent at once, before anything is known of the target.
  void acknowledge() throws IOException {
    updateWindow();
  }

  // --- for who uses the stream ---

  /// One read of whatever is there, at most `max` bytes; null at the end.
  ///
  /// @throws IOException the stream was reset
  byte @Nullable [] read(int max) throws IOException {
    byte[] bytes;
    synchronized (this) {
      await(() -> unread > 0 || !(state == State.OPEN || state == State.LOCAL_CLOSED));
      if (state == State.RESET) {
        throw new IOException("stream reset");
      }
      if (unread == 0) {
        return null;
      }
      bytes = take(Math.min(max, unread));
    }
    updateWindow();
    return bytes;
  }

  private byte[] take(int count) {
    var taken = ByteBuffer.allocate(count);
    while (taken.hasRemaining()) {
      ByteBuffer first = received.element();
      int size = Math.min(taken.remaining(), first.remaining());
      taken.put(first.slice(first.position(), size));
      first.position(first.position() + size);
      if (!first.hasRemaining()) {
        received.remove();
      }
    }
    unread -= count;
    return taken.array();
  }

  /// The header with which the gateway begins.
  Header readHeader() throws IOException {
    byte[] fixed = readFully(4);
    int port = ((fixed[2] & 0xff) << 8) | (fixed[3] & 0xff);
    return new Header(fixed[1], port, readText(), readText(), readText());
  }

  private String readText() throws IOException {
    byte[] length = readFully(2);
    return new String(
        readFully(((length[0] & 0xff) << 8) | (length[1] & 0xff)), StandardCharsets.UTF_8);
  }

  private byte[] readFully(int count) throws IOException {
    var bytes = ByteBuffer.allocate(count);
    while (bytes.hasRemaining()) {
      byte[] piece = read(bytes.remaining());
      if (piece == null) {
        throw new EOFException("end within the stream's header");
      }
      bytes.put(piece);
    }
    return bytes.array();
  }

  /// Writes all, as the peer's window allows.
  void write(byte[] bytes, int length) throws IOException {
    int offset = 0;
    while (offset < length) {
      int size;
      int flags;
      synchronized (this) {
        await(() -> sendWindow > 0 || state == State.CLOSED || state == State.RESET);
        requireWritable();
        size = (int) Math.min(sendWindow, length - offset);
        sendWindow -= size;
        flags = takeAck();
      }
      session.sendData(flags, id, Arrays.copyOfRange(bytes, offset, offset + size));
      offset += size;
    }
  }

  private void requireWritable() throws IOException {
    switch (state) {
      case OPEN, REMOTE_CLOSED -> {}
      case LOCAL_CLOSED, CLOSED -> throw new IOException("stream closed");
      case RESET -> throw new IOException("stream reset");
    }
  }

  /// Sends FIN, once. That is all the peer ever learns, whatever went wrong.
  void close() throws IOException {
    int flags;
    synchronized (this) {
      switch (state) {
        case OPEN -> state = State.LOCAL_CLOSED;
        case REMOTE_CLOSED -> closed(State.CLOSED);
        case LOCAL_CLOSED, CLOSED, RESET -> {
          return;
        }
      }
      flags = OriginalYamux.FIN | takeAck();
    }
    session.send(OriginalYamux.WINDOW_UPDATE, flags, id, 0);
  }

  /// Credit returns when half of the window can be given back, or with the acknowledgement.
  private void updateWindow() throws IOException {
    int delta;
    int flags;
    synchronized (this) {
      delta = maxWindow - unread - receiveWindow;
      flags = takeAck();
      if (delta < maxWindow / 2 && flags == 0) {
        return;
      }
      receiveWindow += delta;
    }
    session.send(OriginalYamux.WINDOW_UPDATE, flags, id, delta);
  }

  private int takeAck() {
    int flags = unacknowledged ? OriginalYamux.ACK : 0;
    unacknowledged = false;
    return flags;
  }

  private void closed(State now) {
    state = now;
    session.forget(id);
  }

  private synchronized void await(BooleanSupplier met) throws IOException {
    try {
      while (!met.getAsBoolean()) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
