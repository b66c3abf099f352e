package dev.penstock.agent.kubernetes.publish;

import dev.penstock.agent.kubernetes.discovery.EndpointWrite;
import dev.penstock.agent.kubernetes.discovery.FinalizersWrite;
import dev.penstock.agent.kubernetes.discovery.Notice;
import dev.penstock.agent.kubernetes.discovery.StatusWrite;
import dev.penstock.agent.kubernetes.objects.Kind;
import java.util.List;
import java.util.Map;

/// All that is to be written now, and nothing else: what an earlier one had and this one has not is
/// not wanted any more.
///
/// @param versions in which the kinds are read, and hence written
public record Writes(
    Map<Kind, String> versions,
    List<StatusWrite> statuses,
    List<FinalizersWrite> finalizers,
    List<EndpointWrite> endpoints,
    List<Notice> notices) {
  public Writes {
    versions = Map.copyOf(versions);
    statuses = List.copyOf(statuses);
    finalizers = List.copyOf(finalizers);
    endpoints = List.copyOf(endpoints);
    notices = List.copyOf(notices);
  }

  /// Nothing at all.
  public static Writes none() {
    return new Writes(Map.of(), List.of(), List.of(), List.of(), List.of());
  }
}
