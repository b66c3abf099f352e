package dev.penstock.protocol.net;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Where the sockets of one loop read into: a block that many reads share, one behind the other, so
/// that memory is cleared once for every byte that is used and a read that finds little wastes
/// little.
///
/// What is read belongs to the caller; the block is garbage when nobody holds a piece of it any
/// more. So that a small piece that is held for long does not keep a whole block, reads that find
/// less than [#SMALLEST_SHARED] are copied out of it.
///
/// Thread rule: belongs to the loop.
final class ReadMemory {
  /// Bytes of a block, which is also the largest read. Twice as much is no faster: what is read
  /// should still be in the processor's cache when it is sent.
  static final int BLOCK = 128 * 1024;

  /// A read of less is copied; a piece of a block keeps at most 16 times its size.
  static final int SMALLEST_SHARED = BLOCK / 16;

  private byte[] block = new byte[0];
  private int used;

  /// One read of at most `most` bytes.
  ///
  /// @return what came, at least one byte; null when there was nothing, for whatever reason
  @Nullable ByteBuffer receive(int socket, int most) {
    if (block.length - used < Math.min(most, SMALLEST_SHARED)) {
      block = new byte[BLOCK];
      used = 0;
    }
    int count = ArrayIo.receive(socket, block, used, Math.min(most, block.length - used));
    if (count == ArrayIo.NOTHING) {
      return null;
    }
    if (count < SMALLEST_SHARED) {
      return ByteBuffer.wrap(Arrays.copyOfRange(block, used, used + count));
    }
    ByteBuffer bytes = ByteBuffer.wrap(block, used, count);
    used += count;
    return bytes;
  }
}
