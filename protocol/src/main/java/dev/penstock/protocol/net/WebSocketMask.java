package dev.penstock.protocol.net;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// The masking of RFC 6455 section 5.3, eight bytes at a time. Masking and unmasking are the same.
final class WebSocketMask {
  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private WebSocketMask() {}

  /// Masks `bytes` in place.
  ///
  /// @param key the masking key, its first byte highest
  /// @param phase how many payload bytes of the frame went before
  static void apply(byte[] bytes, int key, long phase) {
    long mask = eight(key, phase);
    int at = 0;
    for (; at <= bytes.length - Long.BYTES; at += Long.BYTES) {
      LONGS.set(bytes, at, (long) LONGS.get(bytes, at) ^ mask);
    }
    for (int shift = 56; at < bytes.length; at++, shift -= 8) {
      bytes[at] ^= (byte) (mask >>> shift);
    }
  }

  /// Appends `from[offset .. offset + length)` to `to`, masked. `to` is big-endian.
  static void copy(byte[] from, int offset, int length, ByteBuffer to, int key, long phase) {
    long mask = eight(key, phase);
    int at = offset;
    int end = offset + length;
    int target = to.position();
    for (; at <= end - Long.BYTES; at += Long.BYTES, target += Long.BYTES) {
      to.putLong(target, (long) LONGS.get(from, at) ^ mask);
    }
    for (int shift = 56; at < end; at++, target++, shift -= 8) {
      to.put(target, (byte) (from[at] ^ (mask >>> shift)));
    }
    to.position(target);
  }

  private static long eight(int key, long phase) {
    long four = Integer.rotateLeft(key, (int) (phase & 3) * Byte.SIZE) & 0xFFFFFFFFL;
    return four << 32 | four;
  }
}
