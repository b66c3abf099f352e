package dev.penstock.protocol.net;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Reads WebSocket frames (RFC 6455 section 5.2) in any chunking. Payload of binary messages is
/// handed on piece by piece as it arrives, where it arrived; text messages are put together up to a
/// limit. One owner thread.
final class WebSocketParser {
  static final int CONTINUATION = 0;
  static final int TEXT = 1;
  static final int BINARY = 2;
  static final int CLOSE = 8;
  static final int PING = 9;
  static final int PONG = 10;

  private static final int MAX_CONTROL = 125;
  private static final int NO_STATUS = 1005;

  /// A tunnel's data message of 32 KiB, in base64.
  private static final int USUAL_TEXT = 44 * 1024;

  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
  private static final long NOT_ASCII = 0x8080_8080_8080_8080L;

  /// What comes out.
  interface Sink {
    void binary(ByteBuffer bytes);

    void text(ByteBuffer utf8);

    void ping(byte[] payload);

    void close(int code, String reason);
  }

  private final WebSocketFrames.Side peer;
  private final int maxText;
  private final int maxFrame;
  private final Sink sink;

  private final byte[] header = new byte[14];
  private int headerSeen;
  private int headerNeeded = 2;

  private boolean inPayload;
  private int opcode;
  private boolean last;
  private int key;
  private long remaining;
  private long phase;

  /// The kind of message that a continuation goes on: TEXT, BINARY, or 0 for none.
  private int message;

  private byte[] collected = new byte[0];
  private int collectedSize;

  /// @param peer which end sends what is read: clients must mask, servers must not
  WebSocketParser(WebSocketFrames.Side peer, int maxText, int maxFrame, Sink sink) {
    this.peer = peer;
    this.maxText = maxText;
    this.maxFrame = maxFrame;
    this.sink = sink;
  }

  /// Reads all of `in`, a view of an array that the caller gives away.
  ///
  /// @throws WebSocketViolation the peer broke the protocol or a limit; nothing more may be read
  void read(ByteBuffer in) {
    while (in.hasRemaining()) {
      if (!inPayload) {
        readHeader(in);
      } else {
        readPayload(in);
      }
      if (inPayload && remaining == 0) {
        endOfFrame();
      }
    }
  }

  private void readHeader(ByteBuffer in) {
    int take = Math.min(in.remaining(), headerNeeded - headerSeen);
    in.get(header, headerSeen, take);
    headerSeen += take;
    if (headerSeen < headerNeeded) {
      return;
    }
    int lengthCode = header[1] & 0x7F;
    if (headerNeeded == 2) {
      checkFirstBytes(lengthCode);
      int extended = lengthCode == 126 ? 2 : lengthCode == 127 ? 8 : 0;
      headerNeeded = 2 + extended + ((header[1] & 0x80) != 0 ? 4 : 0);
      if (headerSeen < headerNeeded) {
        return;
      }
    }
    ByteBuffer rest = ByteBuffer.wrap(header, 2, headerNeeded - 2);
    remaining =
        switch (lengthCode) {
          case 126 -> rest.getShort() & 0xFFFF;
          case 127 -> rest.getLong();
          default -> lengthCode;
        };
    if (remaining < 0 || remaining > maxFrame) {
      throw new WebSocketViolation(
          WebSocketMessage.Close.TOO_BIG,
          "frame of "
              + Long.toUnsignedString(remaining)
              + " bytes (expected: at most "
              + maxFrame
              + ")");
    }
    key = (header[1] & 0x80) != 0 ? rest.getInt() : 0;
    phase = 0;
    inPayload = true;
    if (opcode == TEXT) {
      message = TEXT;
    } else if (opcode == BINARY) {
      message = BINARY;
    }
    if (message == TEXT && opcode < CLOSE && collectedSize + remaining > maxText) {
      throw new WebSocketViolation(
          WebSocketMessage.Close.TOO_BIG,
          "text message of more than " + maxText + " bytes (expected: at most " + maxText + ")");
    }
  }

  private void checkFirstBytes(int lengthCode) {
    last = (header[0] & 0x80) != 0;
    opcode = header[0] & 0x0F;
    boolean masked = (header[1] & 0x80) != 0;
    if ((header[0] & 0x70) != 0) {
      throw broken("reserved bits set and no extension was agreed");
    }
    switch (opcode) {
      case TEXT, BINARY -> {
        if (message != 0) {
          throw broken("a new message inside a fragmented one");
        }
      }
      case CONTINUATION -> {
        if (message == 0) {
          throw broken("a continuation of nothing");
        }
      }
      case CLOSE, PING, PONG -> {
        if (!last || lengthCode > MAX_CONTROL) {
          throw broken("a control frame that is fragmented or has more than 125 bytes");
        }
      }
      default -> throw broken("opcode " + opcode + " (expected: 0, 1, 2, 8, 9 or 10)");
    }
    if (masked != (peer == WebSocketFrames.Side.CLIENT)) {
      throw broken(
          masked
              ? "a masked frame of a server"
              : "an unmasked frame of a client (expected: masked)");
    }
  }

  private void readPayload(ByteBuffer in) {
    int size = (int) Math.min(remaining, in.remaining());
    if (opcode >= CLOSE || message == TEXT) {
      collect(in, size);
    } else {
      if (key != 0) {
        WebSocketMask.apply(in.array(), in.arrayOffset() + in.position(), size, key, phase);
      }
      sink.binary(in.slice(in.position(), size));
      in.position(in.position() + size);
    }
    phase += size;
    remaining -= size;
  }

  /// Control frames may come between the fragments of a text: what was collected of it stays in
  /// front. Room for what a frame announces is made at once only up to a usual size, so that an
  /// announcement alone costs little.
  private void collect(ByteBuffer in, int size) {
    if (collected.length < collectedSize + size) {
      int announced = (int) Math.min(remaining, USUAL_TEXT);
      collected =
          Arrays.copyOf(
              collected, Math.max(collectedSize + Math.max(size, announced), collected.length * 2));
    }
    in.get(collected, collectedSize, size);
    if (key != 0) {
      WebSocketMask.apply(collected, collectedSize, size, key, phase);
    }
    collectedSize += size;
  }

  private void endOfFrame() {
    inPayload = false;
    headerSeen = 0;
    headerNeeded = 2;
    if (opcode >= CLOSE) {
      int size = (int) phase;
      collectedSize -= size;
      control(Arrays.copyOfRange(collected, collectedSize, collectedSize + size));
    } else if (last) {
      boolean text = message == TEXT;
      message = 0;
      if (text) {
        if (!isAscii(collected, collectedSize)) {
          utf8(collected, 0, collectedSize);
        }
        ByteBuffer whole = ByteBuffer.wrap(collected, 0, collectedSize).slice();
        collected = new byte[0];
        collectedSize = 0;
        sink.text(whole);
      }
    }
  }

  private void control(byte[] payload) {
    switch (opcode) {
      case PING -> sink.ping(payload);
      case CLOSE -> {
        if (payload.length == 1) {
          throw broken("a close frame of one byte");
        }
        int code = payload.length == 0 ? NO_STATUS : ByteBuffer.wrap(payload).getShort() & 0xFFFF;
        sink.close(code, payload.length == 0 ? "" : utf8(payload, 2, payload.length));
      }
      default -> {
        // A pong: that it came is all there is to it.
      }
    }
  }

  private static boolean isAscii(byte[] bytes, int size) {
    int longs = size & -Long.BYTES;
    long seen = 0;
    for (int at = 0; at < longs; at += Long.BYTES) {
      seen |= (long) LONGS.get(bytes, at);
    }
    for (int at = longs; at < size; at++) {
      seen |= bytes[at];
    }
    return (seen & NOT_ASCII) == 0;
  }

  private static String utf8(byte[] bytes, int from, int to) {
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(bytes, from, to - from))
          .toString();
    } catch (CharacterCodingException e) {
      throw new WebSocketViolation(
          WebSocketMessage.Close.INVALID_PAYLOAD, "text that is not UTF-8");
    }
  }

  private static WebSocketViolation broken(String what) {
    return new WebSocketViolation(WebSocketMessage.Close.PROTOCOL_ERROR, what);
  }
}
