package dev.penstock.agent.kubernetes.objects;

import java.util.Optional;

/// A reference to a parameters object, of a class or of a Gateway.
///
/// @param namespace empty when it is not told
public record ParametersRef(String group, String kind, String namespace, String name) {
  static Optional<ParametersRef> of(Fields owner) throws Malformed {
    if (!owner.has("parametersRef")) {
      return Optional.empty();
    }
    Fields ref = owner.object("parametersRef");
    return Optional.of(
        new ParametersRef(
            ref.text("group"),
            ref.requiredText("kind"),
            ref.text("namespace"),
            ref.requiredText("name")));
  }
}
