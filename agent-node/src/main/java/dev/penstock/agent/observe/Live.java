package dev.penstock.agent.observe;

import dev.penstock.live.EventLog;
import dev.penstock.live.LiveLink;
import dev.penstock.live.LiveStreams;
import dev.penstock.protocol.link.Link;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;

/// What runs in this agent now and what happened lately, for operators. Safe for use by several
/// threads.
public final class Live {
  private final String prefix = String.format("%08x", ThreadLocalRandom.current().nextInt());
  private final long startedAt = System.currentTimeMillis();
  private final AtomicLong numbers = new AtomicLong();
  private final LiveStreams streams =
      new LiveStreams(prefix, LiveStreams.Direction.PEER_TO_SERVICE);
  private final EventLog events = new EventLog(prefix);
  private volatile String cluster = "";
  private final Map<Link, LiveLink> links = new ConcurrentHashMap<>();

  /// The gateway has given this agent its identity.
  public void registeredAs(String name) {
    cluster = name;
    events.add("registered", Map.of("detail", name));
  }

  /// Empty until it is registered.
  public String cluster() {
    return cluster;
  }

  /// What the ids of this agent's things begin with.
  public String prefix() {
    return prefix;
  }

  /// In milliseconds since 1970.
  public long startedAt() {
    return startedAt;
  }

  public LiveStreams streams() {
    return streams;
  }

  public EventLog events() {
    return events;
  }

  /// An id for a link.
  public String nextLinkId() {
    return prefix + "-l" + Long.toHexString(numbers.incrementAndGet());
  }

  public void linkUp(Link link, LiveLink shown) {
    links.put(link, shown);
    events.add("link_up", Map.of("link_id", shown.id(), "address", shown.facts().remote()));
  }

  /// Again is no error.
  ///
  /// @param reason of a closed set
  public void linkDown(Link link, String reason, String detail) {
    LiveLink shown = links.remove(link);
    if (shown != null) {
      events.add(
          "link_down",
          Map.of(
              "link_id",
              shown.id(),
              "address",
              shown.facts().remote(),
              "reason",
              reason,
              "detail",
              detail));
    }
  }

  public Collection<LiveLink> links() {
    return links.values();
  }

  /// Empty where the link is not shown.
  public Optional<LiveLink> of(Link link) {
    return Optional.ofNullable(links.get(link));
  }
}
