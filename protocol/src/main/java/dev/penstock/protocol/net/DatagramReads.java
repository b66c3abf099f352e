package dev.penstock.protocol.net;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocal;

/// How datagrams are read: [#BATCH] of any size with one system call, into memory that the sockets
/// of a loop share, because what was read is copied out before the next read. Of its 4 MiB only the
/// pages that datagrams reach are ever in use.
final class DatagramReads extends DefaultMaxMessagesRecvByteBufAllocator {
  /// Room for one datagram.
  static final int SLOT = 64 * 1024;

  private static final int BATCH = 64;

  /// Datagrams that one socket may take of a turn before others have theirs.
  private static final int PER_TURN = 512;

  private static final FastThreadLocal<ByteBuf> SHARED =
      new FastThreadLocal<>() {
        @Override
        protected ByteBuf initialValue() {
          return Unpooled.directBuffer(BATCH * SLOT);
        }

        @Override
        protected void onRemoval(ByteBuf buffer) {
          buffer.release();
        }
      };

  private final int bytes;

  private DatagramReads(int bytes) {
    super(PER_TURN);
    this.bytes = bytes;
  }

  /// For a transport that reads many with one call.
  static RecvByteBufAllocator batched() {
    return new DatagramReads(BATCH * SLOT);
  }

  /// For a transport that reads one with each call, and several before the first is handled.
  static RecvByteBufAllocator single() {
    return new DatagramReads(SLOT).maxMessagesPerRead(16);
  }

  @Override
  @SuppressWarnings("deprecation") // the return type of the interface
  public RecvByteBufAllocator.Handle newHandle() {
    return new MaxMessageHandle() {
      @Override
      public int guess() {
        return bytes;
      }

      @Override
      public ByteBuf allocate(ByteBufAllocator allocator) {
        if (bytes == SLOT) {
          return allocator.directBuffer(SLOT);
        }
        ByteBuf shared = SHARED.get();
        return shared.refCnt() == 1 ? shared.clear().retain() : super.allocate(allocator);
      }
    };
  }
}
