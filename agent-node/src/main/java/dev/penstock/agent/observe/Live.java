package dev.penstock.agent.observe;

import dev.penstock.live.LiveLink;
import dev.penstock.live.LiveNode;
import dev.penstock.live.LiveStreams;
import dev.penstock.protocol.link.Link;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// What runs in this agent now and what happened lately, for operators. Safe for use by several
/// threads.
public final class Live extends LiveNode {
  private volatile String cluster = "";
  private final Map<Link, LiveLink> links = new ConcurrentHashMap<>();

  public Live() {
    super(LiveStreams.Direction.PEER_TO_SERVICE);
  }

  /// The gateway has given this agent its identity.
  public void registeredAs(String name) {
    cluster = name;
    events().add("registered", Map.of("detail", name));
  }

  /// Empty until it is registered.
  public String cluster() {
    return cluster;
  }

  public void linkUp(Link link, LiveLink shown) {
    links.put(link, shown);
    events().add("link_up", Map.of("link_id", shown.id(), "address", shown.facts().remote()));
  }

  /// Again is no error.
  ///
  /// @param reason of a closed set
  public void linkDown(Link link, String reason, String detail) {
    LiveLink shown = links.remove(link);
    if (shown != null) {
      events()
          .add(
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
