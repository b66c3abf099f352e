package dev.penstock.agent.kubernetes.discovery;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/// What follows from one look at a cluster. Everything is in a fixed order that does not depend on
/// the order of what was given.
///
/// @param tunnels those that there should be, and no others, by key
/// @param statuses those that differ from what is stored; nothing of a foreign object, and of a
///   foreign Gateway's routes nothing either
/// @param notices at most [Discovery#MAX_NOTICES]
/// @param noticesLeftOut how many there were beyond that
/// @param nextLook when time alone will change something; empty when it will not
public record Discovered(
    List<DesiredTunnel> tunnels,
    List<StatusWrite> statuses,
    List<FinalizersWrite> finalizers,
    List<EndpointWrite> endpoints,
    List<Notice> notices,
    int noticesLeftOut,
    Optional<Instant> nextLook) {
  public Discovered {
    tunnels = List.copyOf(tunnels);
    statuses = List.copyOf(statuses);
    finalizers = List.copyOf(finalizers);
    endpoints = List.copyOf(endpoints);
    notices = List.copyOf(notices);
  }
}
