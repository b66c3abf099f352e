package dev.penstock.agent.kubernetes.objects;

/// Which object it is.
///
/// @param namespace empty for what is outside of namespaces
public record ObjectRef(Kind kind, String namespace, String name) implements Comparable<ObjectRef> {
  @Override
  public int compareTo(ObjectRef other) {
    int byKind = kind.compareTo(other.kind);
    int byNamespace = byKind == 0 ? namespace.compareTo(other.namespace) : byKind;
    return byNamespace == 0 ? name.compareTo(other.name) : byNamespace;
  }

  // Every look at a large cluster asks for these tens of thousands of times, most of them before
  // the optimizing compiler has seen them, and what a record has by itself is slow until then.

  @Override
  public boolean equals(Object other) {
    return this == other
        || (other instanceof ObjectRef that
            && kind == that.kind
            && name.equals(that.name)
            && namespace.equals(that.namespace));
  }

  @Override
  public int hashCode() {
    return (kind.label().hashCode() * 31 + namespace.hashCode()) * 31 + name.hashCode();
  }

  /// For people: `Gateway databases/postgres`.
  @Override
  public String toString() {
    return kind.label() + " " + (namespace.isEmpty() ? "" : namespace + "/") + name;
  }
}
