package dev.penstock.protocol.yamux;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/// Frames typed by hand, independent of the code under test.
final class Bytes {
  static final int DATA = 0;
  static final int UPDATE = 1;
  static final int PING = 2;
  static final int GO_AWAY = 3;
  static final int SYN = 1;
  static final int ACK = 2;
  static final int FIN = 4;
  static final int RST = 8;

  private Bytes() {}

  /// Twelve bytes.
  static ByteBuffer frame(int type, int flags, int id, int length) {
    return ByteBuffer.allocate(12)
        .put((byte) 0)
        .put((byte) type)
        .putShort((short) flags)
        .putInt(id)
        .putInt(length)
        .flip();
  }

  /// A data frame with `length` zeros.
  static ByteBuffer data(int flags, int id, int length) {
    return ByteBuffer.allocate(12 + length).put(frame(DATA, flags, id, length)).rewind();
  }

  static ByteBuffer join(ByteBuffer... frames) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (ByteBuffer frame : frames) {
      all.writeBytes(array(frame));
    }
    return ByteBuffer.wrap(all.toByteArray());
  }

  /// Spaces are ignored.
  static ByteBuffer hex(String digits) {
    return ByteBuffer.wrap(HexFormat.of().parseHex(digits.replace(" ", "")));
  }

  /// Everything that a session has to send now, in hex.
  static String output(YamuxSession session) {
    return HexFormat.of().formatHex(outputBytes(session));
  }

  static byte[] outputBytes(YamuxSession session) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (ByteBuffer @Nullable [] batch = session.nextBatch(1 << 16, 0);
        batch != null;
        batch = session.nextBatch(1 << 16, 0)) {
      for (ByteBuffer buffer : batch) {
        all.writeBytes(array(buffer));
      }
    }
    return all.toByteArray();
  }

  static byte[] array(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }
}
