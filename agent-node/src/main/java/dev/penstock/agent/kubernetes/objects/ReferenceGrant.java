package dev.penstock.agent.kubernetes.objects;

import java.util.List;
import java.util.Optional;

/// Allows objects of other namespaces to refer to objects of its own.
public record ReferenceGrant(Meta meta, List<From> from, List<To> to) implements KubernetesObject {
  public ReferenceGrant {
    from = List.copyOf(from);
    to = List.copyOf(to);
  }

  /// Who may refer.
  public record From(String group, String kind, String namespace) {
    static From of(Fields fields) throws Malformed {
      return new From(
          fields.text("group"), fields.requiredText("kind"), fields.requiredText("namespace"));
    }
  }

  /// To what.
  ///
  /// @param name every object of the kind when empty
  public record To(String group, String kind, Optional<String> name) {
    static To of(Fields fields) throws Malformed {
      return new To(
          fields.text("group"),
          fields.requiredText("kind"),
          fields.optionalText("name").filter(text -> !text.isEmpty()));
    }
  }

  @Override
  public Kind kind() {
    return Kind.REFERENCE_GRANT;
  }

  /// Whether an object of `referrer`'s kind and namespace may refer to `target`.
  public boolean allows(ObjectRef referrer, ObjectRef target) {
    return meta.namespace().equals(target.namespace())
        && from.stream()
            .anyMatch(one ->
                one.group().equals(referrer.kind().group())
                    && one.kind().equals(referrer.kind().label())
                    && one.namespace().equals(referrer.namespace()))
        && to.stream()
            .anyMatch(one ->
                one.group().equals(target.kind().group())
                    && one.kind().equals(target.kind().label())
                    && one.name().map(target.name()::equals).orElse(true));
  }

  static ReferenceGrant of(Fields object) throws Malformed {
    Fields spec = object.object("spec");
    return new ReferenceGrant(
        Meta.of(object), spec.list("from", From::of), spec.list("to", To::of));
  }
}
