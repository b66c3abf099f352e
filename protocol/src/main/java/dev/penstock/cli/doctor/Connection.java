package dev.penstock.cli.doctor;

import dev.penstock.cli.doctor.Seen.Http;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/// One connection of a probe: an HTTP request, or an upgrade and then messages. Blocks; one thread.
/// Each call ends within the patience, however slowly bytes come.
public final class Connection implements AutoCloseable {
  private static final int MAX_HEAD = 64 * 1024;
  private static final int MAX_BODY = 32 * 1024 * 1024;
  private static final int MAX_MESSAGE = 4 * 1024 * 1024;
  private static final String ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

  private static final int CONTINUATION = 0;
  private static final int TEXT = 1;
  private static final int BINARY = 2;
  private static final int CLOSE = 8;
  private static final int PING = 9;
  private static final int PONG = 10;
  private static final int FIN = 0x80;

  private final Socket socket;
  private final Duration patience;
  private final InputStream in;
  private long deadline;

  /// A message of the WebSocket.
  public sealed interface Message {
    /// A text.
    record Text(String text) implements Message {}

    /// Bytes, big endian.
    record Binary(ByteBuffer bytes) implements Message {}

    /// The other end closes.
    record Close(int code, String reason) implements Message {}
  }

  Connection(Socket socket, Duration patience) throws IOException {
    this.socket = socket;
    this.patience = patience;
    this.in = new BufferedInputStream(socket.getInputStream());
  }

  Socket socket() {
    return socket;
  }

  @Override
  public void close() {
    closeQuietly(socket);
  }

  static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException _) {
      // It is of no use any more either way.
    }
  }

  /// One request without a body, after which the connection is of no use.
  Http request(String path, Map<String, String> headers) {
    var all = new LinkedHashMap<>(headers);
    all.put("Connection", "close");
    return exchange(path, all);
  }

  /// Asks for a WebSocket. An answer of 101 that is not one has a detail that says so.
  public Http upgrade(String path, Map<String, String> headers) {
    var nonce = new byte[16];
    ThreadLocalRandom.current().nextBytes(nonce);
    String key = Base64.getEncoder().encodeToString(nonce);
    var all = new LinkedHashMap<>(headers);
    all.put("Upgrade", "websocket");
    all.put("Connection", "Upgrade");
    all.put("Sec-WebSocket-Version", "13");
    all.put("Sec-WebSocket-Key", key);
    Http answer = exchange(path, all);
    if (answer.status() != 101) {
      return answer;
    }
    String problem = "";
    if (!answer.header("upgrade").equalsIgnoreCase("websocket")) {
      problem = "without the header Upgrade";
    } else if (!answer.header("sec-websocket-accept").equals(acceptOf(key))) {
      problem = "with a wrong Sec-WebSocket-Accept";
    }
    return new Http(answer.outcome(), 101, answer.headers(), "", problem);
  }

  private static String acceptOf(String key) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-1")
              .digest((key + ACCEPT_SUFFIX).getBytes(StandardCharsets.US_ASCII));
      return Base64.getEncoder().encodeToString(digest);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-1", e);
    }
  }

  private Http exchange(String path, Map<String, String> headers) {
    begin();
    try {
      var request = new StringBuilder("GET ").append(path).append(" HTTP/1.1\r\n");
      headers.forEach(
          (name, value) -> request.append(name).append(": ").append(value).append("\r\n"));
      request.append("\r\n");
      socket.getOutputStream().write(request.toString().getBytes(StandardCharsets.ISO_8859_1));
      socket.getOutputStream().flush();
      return answer();
    } catch (SocketTimeoutException _) {
      return nothing(Http.Outcome.SILENT, "");
    } catch (EOFException _) {
      return nothing(Http.Outcome.CLOSED, "");
    } catch (IOException e) {
      return nothing(Http.Outcome.CLOSED, String.valueOf(e.getMessage()));
    }
  }

  private static Http nothing(Http.Outcome outcome, String detail) {
    return new Http(outcome, 0, Map.of(), "", detail);
  }

  private Http answer() throws IOException {
    String first = line();
    String[] words = first.split(" ", 3);
    if (!first.startsWith("HTTP/1.") || words.length < 2 || !words[1].matches("[1-5][0-9]{2}")) {
      return nothing(Http.Outcome.NOT_HTTP, first);
    }
    int status = Integer.parseInt(words[1]);
    var headers = new HashMap<String, String>();
    for (String line = line(); !line.isEmpty(); line = line()) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        headers.put(
            line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
      }
    }
    return new Http(Http.Outcome.ANSWERED, status, headers, status == 101 ? "" : body(headers), "");
  }

  /// As much of the body as comes: what is missing of it is no fault of the answer.
  private String body(Map<String, String> headers) {
    var body = new ByteArrayOutputStream();
    try {
      boolean chunked = headers.getOrDefault("transfer-encoding", "").equalsIgnoreCase("chunked");
      if (chunked) {
        for (int size = chunkSize(); size > 0; size = chunkSize()) {
          body.writeBytes(bytes(Math.min(size, MAX_BODY - body.size())));
          line();
        }
      } else {
        String length = headers.getOrDefault("content-length", "");
        long left = length.matches("[0-9]{1,9}") ? Long.parseLong(length) : MAX_BODY;
        while (left > 0 && body.size() < MAX_BODY) {
          body.write(read());
          left--;
        }
      }
    } catch (IOException _) {
      // The end of a body without a length, or of the patience.
    }
    return body.toString(StandardCharsets.UTF_8);
  }

  private int chunkSize() throws IOException {
    String size = line().split(";", 2)[0].strip();
    return size.matches("[0-9a-fA-F]{1,7}") ? Integer.parseInt(size, 16) : 0;
  }

  private String line() throws IOException {
    var line = new StringBuilder();
    for (int next = read(); next != '\n'; next = read()) {
      if (line.length() >= MAX_HEAD) {
        return line.toString();
      }
      line.append((char) next);
    }
    return line.toString().strip();
  }

  /// Sends a text message.
  public void send(String text) throws IOException {
    begin();
    frame(TEXT, text.getBytes(StandardCharsets.UTF_8));
  }

  /// Sends a binary message.
  public void send(byte[] bytes) throws IOException {
    begin();
    frame(BINARY, bytes);
  }

  /// Sends the normal end.
  public void sendClose() {
    try {
      frame(CLOSE, new byte[] {3, (byte) 0xe8});
    } catch (IOException _) {
      // The other end has gone already.
    }
  }

  /// The next message; null when none comes within the patience.
  public @Nullable Message receive() throws IOException {
    begin();
    var message = new ByteArrayOutputStream();
    int kind = TEXT;
    try {
      while (true) {
        int first = read();
        int second = read();
        long length = second & 0x7f;
        if (length == 126) {
          length = new BigInteger(1, bytes(2)).longValue();
        } else if (length == 127) {
          length = new BigInteger(1, bytes(8)).longValue();
        }
        if (length < 0 || length + message.size() > MAX_MESSAGE) {
          throw new IOException("a message of " + length + " bytes");
        }
        byte[] payload = bytes((int) length);
        switch (first & 0x0f) {
          case PING -> frame(PONG, payload);
          case PONG -> {}
          case CLOSE -> {
            return closeOf(payload);
          }
          default -> {
            if ((first & 0x0f) != CONTINUATION) {
              kind = first & 0x0f;
            }
            message.writeBytes(payload);
            if ((first & FIN) != 0) {
              return kind == TEXT
                  ? new Message.Text(message.toString(StandardCharsets.UTF_8))
                  : new Message.Binary(ByteBuffer.wrap(message.toByteArray()));
            }
          }
        }
      }
    } catch (SocketTimeoutException _) {
      return null;
    }
  }

  private static Message closeOf(byte[] payload) {
    return payload.length < 2
        ? new Message.Close(1005, "")
        : new Message.Close(
            (payload[0] & 0xff) << 8 | (payload[1] & 0xff),
            new String(payload, 2, payload.length - 2, StandardCharsets.UTF_8));
  }

  private void frame(int kind, byte[] payload) throws IOException {
    var frame = ByteBuffer.allocate(payload.length + 14);
    frame.put((byte) (FIN | kind));
    if (payload.length < 126) {
      frame.put((byte) (0x80 | payload.length));
    } else if (payload.length < 65_536) {
      frame.put((byte) (0x80 | 126)).putShort((short) payload.length);
    } else {
      frame.put((byte) (0x80 | 127)).putLong(payload.length);
    }
    var mask = new byte[4];
    ThreadLocalRandom.current().nextBytes(mask);
    frame.put(mask);
    for (int i = 0; i < payload.length; i++) {
      frame.put((byte) (payload[i] ^ mask[i & 3]));
    }
    socket.getOutputStream().write(frame.array(), 0, frame.position());
    socket.getOutputStream().flush();
  }

  private byte[] bytes(int count) throws IOException {
    var bytes = new byte[count];
    for (int i = 0; i < count; i++) {
      bytes[i] = (byte) read();
    }
    return bytes;
  }

  private void begin() {
    deadline = System.nanoTime() + patience.toNanos();
  }

  private int read() throws IOException {
    if (in.available() == 0) {
      long left = (deadline - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        throw new SocketTimeoutException();
      }
      socket.setSoTimeout((int) left);
    }
    int next = in.read();
    if (next < 0) {
      throw new EOFException("closed");
    }
    return next;
  }
}
