package dev.penstock.protocol.net;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.ReferenceCounted;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.concurrent.ThreadLocalRandom;

/// Writes WebSocket frames (RFC 6455 section 5.2), every message as one frame, masked where this
/// end must mask. Small payload is copied once, large payload only where the socket takes no
/// arrays.
final class WebSocketFrames {
  private static final int FIN = 0x80;
  private static final int MASKED = 0x80;
  private static final int MAX_HEADER = 14;

  /// Parts below this, headers mostly, are laid one behind the other: a system call costs more than
  /// the copy.
  private static final int SMALL_PART = 1024;

  /// Which end writes: clients mask.
  enum Side {
    CLIENT,
    SERVER
  }

  private final Side side;
  private final ByteBufAllocator allocator;

  /// What was last encoded in base64, and its encoded form; most pieces of bulk have one size.
  private byte[] plain = new byte[0];

  private byte[] encoded = new byte[0];

  WebSocketFrames(Side side, ByteBufAllocator allocator) {
    this.side = side;
    this.allocator = allocator;
  }

  ByteBuf text(ByteBuffer utf8) {
    return frame(WebSocketParser.TEXT, utf8);
  }

  /// A text with `data` in base64 inside. The encoded bytes live in memory of this writer that the
  /// next call reuses: bulk in text leaves no garbage behind.
  ByteBuf base64(ByteBuffer before, ByteBuffer data, ByteBuffer after) {
    int size = data.remaining();
    if (plain.length != size) {
      plain = new byte[size];
      encoded = new byte[(size + 2) / 3 * 4];
    }
    data.get(data.position(), plain);
    Base64.getEncoder().encode(plain, encoded);
    return frame(WebSocketParser.TEXT, before, ByteBuffer.wrap(encoded), after);
  }

  ByteBuf pong(byte[] payload) {
    return frame(WebSocketParser.PONG, ByteBuffer.wrap(payload));
  }

  /// A close frame; a reason beyond the 123 bytes that fit is cut.
  ByteBuf close(int code, String reason) {
    byte[] text = fitting(reason).getBytes(StandardCharsets.UTF_8);
    return frame(
        WebSocketParser.CLOSE,
        ByteBuffer.allocate(2 + text.length).putShort((short) code).put(text).flip());
  }

  /// @param memory of the loop, which gets back what is copied
  ByteBuf binary(ByteBuffer[] parts, ReadMemory memory) {
    ByteBuf frame = frame(WebSocketParser.BINARY, parts);
    for (ByteBuffer part : parts) {
      memory.giveBack(part);
    }
    return frame;
  }

  /// As [#binary(ByteBuffer[], ReadMemory)], for a socket that takes arrays: large parts are not
  /// copied, and masked where they are. The arrays are given away.
  ReferenceCounted binary(ByteBuffer[] parts, int socket, ReadMemory memory) {
    int length = 0;
    int copied = MAX_HEADER;
    for (ByteBuffer part : parts) {
      length += part.remaining();
      copied += part.remaining() < SMALL_PART ? part.remaining() : 0;
    }
    if (length < ArrayMessage.SMALLEST) {
      return binary(parts, memory);
    }
    int key = ThreadLocalRandom.current().nextInt();
    var small = ByteBuffer.allocate(copied);
    header(small, length, key);
    var message = new ArrayList<ByteBuffer>(parts.length + 2);
    int from = 0;
    int phase = 0;
    for (ByteBuffer part : parts) {
      int size = part.remaining();
      ByteBuffer payload = part;
      if (size < SMALL_PART) {
        payload = small.slice(small.position(), size);
        small.put(part);
        memory.giveBack(part, size);
      } else {
        message.add(small.slice(from, small.position() - from));
        from = small.position();
        message.add(part);
      }
      if (side == Side.CLIENT) {
        int at = payload.arrayOffset() + payload.position();
        WebSocketMask.apply(payload.array(), at, size, key, phase);
      }
      phase += size;
    }
    message.add(small.slice(from, small.position() - from));
    return new ArrayMessage(socket, memory, message.toArray(ByteBuffer[]::new));
  }

  private void header(ByteBuffer frame, int length, int key) {
    int masked = side == Side.CLIENT ? MASKED : 0;
    frame.put((byte) (FIN | WebSocketParser.BINARY));
    if (length < 0x10000) {
      frame.put((byte) (masked | 126)).putShort((short) length);
    } else {
      frame.put((byte) (masked | 127)).putLong(length);
    }
    if (side == Side.CLIENT) {
      frame.putInt(key);
    }
  }

  private ByteBuf frame(int opcode, ByteBuffer... parts) {
    int length = 0;
    for (ByteBuffer part : parts) {
      length += part.remaining();
    }
    ByteBuf frame = allocator.directBuffer(MAX_HEADER + length);
    int masked = side == Side.CLIENT ? MASKED : 0;
    frame.writeByte(FIN | opcode);
    if (length < 126) {
      frame.writeByte(masked | length);
    } else if (length < 0x10000) {
      frame.writeByte(masked | 126).writeShort(length);
    } else {
      frame.writeByte(masked | 127).writeLong(length);
    }
    if (side == Side.SERVER) {
      for (ByteBuffer part : parts) {
        frame.writeBytes(part.array(), part.arrayOffset() + part.position(), part.remaining());
      }
      return frame;
    }
    int key = ThreadLocalRandom.current().nextInt();
    frame.writeInt(key);
    ByteBuffer payload = frame.internalNioBuffer(frame.writerIndex(), length);
    int start = payload.position();
    for (ByteBuffer part : parts) {
      WebSocketMask.copy(
          part.array(),
          part.arrayOffset() + part.position(),
          part.remaining(),
          payload,
          key,
          payload.position() - start);
    }
    return frame.writerIndex(frame.writerIndex() + length);
  }

  private static String fitting(String reason) {
    byte[] bytes = reason.getBytes(StandardCharsets.UTF_8);
    if (bytes.length <= 123) {
      return reason;
    }
    int end = 120;
    while ((bytes[end] & 0xC0) == 0x80) {
      end--;
    }
    return new String(bytes, 0, end, StandardCharsets.UTF_8) + "...";
  }
}
