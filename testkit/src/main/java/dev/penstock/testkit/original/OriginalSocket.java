package dev.penstock.testkit.original;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/// A WebSocket as the original agent's library makes it: plain `ws`, a write buffer of 4096 bytes
/// that turns every larger message into fragments, random masks, no compression, no limit on what
/// it reads. One thread reads; any thread writes, one message at a time.
final class OriginalSocket implements AutoCloseable {
  /// Payload of the largest frame sent.
  static final int FRAGMENT = 4096;

  private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(30);
  private static final Duration READ_DEADLINE = Duration.ofSeconds(60);
  private static final String ACCEPT_SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  private static final int FIN = 0x80;
  private static final int MASKED = 0x80;
  private static final int LENGTH_16 = 126;
  private static final int LENGTH_64 = 127;
  private static final int CONTINUATION = 0;
  private static final int TEXT = 1;
  private static final int BINARY = 2;
  private static final int CLOSE = 8;
  private static final int PING = 9;
  private static final int PONG = 10;

  /// The server answered the upgrade with another status than 101.
  static final class Refused extends IOException {
    private static final long serialVersionUID = 1L;

    private final int status;

    Refused(int status) {
      super("status " + status);
      this.status = status;
    }

    /// Whether the original gives up for good.
    boolean isTerminal() {
      return status == 401 || status == 403;
    }
  }

  /// One whole message.
  record Message(Kind kind, ByteBuffer bytes) {
    enum Kind {
      TEXT,
      BINARY
    }

    String text() {
      return StandardCharsets.UTF_8.decode(bytes.duplicate()).toString();
    }
  }

  private final Socket socket;
  private final DataInputStream in;
  private long readDeadline = System.nanoTime() + READ_DEADLINE.toNanos();

  private OriginalSocket(Socket socket, InputStream in) {
    this.socket = socket;
    this.in = new DataInputStream(in);
  }

  /// Connects and upgrades.
  ///
  /// @param url with scheme `ws`
  /// @throws Refused another status than 101 was answered
  static OriginalSocket connect(URI url, String token) throws IOException {
    var socket = new Socket();
    try {
      socket.connect(
          new InetSocketAddress(url.getHost(), url.getPort() < 0 ? 80 : url.getPort()),
          (int) HANDSHAKE_TIMEOUT.toMillis());
      socket.setTcpNoDelay(true);
      socket.setSoTimeout((int) HANDSHAKE_TIMEOUT.toMillis());
      byte[] nonce = new byte[16];
      ThreadLocalRandom.current().nextBytes(nonce);
      String key = Base64.getEncoder().encodeToString(nonce);
      String target =
          url.getRawQuery() == null ? url.getRawPath() : url.getRawPath() + "?" + url.getRawQuery();
      String request =
          String.join(
              "\r\n",
              "GET " + target + " HTTP/1.1",
              "Host: " + url.getRawAuthority(),
              "User-Agent: Go-http-client/1.1",
              "Authorization: Bearer " + token,
              "Connection: Upgrade",
              "Sec-WebSocket-Key: " + key,
              "Sec-WebSocket-Version: 13",
              "Upgrade: websocket",
              "",
              "");
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      var in = new BufferedInputStream(socket.getInputStream(), 64 * 1024);
      requireUpgraded(readHead(in), key);
      return new OriginalSocket(socket, in);
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  private static String readHead(InputStream in) throws IOException {
    var head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      if (next < 0) {
        throw new EOFException("answer: \"" + head + "\" (expected: an HTTP response)");
      }
      head.append((char) next);
    }
    return head.toString();
  }

  private static void requireUpgraded(String head, String key) throws IOException {
    int status = Integer.parseInt(head.substring("HTTP/1.1 ".length(), "HTTP/1.1 ".length() + 3));
    if (status != 101) {
      throw new Refused(status);
    }
    String accept = accept(key);
    boolean accepted =
        head.lines()
            .filter(line -> line.regionMatches(true, 0, "sec-websocket-accept:", 0, 21))
            .anyMatch(line -> line.substring(21).strip().equals(accept));
    if (!accepted) {
      throw new IOException("no Sec-WebSocket-Accept of our key (expected: " + accept + ")");
    }
  }

  private static String accept(String key) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-1")
              .digest((key + ACCEPT_SALT).getBytes(StandardCharsets.US_ASCII));
      return Base64.getEncoder().encodeToString(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  // --- writing ---

  void sendText(String text) throws IOException {
    send(TEXT, text.getBytes(StandardCharsets.UTF_8));
  }

  void sendBinary(byte[] bytes) throws IOException {
    send(BINARY, bytes);
  }

  void ping() throws IOException {
    frame(FIN | PING, new byte[0], 0, 0);
  }

  private synchronized void send(int opcode, byte[] bytes) throws IOException {
    int offset = 0;
    int first = opcode;
    do {
      int length = Math.min(FRAGMENT, bytes.length - offset);
      boolean last = offset + length == bytes.length;
      frame(last ? FIN | first : first, bytes, offset, length);
      offset += length;
      first = CONTINUATION;
    } while (offset < bytes.length);
  }

  private synchronized void frame(int first, byte[] bytes, int offset, int length)
      throws IOException {
    var out = new ByteArrayOutputStream(length + 14);
    out.write(first);
    if (length < LENGTH_16) {
      out.write(MASKED | length);
    } else {
      out.write(MASKED | LENGTH_16);
      out.write(length >> 8);
      out.write(length);
    }
    byte[] mask = new byte[4];
    ThreadLocalRandom.current().nextBytes(mask);
    out.writeBytes(mask);
    for (int i = 0; i < length; i++) {
      out.write(bytes[offset + i] ^ mask[i & 3]);
    }
    out.writeTo(socket.getOutputStream());
  }

  // --- reading ---

  /// The next whole message; pings are answered on the way. Null once the peer sent a close frame.
  ///
  /// @throws IOException the connection ended, or nothing that counts came for 60 s
  @Nullable Message read() throws IOException {
    var whole = new ByteArrayOutputStream();
    int opcode = -1;
    while (true) {
      int first = readDeadlined();
      int second = in.readUnsignedByte();
      byte[] payload = new byte[Math.toIntExact(length(second & 0x7f))];
      in.readFully(payload);
      switch (first & 0x0f) {
        case PING -> frame(FIN | PONG, payload, 0, payload.length);
        case PONG -> readDeadline = System.nanoTime() + READ_DEADLINE.toNanos();
        case CLOSE -> {
          frame(FIN | CLOSE, payload, 0, payload.length);
          return null;
        }
        default -> {
          if ((first & 0x0f) != CONTINUATION) {
            opcode = first & 0x0f;
          }
          whole.writeBytes(payload);
          if ((first & FIN) != 0) {
            readDeadline = System.nanoTime() + READ_DEADLINE.toNanos();
            return new Message(
                opcode == TEXT ? Message.Kind.TEXT : Message.Kind.BINARY,
                ByteBuffer.wrap(whole.toByteArray()));
          }
        }
      }
    }
  }

  /// A ping of the peer does not move the deadline, as in the original.
  private int readDeadlined() throws IOException {
    long left = (readDeadline - System.nanoTime()) / 1_000_000;
    if (left <= 0) {
      throw new SocketTimeoutException("nothing read for " + READ_DEADLINE.toSeconds() + " s");
    }
    socket.setSoTimeout((int) left);
    return in.readUnsignedByte();
  }

  private long length(int code) throws IOException {
    return switch (code) {
      case LENGTH_16 -> in.readUnsignedShort();
      case LENGTH_64 -> in.readLong();
      default -> code;
    };
  }

  // --- ending ---

  /// Closes in order, with code 1000.
  void closeNormally() throws IOException {
    byte[] code = ByteBuffer.allocate(2).putShort((short) 1000).array();
    frame(FIN | CLOSE, code, 0, code.length);
    socket.close();
  }

  /// Cuts the connection without a word.
  @Override
  public void close() throws IOException {
    socket.close();
  }
}
