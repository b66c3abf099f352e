package dev.penstock.agent.kubernetes.objects;

import java.time.Instant;
import java.util.List;
import java.util.Map;

/// What every object has: `metadata`.
///
/// @param namespace empty for what is outside of namespaces
/// @param uid empty when the server gave none
/// @param generation 0 when the server counts none
/// @param created [Instant#EPOCH] when it is not told
/// @param life whether the object is on its way out
public record Meta(
    String namespace,
    String name,
    String uid,
    String resourceVersion,
    long generation,
    Instant created,
    Map<String, String> labels,
    Map<String, String> annotations,
    List<String> finalizers,
    Life life) {
  /// Whether an object is on its way out.
  public enum Life {
    LIVING,
    /// It has a `deletionTimestamp` and waits for its finalizers.
    DELETING
  }

  public Meta {
    labels = Map.copyOf(labels);
    annotations = Map.copyOf(annotations);
    finalizers = List.copyOf(finalizers);
  }

  public boolean isDeleting() {
    return life == Life.DELETING;
  }

  static Meta of(Fields object) throws Malformed {
    Fields meta = object.object("metadata");
    return new Meta(
        meta.text("namespace"),
        meta.requiredText("name"),
        meta.uniqueText("uid"),
        meta.uniqueText("resourceVersion"),
        meta.number("generation", 0, Long.MAX_VALUE, 0),
        meta.instant("creationTimestamp"),
        meta.texts("labels"),
        meta.texts("annotations"),
        meta.textList("finalizers"),
        meta.has("deletionTimestamp") ? Life.DELETING : Life.LIVING);
  }
}
