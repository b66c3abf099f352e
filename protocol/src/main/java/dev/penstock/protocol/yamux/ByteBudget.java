package dev.penstock.protocol.yamux;

import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// A bound on bytes held in memory, shared by many holders; a child also takes from its parent
/// (session, then process). Safe for use by several threads.
public final class ByteBudget {
  private final long limit;
  private final @Nullable ByteBudget parent;
  private final AtomicLong used = new AtomicLong();

  /// @param limit bytes, at least 0
  public ByteBudget(long limit) {
    this(limit, null);
  }

  private ByteBudget(long limit, @Nullable ByteBudget parent) {
    if (limit < 0) {
      throw new IllegalArgumentException("limit: " + limit + " (expected: >= 0)");
    }
    this.limit = limit;
    this.parent = parent;
  }

  /// A part of this budget with a bound of its own.
  public ByteBudget child(long childLimit) {
    return new ByteBudget(childLimit, this);
  }

  /// Takes `bytes`, or nothing and returns false.
  public boolean tryReserve(long bytes) {
    if (used.addAndGet(bytes) > limit || (parent != null && !parent.tryReserve(bytes))) {
      used.addAndGet(-bytes);
      return false;
    }
    return true;
  }

  /// As [#tryReserve], but leaves half of this budget and of those above it to others: for what
  /// would be nice to have.
  public boolean tryReserveSpare(long bytes) {
    if (used.addAndGet(bytes) > limit / 2 || (parent != null && !parent.tryReserveSpare(bytes))) {
      used.addAndGet(-bytes);
      return false;
    }
    return true;
  }

  /// Gives back what [#tryReserve] or [#tryReserveSpare] took.
  public void release(long bytes) {
    used.addAndGet(-bytes);
    if (parent != null) {
      parent.release(bytes);
    }
  }

  /// Bytes taken now.
  public long used() {
    return used.get();
  }

  /// The bound in bytes.
  public long limit() {
    return limit;
  }
}
