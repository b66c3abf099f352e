package dev.penstock.testkit.original;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Base64;

/// A gateway that does what a test says, frame by frame.
final class PuppetGateway implements Closeable {
  static final int TEXT = 1;
  static final int BINARY = 2;
  static final int CLOSE = 8;

  private static final int PATIENCE_MILLIS = 15_000;
  private static final ObjectMapper JSON = new ObjectMapper();

  /// One frame as it came.
  record Frame(boolean last, int opcode, ByteBuffer payload) {
    String text() {
      return StandardCharsets.UTF_8.decode(payload.duplicate()).toString();
    }
  }

  private final ServerSocket listener;

  PuppetGateway() throws IOException {
    listener = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    listener.setSoTimeout(PATIENCE_MILLIS);
  }

  URI api() {
    return URI.create("http://127.0.0.1:" + listener.getLocalPort());
  }

  /// Waits for the next upgrade request and grants it.
  Link accept() throws IOException {
    Request request = next();
    String accepted =
        Base64.getEncoder()
            .encodeToString(
                sha1(request.header("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    request.answer(
        "101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: "
            + accepted);
    return new Link(request);
  }

  /// Waits for the next upgrade request and answers with another status.
  void refuse(int status) throws IOException {
    Request request = next();
    request.answer(status + " No\r\nContent-Length: 0");
    request.socket.close();
  }

  private Request next() throws IOException {
    Socket socket = listener.accept();
    socket.setSoTimeout(PATIENCE_MILLIS);
    var head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      head.append((char) socket.getInputStream().read());
    }
    return new Request(socket, head.toString());
  }

  private static byte[] sha1(String text) {
    try {
      return MessageDigest.getInstance("SHA-1").digest(text.getBytes(StandardCharsets.US_ASCII));
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
  }

  private record Request(Socket socket, String head) {
    String header(String name) {
      return head.lines()
          .filter(line -> line.regionMatches(true, 0, name + ":", 0, name.length() + 1))
          .map(line -> line.substring(name.length() + 1).strip())
          .findFirst()
          .orElse("");
    }

    void answer(String status) throws IOException {
      socket
          .getOutputStream()
          .write(("HTTP/1.1 " + status + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
    }
  }

  /// One WebSocket of the agent.
  static final class Link {
    private final Request request;
    private final DataInputStream in;

    private Link(Request request) throws IOException {
      this.request = request;
      this.in = new DataInputStream(request.socket().getInputStream());
    }

    /// Path and query that were asked for.
    String target() {
      return request.head().split(" ", 3)[1];
    }

    String header(String name) {
      return request.header(name);
    }

    Frame frame() throws IOException {
      int first = in.readUnsignedByte();
      int second = in.readUnsignedByte();
      if ((second & 0x80) == 0) {
        throw new AssertionError("a frame without a mask");
      }
      int length = second & 0x7f;
      if (length == 126) {
        length = in.readUnsignedShort();
      } else if (length == 127) {
        throw new AssertionError("a frame of 64 KiB or more");
      }
      byte[] mask = in.readNBytes(4);
      byte[] payload = in.readNBytes(length);
      for (int i = 0; i < payload.length; i++) {
        payload[i] ^= mask[i & 3];
      }
      return new Frame((first & 0x80) != 0, first & 0x0f, ByteBuffer.wrap(payload));
    }

    /// The next whole message with this opcode; others are passed over.
    Frame message(int opcode) throws IOException {
      while (true) {
        Frame frame = frame();
        int kind = frame.opcode();
        var whole = new ByteArrayOutputStream();
        whole.write(frame.payload().array());
        while (!frame.last()) {
          frame = frame();
          whole.write(frame.payload().array());
        }
        if (kind == opcode) {
          return new Frame(true, kind, ByteBuffer.wrap(whole.toByteArray()));
        }
      }
    }

    /// The next control message of this type; others are passed over.
    JsonNode json(String type) throws IOException {
      while (true) {
        JsonNode message = JSON.readTree(message(TEXT).text());
        if (message.path("type").asText().equals(type)) {
          return message;
        }
      }
    }

    void say(String text) throws IOException {
      send(TEXT, text.getBytes(StandardCharsets.UTF_8));
    }

    void send(int opcode, byte[] payload) throws IOException {
      var header = ByteBuffer.allocate(4).put((byte) (0x80 | opcode));
      if (payload.length < 126) {
        header.put((byte) payload.length);
      } else {
        header.put((byte) 126).putShort((short) payload.length);
      }
      OutputStream out = request.socket().getOutputStream();
      out.write(header.array(), 0, header.position());
      out.write(payload);
    }

    void cut() throws IOException {
      request.socket().close();
    }
  }
}
