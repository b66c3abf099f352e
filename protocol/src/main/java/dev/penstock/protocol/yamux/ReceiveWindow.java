package dev.penstock.protocol.yamux;

import static dev.penstock.protocol.yamux.SessionSettings.INITIAL_WINDOW;

/// What the peer may send on one stream, and what of it waits for the reader.
///
/// Invariant: `0 <= credit`, `0 <= unread`, `credit + unread <= limit`. The budget holds
/// [#charged]: the growth beyond [SessionSettings#INITIAL_WINDOW] in full, because the peer may use
/// it at any time, and of the initial window the bytes that are unread. That is never less than
/// `unread`. Not thread-safe.
public final class ReceiveWindow {
  /// A half window drained in less than this many round trips may have been limited by the window.
  private static final int FAST_ROUND_TRIPS = 4;

  /// So may one that was drained within this, however short the round trip: before the credit is
  /// seen at the other end, the processes of both ends must have had their turns.
  private static final long ALWAYS_FAST_NANOS = 1_000_000;

  private int limit = INITIAL_WINDOW;
  private int credit = INITIAL_WINDOW;
  private int unread;

  /// When the drain that the next update will measure began.
  private long epochStart;

  /// The present bound in bytes.
  public int limit() {
    return limit;
  }

  /// Bytes that the peer may still send.
  public int credit() {
    return credit;
  }

  /// Bytes that came and were not consumed.
  public int unread() {
    return unread;
  }

  /// Takes `bytes`, at most [#credit]; or nothing, and returns false, because the budget is
  /// exhausted.
  public boolean received(int bytes, long now, ByteBudget budget) {
    int charge = Math.min(unread + bytes, INITIAL_WINDOW) - Math.min(unread, INITIAL_WINDOW);
    if (charge > 0 && !budget.tryReserve(charge)) {
      return false;
    }
    if (credit == limit) {
      epochStart = now;
    }
    credit -= bytes;
    unread += bytes;
    return true;
  }

  /// The reader took `bytes`, at most [#unread].
  public void consumed(int bytes, ByteBudget budget) {
    int before = Math.min(unread, INITIAL_WINDOW);
    unread -= bytes;
    int release = before - Math.min(unread, INITIAL_WINDOW);
    if (release > 0) {
      budget.release(release);
    }
  }

  /// The credit to give back now, 0 while that is less than half the window: small updates cost
  /// frames. Doubles the window first when it was drained fast, the budget allows (half of it is
  /// kept for bytes that do arrive) and the round-trip time is known.
  public int grant(
      long now, long rttNanos, int maxWindow, ByteBudget budget, SessionCounters counters) {
    if (limit - unread - credit < limit / 2) {
      return 0;
    }
    if (limit < maxWindow && rttNanos > 0 && isFast(now - epochStart, rttNanos)) {
      int larger = (int) Math.min(2L * limit, maxWindow);
      if (budget.tryReserveSpare(larger - limit)) {
        limit = larger;
        counters.windowGrowths++;
      } else {
        counters.windowGrowthsDenied++;
      }
    }
    epochStart = now;
    int free = limit - unread - credit;
    credit += free;
    return free;
  }

  private static boolean isFast(long drainNanos, long rttNanos) {
    return drainNanos < Math.max(FAST_ROUND_TRIPS * rttNanos, ALWAYS_FAST_NANOS);
  }

  /// Gives all budget back; the window is of no use afterwards.
  public void close(ByteBudget budget) {
    budget.release(charged());
    limit = INITIAL_WINDOW;
    credit = 0;
    unread = 0;
  }

  /// Bytes of the budget that this window holds.
  int charged() {
    return limit - INITIAL_WINDOW + Math.min(unread, INITIAL_WINDOW);
  }
}
