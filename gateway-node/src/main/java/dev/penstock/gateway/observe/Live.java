package dev.penstock.gateway.observe;

import dev.penstock.live.LiveLink;
import dev.penstock.live.LiveNode;
import dev.penstock.live.LiveStreams;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// What runs in this gateway node now and what happened lately, for operators. Safe for use by
/// several threads. Links and agents are bounded by what the node accepts of them.
public final class Live extends LiveNode {
  /// Agents that are shown; more are not.
  private static final int MAX_AGENTS = 100_000;

  /// For an agent that has registered and whose links come up, or that links anew.
  private static final long GRACE_NANOS = 10_000_000_000L;

  private record AgentKey(String cluster, String agentId) {}

  private final Map<String, LiveLink> links = new ConcurrentHashMap<>();
  private final Map<AgentKey, LiveAgent> agents = new ConcurrentHashMap<>();

  public Live() {
    super(LiveStreams.Direction.CLIENT_TO_PEER);
  }

  public void linkUp(LiveLink link) {
    links.put(link.id(), link);
    events()
        .add(
            "link_up",
            Map.of(
                "cluster", link.facts().cluster(),
                "link_id", link.id(),
                "address", link.facts().remote()));
  }

  /// The link carries nothing any more; again is no error.
  ///
  /// @param reason of a closed set
  public void linkDown(LiveLink link, String reason, String detail) {
    if (links.remove(link.id()) != null) {
      events()
          .add(
              "link_down",
              Map.of(
                  "cluster",
                  link.facts().cluster(),
                  "link_id",
                  link.id(),
                  "address",
                  link.facts().remote(),
                  "reason",
                  reason,
                  "detail",
                  detail));
    }
  }

  public Collection<LiveLink> links() {
    return links.values();
  }

  public Optional<LiveLink> link(String id) {
    return Optional.ofNullable(links.get(id));
  }

  /// An agent has registered over a socket, which [#socketGone] ends.
  public void agentRegistered(
      String socket, String cluster, String agentId, LiveAgent.Facts facts) {
    LiveAgent agent = agent(cluster, agentId, facts);
    if (agent != null) {
      agent.registered(facts);
      agent.heldBy(socket);
    }
    events()
        .addPaced(
            "agent_registered",
            facts.kind(),
            Map.of(
                "cluster",
                cluster,
                "address",
                facts.remote(),
                "detail",
                agentId + " " + facts.version()));
  }

  /// An agent has sent a heartbeat over a socket, which [#socketGone] ends.
  public void agentHeard(String socket, String cluster, String agentId, LiveAgent.Facts facts) {
    LiveAgent agent = agent(cluster, agentId, facts);
    if (agent != null) {
      agent.heard(facts.version());
      agent.heldBy(socket);
    }
  }

  private @Nullable LiveAgent agent(String cluster, String agentId, LiveAgent.Facts facts) {
    var key = new AgentKey(cluster, agentId);
    LiveAgent known = agents.get(key);
    if (known != null || agents.size() >= MAX_AGENTS) {
      return known;
    }
    return agents.computeIfAbsent(key, _ -> new LiveAgent(nextId("g"), cluster, agentId, facts));
  }

  /// A socket ends, or is another agent's now.
  public void socketGone(String socket, String cluster, String agentId) {
    LiveAgent agent = agents.get(new AgentKey(cluster, agentId));
    if (agent != null) {
      agent.leftBy(socket);
    }
  }

  /// Forgets agents that are gone; about once a second.
  public void forgetAgents(long nowNanos) {
    agents.values().removeIf(agent -> agent.isForgotten(nowNanos, GRACE_NANOS));
  }

  public Collection<LiveAgent> agents() {
    return agents.values();
  }
}
