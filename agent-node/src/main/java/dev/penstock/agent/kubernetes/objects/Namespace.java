package dev.penstock.agent.kubernetes.objects;

/// A namespace, of which only the labels matter here.
public record Namespace(Meta meta) implements KubernetesObject {
  @Override
  public Kind kind() {
    return Kind.NAMESPACE;
  }

  static Namespace of(Fields object) throws Malformed {
    return new Namespace(Meta.of(object));
  }
}
