package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.TunnelGatewayParameters.Dialling;
import dev.penstock.agent.settings.RoutingSettings;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/// What discovery is told by the agent's settings.
///
/// @param cluster the name of the agents' cluster at the gateway; part of every tunnel's identity
/// @param tcpLabel marks foreign Gateways whose TCP listeners are tunnelled; empty for none
/// @param udpLabel marks foreign Gateways whose UDP listeners are tunnelled; empty for none
/// @param routing what a foreign Gateway gets that says nothing itself
/// @param trust whether the owner of a foreign Gateway decides about its routes
/// @param grants what a route of a foreign Gateway may do without a ReferenceGrant; at our own
///   Gateways they are always enforced
/// @param dialling what is connected to for a Service where no parameters say otherwise
/// @param namespaces the only ones that are looked at; empty for all
public record DiscoveryOptions(
    String cluster,
    Optional<GatewayLabel> tcpLabel,
    Optional<GatewayLabel> udpLabel,
    RoutingSettings routing,
    TrustOwner trust,
    GrantPolicy grants,
    Dialling dialling,
    Set<String> namespaces) {
  /// The `loadBalancerClass` of our Services.
  public static final String LOAD_BALANCER_CLASS = "penstock.dev/tunnel";

  /// How long a new Gateway is given to get a public address.
  static final Duration ADDRESS_WAIT = Duration.ofSeconds(30);

  /// How long a lost gateway or an answer that is not there yet changes no status.
  static final Duration HOLD = Duration.ofSeconds(60);

  /// Whose word counts about a route at a foreign Gateway.
  public enum TrustOwner {
    /// The owner's where it speaks of the route as it is now, ours otherwise.
    AUTO,
    /// Only the owner's.
    ALWAYS,
    /// Only ours.
    NEVER
  }

  /// What becomes of a reference to another namespace without a ReferenceGrant.
  public enum GrantPolicy {
    ENFORCE,
    /// It works, with a warning.
    WARN
  }

  public DiscoveryOptions {
    namespaces = Set.copyOf(namespaces);
  }

  boolean isWatched(String namespace) {
    return namespaces.isEmpty() || namespaces.contains(namespace);
  }
}
