package dev.penstock.protocol.net;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Finds the connections of one loop over which nothing has gone for their time. Moving a byte
/// costs the connection one increment; the connections that share a time-out share one timer, which
/// compares counters [#LOOKS] times in that time. So a connection is found after its time-out and
/// at most an eighth of it more.
///
/// Thread rule: belongs to its loop.
final class IdleWatch {
  private static final int LOOKS = 8;
  private static final Duration SHORTEST_LOOK = Duration.ofMillis(1);

  private final Loop loop;
  private final Map<Duration, Group> groups = new HashMap<>();

  IdleWatch(Loop loop) {
    this.loop = loop;
  }

  /// What is watched.
  interface Watched {
    /// Another number whenever something went over it.
    int moves();
  }

  /// Runs `idle` once when nothing moved for `timeout`, unless the handle is ended before.
  Handle watch(Watched watched, Duration timeout, Runnable idle) {
    var group = groups.computeIfAbsent(timeout, Group::new);
    return group.add(watched, idle);
  }

  /// The watch over one connection.
  static final class Handle {
    private final Group group;
    private final Watched watched;
    private final Runnable idle;
    private int at;
    private int seen;

    /// Looks in a row without a move; the first after the start does not count, for it comes early.
    private int quiet = -1;

    private Handle(Group group, Watched watched, Runnable idle, int at) {
      this.group = group;
      this.watched = watched;
      this.idle = idle;
      this.at = at;
      this.seen = watched.moves();
    }

    /// Watches no longer; may be called again.
    void end() {
      group.remove(this);
    }
  }

  /// The connections with one time-out, in no order.
  private final class Group {
    private final Duration look;
    private final List<Handle> handles = new ArrayList<>();
    private boolean ticking;

    Group(Duration timeout) {
      Duration part = timeout.dividedBy(LOOKS);
      look = part.compareTo(SHORTEST_LOOK) < 0 ? SHORTEST_LOOK : part;
    }

    Handle add(Watched watched, Runnable idle) {
      var handle = new Handle(this, watched, idle, handles.size());
      handles.add(handle);
      if (!ticking) {
        ticking = true;
        loop.schedule(look, this::tick);
      }
      return handle;
    }

    /// The last takes the place of the removed.
    void remove(Handle handle) {
      if (handle.at < 0) {
        return;
      }
      Handle last = handles.removeLast();
      if (last != handle) {
        last.at = handle.at;
        handles.set(handle.at, last);
      }
      handle.at = -1;
    }

    private void tick() {
      var found = new ArrayList<Handle>();
      for (Handle handle : handles) {
        int moves = handle.watched.moves();
        if (moves != handle.seen) {
          handle.seen = moves;
          handle.quiet = 0;
        } else if (++handle.quiet >= LOOKS) {
          found.add(handle);
        }
      }
      for (Handle handle : found) {
        remove(handle);
        handle.idle.run();
      }
      ticking = !handles.isEmpty();
      if (ticking) {
        loop.schedule(look, this::tick);
      }
    }
  }
}
