package dev.penstock.testkit.original;

import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/// How an [OriginalAgent] is made. Immutable; the `with` methods give a changed copy.
///
/// @param api where the control plane is, with scheme `http`; the path of the sockets replaces its
///   path
/// @param services what `service.namespace` resolves to; every other name is unknown
/// @param deafness how long a new socket is not read while streams of the old one are open
/// @param heartbeat between two heartbeats
/// @param firstBackoff the wait before the first attempt to reconnect, doubled for each further one
public record OriginalSettings(
    URI api,
    String token,
    String agentId,
    Map<String, InetSocketAddress> services,
    Set<Trait> traits,
    Duration deafness,
    Duration heartbeat,
    Duration firstBackoff) {
  /// In what an agent differs from a current one with its default configuration.
  public enum Trait {
    /// Offers yamux and knows no `gateway_hello`, as versions before 0.0.210.
    NEVER_ACKNOWLEDGES,
    /// Ignores `gateway_ws_url`, and so keeps its JSON tunnels.
    STAYS_ON_CONTROLLER,
    /// Has `tunnels.enabled: true`; without it one `tcp_tunnel_start` ends the process.
    TUNNELS_ENABLED
  }

  public OriginalSettings {
    services = Map.copyOf(services);
    traits = Collections.unmodifiableSet(withNone(traits));
  }

  /// A current agent with the times of the original and no service.
  public static OriginalSettings of(URI api, String token) {
    return new OriginalSettings(
        api,
        token,
        "agent-7f",
        Map.of(),
        Set.of(),
        Duration.ofSeconds(30),
        Duration.ofSeconds(30),
        Duration.ofMillis(500));
  }

  public OriginalSettings withAgentId(String id) {
    return new OriginalSettings(
        api, token, id, services, traits, deafness, heartbeat, firstBackoff);
  }

  /// Lets `name`, a `service.namespace`, resolve to `address`.
  public OriginalSettings withService(String name, InetSocketAddress address) {
    var more = new HashMap<>(services);
    more.put(name, address);
    return new OriginalSettings(
        api, token, agentId, more, traits, deafness, heartbeat, firstBackoff);
  }

  public OriginalSettings with(Trait trait) {
    var more = withNone(traits);
    more.add(trait);
    return new OriginalSettings(
        api, token, agentId, services, more, deafness, heartbeat, firstBackoff);
  }

  public OriginalSettings withDeafness(Duration time) {
    return new OriginalSettings(
        api, token, agentId, services, traits, time, heartbeat, firstBackoff);
  }

  public OriginalSettings withHeartbeat(Duration interval) {
    return new OriginalSettings(
        api, token, agentId, services, traits, deafness, interval, firstBackoff);
  }

  public OriginalSettings withFirstBackoff(Duration wait) {
    return new OriginalSettings(api, token, agentId, services, traits, deafness, heartbeat, wait);
  }

  boolean has(Trait trait) {
    return traits.contains(trait);
  }

  /// Without the token.
  @Override
  public String toString() {
    return "OriginalSettings[" + api + ", " + agentId + ", " + traits + "]";
  }

  private static EnumSet<Trait> withNone(Set<Trait> traits) {
    var copy = EnumSet.noneOf(Trait.class);
    copy.addAll(traits);
    return copy;
  }
}
