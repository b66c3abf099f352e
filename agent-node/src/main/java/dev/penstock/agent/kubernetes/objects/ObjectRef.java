package dev.penstock.agent.kubernetes.objects;

import java.util.Comparator;

/// Which object it is.
///
/// @param namespace empty for what is outside of namespaces
public record ObjectRef(Kind kind, String namespace, String name) implements Comparable<ObjectRef> {
  private static final Comparator<ObjectRef> ORDER =
      Comparator.comparing(ObjectRef::kind)
          .thenComparing(ObjectRef::namespace)
          .thenComparing(ObjectRef::name);

  @Override
  public int compareTo(ObjectRef other) {
    return ORDER.compare(this, other);
  }

  /// For people: `Gateway databases/postgres`.
  @Override
  public String toString() {
    return kind.label() + " " + (namespace.isEmpty() ? "" : namespace + "/") + name;
  }
}
