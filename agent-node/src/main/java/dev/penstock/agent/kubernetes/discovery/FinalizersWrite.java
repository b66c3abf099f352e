package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.ObjectRef;
import java.util.List;

/// The finalizers that one of our GatewayClasses should have, those of others included, to be
/// written only over the resource version that they were made from.
public record FinalizersWrite(
    ObjectRef ref, String uid, String resourceVersion, List<String> finalizers) {
  public FinalizersWrite {
    finalizers = List.copyOf(finalizers);
  }
}
