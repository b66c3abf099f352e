package dev.penstock.protocol.yamux;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// The twelve bytes in front of every frame, big endian: version u8, type u8, flags u16, stream id
/// u32, length u32 (hashicorp/yamux spec.md, "Framing"). Numbers instead of objects, because there
/// is one per frame.
final class FrameHeader {
  static final int BYTES = 12;
  static final int VERSION = 0;

  /// Flags, and the only ones; a receiver ignores other bits.
  static final int NONE = 0;

  /// Opens a stream, or asks for the answer to a ping.
  static final int SYN = 1;

  /// Accepts a stream, or answers a ping.
  static final int ACK = 2;

  /// The sender's direction of the stream ends here.
  static final int FIN = 4;

  /// Both directions of the stream end here.
  static final int RST = 8;

  private static final VarHandle INTS =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

  private FrameHeader() {}

  static void write(byte[] to, int at, FrameType type, int flags, int streamId, int length) {
    INTS.set(to, at, VERSION << 24 | type.wire() << 16 | flags);
    INTS.set(to, at + 4, streamId);
    INTS.set(to, at + 8, length);
  }
}
