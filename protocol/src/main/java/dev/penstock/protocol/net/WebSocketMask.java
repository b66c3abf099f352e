package dev.penstock.protocol.net;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// The masking of WebSocket payload (RFC 6455 section 5.3), eight bytes at a time and in the order
/// of the machine. Masking and unmasking are the same.
///
/// Each loop sees one kind of memory only, so that the JIT makes vector code of it: one loop over
/// segments of both kinds was slower by a factor of ten.
final class WebSocketMask {
  private static final boolean LITTLE = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  private WebSocketMask() {}

  /// Masks `bytes[offset .. offset + length)` in place.
  ///
  /// @param key the masking key, its first byte highest
  /// @param phase how many payload bytes of the frame went before
  static void apply(byte[] bytes, int offset, int length, int key, long phase) {
    long mask = eight(key, phase);
    int end = offset + length;
    int longs = offset + (length & -Long.BYTES);
    for (int at = offset; at < longs; at += Long.BYTES) {
      LONGS.set(bytes, at, (long) LONGS.get(bytes, at) ^ mask);
    }
    for (int at = longs; at < end; at++) {
      bytes[at] ^= byteOf(mask, at - longs);
    }
  }

  /// Appends `from[offset .. offset + length)` to `to`, masked. `to` is direct.
  static void copy(byte[] from, int offset, int length, ByteBuffer to, int key, long phase) {
    long mask = eight(key, phase);
    int longs = length & -Long.BYTES;
    var source = MemorySegment.ofArray(from).asSlice(offset, longs);
    var target = MemorySegment.ofBuffer(to);
    for (int at = 0; at < longs; at += Long.BYTES) {
      target.set(LONG, at, source.get(LONG, at) ^ mask);
    }
    to.position(to.position() + longs);
    for (int at = longs; at < length; at++) {
      to.put((byte) (from[offset + at] ^ byteOf(mask, at - longs)));
    }
  }

  /// The mask of eight bytes, as the memory shows it when it is read as one long.
  private static long eight(int key, long phase) {
    long four = Integer.rotateLeft(key, (int) (phase & 3) * Byte.SIZE) & 0xFFFFFFFFL;
    long mask = four << 32 | four;
    return LITTLE ? Long.reverseBytes(mask) : mask;
  }

  private static byte byteOf(long mask, int index) {
    int shift = LITTLE ? index : 7 - index;
    return (byte) (mask >>> (shift * Byte.SIZE));
  }
}
