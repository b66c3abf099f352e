package dev.penstock.testkit;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A WebSocket client that makes its frames by hand and checks nothing, so that it can break every
/// rule of RFC 6455. One thread reads; writes may come from another one.
public final class RawWebSocket implements AutoCloseable {
  private static final int CONNECT_TIMEOUT_MILLIS = 5_000;
  private static final byte[] MASK = {0x12, 0x34, 0x56, 0x78};
  private static final int LENGTH_16 = 126;
  private static final int LENGTH_64 = 127;
  private static final int LARGEST_SHORT = 0xffff;

  /// Opcodes, RFC 6455 section 5.2.
  public enum Opcode {
    CONTINUATION(0),
    TEXT(1),
    BINARY(2),
    CLOSE(8),
    PING(9),
    PONG(10);

    private final int code;

    Opcode(int code) {
      this.code = code;
    }

    private static Opcode of(int code) throws IOException {
      for (Opcode opcode : values()) {
        if (opcode.code == code) {
          return opcode;
        }
      }
      throw new IOException("opcode: " + code + " (expected: 0..2 or 8..10)");
    }
  }

  /// One frame from the server.
  public record Frame(Opcode opcode, ByteBuffer payload) {
    /// The payload as text.
    public String text() {
      return StandardCharsets.UTF_8.decode(payload.duplicate()).toString();
    }
  }

  private final Socket socket;
  private final DataInputStream in;
  private final OutputStream out;
  private final int status;

  private RawWebSocket(Socket socket, int status) throws IOException {
    this.socket = socket;
    this.in = new DataInputStream(socket.getInputStream());
    this.out = socket.getOutputStream();
    this.status = status;
  }

  /// Connects to loopback and asks for an upgrade. Whatever the answer is, the connection stays
  /// open until it is closed.
  ///
  /// @param target path and query
  /// @param headers further header lines, without line ends
  public static RawWebSocket connect(int port, String target, List<String> headers)
      throws IOException {
    var lines = new ArrayList<String>();
    lines.add("GET " + target + " HTTP/1.1");
    lines.add("Host: 127.0.0.1:" + port);
    lines.add("Upgrade: websocket");
    lines.add("Connection: Upgrade");
    lines.add("Sec-WebSocket-Version: 13");
    lines.add("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    lines.addAll(headers);
    var socket = new Socket();
    try {
      socket.connect(
          new InetSocketAddress(InetAddress.getLoopbackAddress(), port), CONNECT_TIMEOUT_MILLIS);
      socket.setTcpNoDelay(true);
      String request = String.join("\r\n", lines) + "\r\n\r\n";
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      return new RawWebSocket(socket, readStatus(socket.getInputStream()));
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  /// [#connect(int, String, List)] with a bearer token.
  public static RawWebSocket connect(int port, String target, String token) throws IOException {
    return connect(port, target, List.of("Authorization: Bearer " + token));
  }

  /// The HTTP status of the answer; 101 when the upgrade was granted.
  public int status() {
    return status;
  }

  /// Sends a text message in one frame.
  public void sendText(String text) throws IOException {
    send(Opcode.TEXT, text.getBytes(StandardCharsets.UTF_8));
  }

  /// Sends a binary message in one frame.
  public void sendBinary(byte[] payload) throws IOException {
    send(Opcode.BINARY, payload);
  }

  /// Sends the first bytes of a masked frame that claims `length` bytes of payload, and none of it.
  public void announce(Opcode opcode, long length) throws IOException {
    out.write(header(opcode, length).array());
    out.flush();
  }

  /// Sends these bytes as they are.
  public void sendRaw(byte[] bytes) throws IOException {
    out.write(bytes);
    out.flush();
  }

  /// The next frame; null at the end of the connection, orderly or not.
  ///
  /// @throws SocketTimeoutException none came within `timeout`
  public @Nullable Frame read(Duration timeout) throws IOException {
    socket.setSoTimeout((int) timeout.toMillis());
    try {
      int first = in.readUnsignedByte();
      int second = in.readUnsignedByte();
      long length = second & 0x7f;
      if (length == LENGTH_16) {
        length = in.readUnsignedShort();
      } else if (length == LENGTH_64) {
        length = in.readLong();
      }
      byte[] payload = new byte[Math.toIntExact(length)];
      in.readFully(payload);
      return new Frame(Opcode.of(first & 0x0f), ByteBuffer.wrap(payload));
    } catch (EOFException | SocketException ended) {
      return null;
    }
  }

  /// Reads until the server ends the connection: the code of its close frame, 1005 for one without
  /// a code, 1006 when it closed without a close frame (RFC 6455 section 7.4.1).
  ///
  /// @throws SocketTimeoutException it was silent for `timeout`
  public int awaitClose(Duration timeout) throws IOException {
    for (Frame frame = read(timeout); frame != null; frame = read(timeout)) {
      if (frame.opcode() == Opcode.CLOSE) {
        return frame.payload().remaining() < Short.BYTES
            ? 1005
            : Short.toUnsignedInt(frame.payload().getShort(0));
      }
    }
    return 1006;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }

  private void send(Opcode opcode, byte[] payload) throws IOException {
    ByteBuffer header = header(opcode, payload.length);
    byte[] frame = new byte[header.remaining() + payload.length];
    int offset = header.remaining();
    header.get(frame, 0, offset);
    for (int i = 0; i < payload.length; i++) {
      frame[offset + i] = (byte) (payload[i] ^ MASK[i % MASK.length]);
    }
    out.write(frame);
    out.flush();
  }

  private static ByteBuffer header(Opcode opcode, long length) {
    var header = ByteBuffer.allocate(14);
    header.put((byte) (0x80 | opcode.code));
    if (length < LENGTH_16) {
      header.put((byte) (0x80 | length));
    } else if (length <= LARGEST_SHORT) {
      header.put((byte) (0x80 | LENGTH_16)).putShort((short) length);
    } else {
      header.put((byte) (0x80 | LENGTH_64)).putLong(length);
    }
    byte[] bytes = new byte[header.put(MASK).flip().remaining()];
    header.get(bytes);
    return ByteBuffer.wrap(bytes);
  }

  private static int readStatus(InputStream in) throws IOException {
    var head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      if (next < 0) {
        throw new EOFException("answer: '" + head + "' (expected: an HTTP response)");
      }
      head.append((char) next);
    }
    return Integer.parseInt(head.substring("HTTP/1.1 ".length(), "HTTP/1.1 ".length() + 3));
  }
}
