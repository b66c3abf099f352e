package dev.penstock.protocol.net;

import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import io.netty.channel.RecvByteBufAllocator;
import java.util.concurrent.atomic.AtomicInteger;

/// How much one read of a socket takes: one read a turn, of a size that follows what the last reads
/// found. A few busy connections read in large pieces, which spares system calls and
/// acknowledgements; many get smaller ones, so that what was read and waits for demand stays small.
///
/// Thread rule: handles belong to the loop of their channel, the rest to any thread.
final class ReadSize extends DefaultMaxMessagesRecvByteBufAllocator {
  private static final int SMALLEST = 512;
  private static final int FIRST = 2048;

  /// The bound is never below this, however many connections share.
  private static final int LEAST_BOUND = 64 * 1024;

  private final int largest;
  private final int shared;
  private final AtomicInteger open;

  /// @param largest bytes of one read
  /// @param shared bytes that one read of every open socket takes together, as long as each has 64
  ///   KiB
  ReadSize(int largest, int shared) {
    this(largest, shared, new AtomicInteger());
  }

  private ReadSize(int largest, int shared, AtomicInteger open) {
    super(1);
    this.largest = largest;
    this.shared = shared;
    this.open = open;
  }

  /// The same rule, with another bound for the largest read; counts the same sockets.
  ReadSize atMost(int bytes) {
    return new ReadSize(bytes, shared, open);
  }

  /// A socket of this kind was opened, or with -1 closed.
  void opened(int sockets) {
    open.addAndGet(sockets);
  }

  /// Bytes of the largest read now.
  int bound() {
    return Math.min(largest, Math.max(LEAST_BOUND, shared / Math.max(1, open.get())));
  }

  @Override
  @SuppressWarnings("deprecation") // the return type of the interface
  public RecvByteBufAllocator.Handle newHandle() {
    return new Following();
  }

  private final class Following extends MaxMessageHandle {
    private int size = FIRST;

    @Override
    public int guess() {
      return Math.min(size, bound());
    }

    @Override
    public void lastBytesRead(int bytes) {
      super.lastBytesRead(bytes);
      if (bytes == attemptedBytesRead()) {
        size = Math.min(size * 2, largest);
      } else if (bytes >= 0 && bytes < size / 4) {
        size = Math.max(size / 2, SMALLEST);
      }
    }
  }
}
