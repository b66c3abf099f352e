package dev.penstock.gateway.observe;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// One agent that this node hears of: it has registered here, or sends heartbeats over its links.
/// Any thread.
public final class LiveAgent {
  private final String id;
  private final String cluster;
  private final String agentId;
  private final long since = System.currentTimeMillis();
  private final Set<String> sockets = ConcurrentHashMap.newKeySet();
  private volatile Facts facts;
  private volatile long lastHeld = System.nanoTime();

  /// What an agent says of itself.
  ///
  /// @param name for people; empty while it has not registered here
  /// @param hostname empty while it has not registered here
  /// @param kind `penstock` or `original`
  /// @param remote host and port that it dialled from last
  public record Facts(String name, String hostname, String version, String kind, String remote) {}

  LiveAgent(String id, String cluster, String agentId, Facts facts) {
    this.id = id;
    this.cluster = cluster;
    this.agentId = agentId;
    this.facts = facts;
  }

  public String id() {
    return id;
  }

  public String cluster() {
    return cluster;
  }

  public String agentId() {
    return agentId;
  }

  /// Of now.
  public Facts facts() {
    return facts;
  }

  /// When this node first heard of it, in milliseconds since 1970.
  public long since() {
    return since;
  }

  void registered(Facts said) {
    facts = said;
  }

  void heard(String version) {
    Facts before = facts;
    if (!version.isEmpty() && !version.equals(before.version())) {
      facts = new Facts(before.name(), before.hostname(), version, before.kind(), before.remote());
    }
  }

  void heldBy(String socket) {
    sockets.add(socket);
  }

  void leftBy(String socket) {
    sockets.remove(socket);
    lastHeld = System.nanoTime();
  }

  /// Whether nobody has heard of it for so long.
  boolean isForgotten(long nowNanos, long afterNanos) {
    return sockets.isEmpty() && nowNanos - lastHeld > afterNanos;
  }
}
