package dev.penstock.protocol.net;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;

/// A WebSocket client whose every byte is written by hand (RFC 6455 §5.2), so that it can break
/// every rule.
final class RawWebSocket implements AutoCloseable {
  static final int CONTINUATION = 0;
  static final int TEXT = 1;
  static final int BINARY = 2;
  static final int CLOSE = 8;
  static final int PING = 9;
  static final int PONG = 10;
  static final int FIN = 0x80;

  private static final byte[] MASK = {0x11, 0x22, 0x33, 0x44};

  private final Socket socket;
  private final DataInputStream in;

  /// What the server sent.
  @SuppressWarnings("ArrayRecordComponent") // read once and thrown away
  record Frame(int opcode, byte[] payload) {
    String text() {
      return new String(payload, UTF_8);
    }

    int closeCode() {
      return (payload[0] & 0xff) << 8 | (payload[1] & 0xff);
    }
  }

  RawWebSocket(InetSocketAddress address) throws IOException {
    socket = new Socket();
    socket.connect(address);
    socket.setSoTimeout((int) TestNode.PATIENCE.toMillis());
    in = new DataInputStream(socket.getInputStream());
  }

  static RawWebSocket upgraded(InetSocketAddress address) throws IOException {
    var client = new RawWebSocket(address);
    client.sendText(upgradeHead("/link") + "\r\n");
    String answer = client.readHead();
    if (!answer.startsWith("HTTP/1.1 101 ")) {
      throw new IOException(answer);
    }
    return client;
  }

  static String upgradeHead(String path) {
    return "GET "
        + path
        + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  }

  void sendText(String text) throws IOException {
    send(text.getBytes(UTF_8));
  }

  void send(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
  }

  /// Sends a masked frame with these first bits: opcode, and FIN or not.
  void frame(int first, byte[] payload) throws IOException {
    send(encode(first, payload));
  }

  void frame(int first, String payload) throws IOException {
    frame(first, payload.getBytes(UTF_8));
  }

  static byte[] encode(int first, byte[] payload) throws IOException {
    var out = new ByteArrayOutputStream();
    out.write(header(first, 0x80, payload.length));
    out.write(MASK);
    for (int i = 0; i < payload.length; i++) {
      out.write(payload[i] ^ MASK[i % 4]);
    }
    return out.toByteArray();
  }

  static byte[] header(int first, int maskBit, long length) {
    if (length < 126) {
      return new byte[] {(byte) first, (byte) (maskBit | length)};
    }
    if (length <= 0xffff) {
      return new byte[] {(byte) first, (byte) (maskBit | 126), (byte) (length >> 8), (byte) length};
    }
    var header = new byte[10];
    header[0] = (byte) first;
    header[1] = (byte) (maskBit | 127);
    for (int i = 0; i < 8; i++) {
      header[2 + i] = (byte) (length >> (8 * (7 - i)));
    }
    return header;
  }

  Frame read() throws IOException {
    int first = in.readUnsignedByte();
    int length = in.readUnsignedByte();
    if (length == 126) {
      length = in.readUnsignedShort();
    } else if (length == 127) {
      length = (int) in.readLong();
    }
    return new Frame(first & 0xf, in.readNBytes(length));
  }

  /// The next frame, which is a close frame, and after it the end of the connection.
  Frame readClose() throws IOException {
    Frame close = read();
    if (close.opcode() != CLOSE) {
      throw new IOException("opcode " + close.opcode() + " (expected: a close frame)");
    }
    return close;
  }

  /// Reads up to the empty line.
  String readHead() throws IOException {
    var head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      if (next < 0) {
        throw new EOFException("the server closed after: " + head);
      }
      head.append((char) next);
    }
    return head.toString();
  }

  String readRest() throws IOException {
    return new String(in.readAllBytes(), ISO_8859_1);
  }

  int readByte() throws IOException {
    return in.read();
  }

  String readText(int length) throws IOException {
    return new String(in.readNBytes(length), UTF_8);
  }

  void end() throws IOException {
    socket.shutdownOutput();
  }

  void reset() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
