package dev.penstock.protocol.json;

import java.time.Duration;
import java.util.ArrayDeque;

/// How many UDP sockets an original agent has open for one link. It has room for [#MOST], tells
/// nobody when that is used up, and forgets a socket only when nothing went through it for some
/// minutes: so those of flows that ended are counted until then.
final class OriginalSockets {
  /// Tunnels in its default configuration.
  static final int MOST = 1000;

  /// It looks once a minute for what was idle for 5 min.
  static final Duration FORGOTTEN_AFTER = Duration.ofMinutes(6);

  /// When the flows that ended were last used, about in order.
  private final ArrayDeque<Long> ended = new ArrayDeque<>();

  private int open;

  /// Counts a new flow; false when the agent has no room for its socket.
  boolean take(long now) {
    while (!ended.isEmpty() && now - ended.getFirst() >= FORGOTTEN_AFTER.toNanos()) {
      ended.removeFirst();
    }
    if (open + ended.size() >= MOST) {
      return false;
    }
    open++;
    return true;
  }

  /// A flow that was counted is over.
  ///
  /// @param lastUse when something last went through its socket
  void left(long lastUse) {
    open--;
    ended.addLast(lastUse);
  }
}
