package dev.penstock.protocol.net;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Where the sockets of one loop read into: blocks that are lent to who carries the bytes, and read
/// into again when they came back. The memory that a busy loop uses stays that of a few blocks,
/// which the processor has at hand, and is not cleared for every read.
///
/// What was read belongs to the caller until it is given back: by the connection of this loop that
/// it is written to, once the kernel or a buffer of Netty has its bytes, or by who copied them. So
/// whoever has lent bytes passes them on once and never looks at them again; who keeps them for
/// long, or needs them twice, takes a copy ([#alone]). Bytes that never come back cost nothing but
/// their block, which is garbage then: bytes of another loop, for instance, or those of a
/// connection that was cut.
///
/// With assertions enabled a block is overwritten when it is free, so that a test finds who looks
/// too late.
///
/// Thread rule: belongs to the loop.
public final class ReadMemory {
  /// Bytes of a block, which is also the largest read. Twice as much is no faster: what is read
  /// should still be in the processor's cache when it is sent.
  static final int BLOCK = 128 * 1024;

  /// A read of less is copied; a piece of a block keeps at most 16 times its size.
  static final int SMALLEST_LENT = BLOCK / 16;

  /// Blocks that are waited for; of more the oldest is forgotten.
  static final int MOST_LENT = 32;

  /// Blocks that are kept for later; what a turn of a busy loop needs.
  static final int MOST_SPARE = 8;

  /// What fills memory, as [ArrayIo#receive] does.
  interface Input {
    int read(int socket, byte[] into, int offset, int length);
  }

  private static final byte FREED = (byte) 0xDF;

  /// A block, of which `used` bytes were read and `lent` of these are not given back.
  private static final class Block {
    final byte[] array = new byte[BLOCK];
    int used;
    int lent;
  }

  private final Input input;
  private @Nullable Block current;

  /// Full blocks, the oldest first.
  private final List<Block> full = new ArrayList<>();

  /// The one that was used last is taken first.
  private final ArrayDeque<Block> spare = new ArrayDeque<>(MOST_SPARE);

  public ReadMemory() {
    this(ArrayIo::receive);
  }

  ReadMemory(Input input) {
    this.input = input;
  }

  /// One read of at most `most` bytes, lent to the caller.
  ///
  /// @return what came, at least one byte; null when there was nothing, for whatever reason
  @Nullable ByteBuffer receive(int socket, int most) {
    return receive(socket, most, SMALLEST_LENT);
  }

  /// As [#receive], but what came is the caller's for ever.
  @Nullable ByteBuffer receiveAlone(int socket, int most) {
    return receive(socket, most, Integer.MAX_VALUE);
  }

  /// @param smallestLent a read of less is copied
  private @Nullable ByteBuffer receive(int socket, int most, int smallestLent) {
    Block into = withRoom(Math.min(most, SMALLEST_LENT));
    int count = input.read(socket, into.array, into.used, Math.min(most, BLOCK - into.used));
    if (count == ArrayIo.NOTHING) {
      return null;
    }
    ByteBuffer bytes = ByteBuffer.wrap(into.array, into.used, count);
    if (count < smallestLent) {
      return copyOf(bytes);
    }
    into.used += count;
    into.lent += count;
    return bytes;
  }

  private Block withRoom(int least) {
    Block now = current;
    if (now != null && BLOCK - now.used >= least) {
      return now;
    }
    if (now != null) {
      full.add(now);
      if (full.size() > MOST_LENT) {
        full.removeFirst();
      }
    }
    Block next = spare.isEmpty() ? new Block() : spare.pop();
    current = next;
    return next;
  }

  /// The next `count` bytes of what was lent are not needed any more. Nothing happens when `piece`
  /// is no memory of this loop.
  ///
  /// @param piece any view of the array that they are in
  /// @throws IllegalStateException more came back than was lent: somebody gave the same bytes back
  ///   twice
  @SuppressWarnings({"ByteBufferBackingArray", "ReferenceEquality"}) // which array is the question
  public void giveBack(ByteBuffer piece, int count) {
    byte[] array = piece.array();
    Block now = current;
    if (now != null && now.array == array) {
      free(now, count);
      return;
    }
    for (int i = full.size() - 1; i >= 0; i--) {
      Block block = full.get(i);
      if (block.array == array) {
        if (free(block, count)) {
          full.remove(i);
          if (spare.size() < MOST_SPARE) {
            spare.push(block);
          }
        }
        return;
      }
    }
  }

  /// Gives back what is left of `piece`.
  public void giveBack(ByteBuffer piece) {
    giveBack(piece, piece.remaining());
  }

  /// Whether all of the block is free now.
  private static boolean free(Block block, int count) {
    block.lent -= count;
    if (block.lent < 0) {
      throw new IllegalStateException(
          "given back: %d bytes more than were lent of a block".formatted(-block.lent));
    }
    if (block.lent > 0) {
      return false;
    }
    assert overwritten(block);
    block.used = 0;
    return true;
  }

  private static boolean overwritten(Block block) {
    Arrays.fill(block.array, 0, block.used, FREED);
    return true;
  }

  /// The same bytes, to be kept for long: in an array of their own, and those of the loop given
  /// back; unless they are most of the array that they are in.
  @SuppressWarnings("ByteBufferBackingArray") // the whole array's size is meant
  public ByteBuffer alone(ByteBuffer bytes) {
    if (bytes.remaining() >= bytes.array().length / 2) {
      return bytes;
    }
    ByteBuffer copy = copyOf(bytes);
    giveBack(bytes);
    return copy;
  }

  /// The same bytes in an array of their own.
  public static ByteBuffer copyOf(ByteBuffer bytes) {
    int from = bytes.arrayOffset() + bytes.position();
    return ByteBuffer.wrap(Arrays.copyOfRange(bytes.array(), from, from + bytes.remaining()));
  }

  /// Whether both are parts of one array. As long as one of them waits somewhere, the whole array
  /// stays.
  @SuppressWarnings({"ByteBufferBackingArray", "ReferenceEquality"}) // which array is the question
  public static boolean shareArray(ByteBuffer one, ByteBuffer other) {
    return one.array() == other.array();
  }
}
