package dev.penstock.live;

import dev.penstock.observe.EventPace;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// What happened at this node lately: the last [#SIZE] events, oldest first out. Events that
/// strangers can cause come in at most [#PER_MINUTE] a minute for each reason, so that a flood of
/// one kind does not wash out all others. Safe for use by several threads.
public final class EventLog {
  /// Events that are kept; about 400 bytes each.
  public static final int SIZE = 1_000;

  static final int PER_MINUTE = 30;

  private final String prefix;
  private final Map<String, EventPace> paces = new ConcurrentHashMap<>();
  private final Event[] ring = new Event[SIZE];
  private long count;

  /// One event.
  ///
  /// @param facts by the names of the fields that tell them
  public record Event(String id, long time, String kind, Map<String, String> facts) {
    public Event {
      facts = Map.copyOf(facts);
    }
  }

  /// @param prefix of the ids, unlike that of any other node
  public EventLog(String prefix) {
    this.prefix = prefix;
  }

  /// Something happened.
  ///
  /// @param kind of a closed set
  public synchronized void add(String kind, Map<String, String> facts) {
    ring[(int) (count % SIZE)] =
        new Event(prefix + "-e" + Long.toHexString(count), System.currentTimeMillis(), kind, facts);
    count++;
  }

  /// As [#add], for what strangers can cause.
  ///
  /// @param reason of a closed set; told as the field `reason`
  public void addPaced(String kind, String reason, Map<String, String> facts) {
    EventPace pace = paces.computeIfAbsent(kind + " " + reason, _ -> new EventPace(PER_MINUTE));
    long suppressed = pace.admit(System.nanoTime());
    if (suppressed < 0) {
      return;
    }
    var all = new HashMap<>(facts);
    all.put("reason", reason);
    if (suppressed > 0) {
      all.merge(
          "detail",
          "and " + suppressed + " like it before, which were not kept",
          (detail, more) -> detail + "; " + more);
    }
    add(kind, all);
  }

  /// How many there were since the start.
  public synchronized long count() {
    return count;
  }

  /// Those that are kept, the latest first.
  public synchronized List<Event> latest() {
    int size = (int) Math.min(count, SIZE);
    var events = new ArrayList<Event>(size);
    for (int i = 1; i <= size; i++) {
      events.add(ring[(int) ((count - i) % SIZE)]);
    }
    return events;
  }
}
