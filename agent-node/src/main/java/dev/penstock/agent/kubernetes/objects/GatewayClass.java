package dev.penstock.agent.kubernetes.objects;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Optional;

/// A class of Gateways.
///
/// @param controllerName whose class it is
/// @param conditions those of its status
/// @param supportedFeatures those of its status, in their order
/// @param status the status as it came; missing when there is none.
public record GatewayClass(
    Meta meta,
    String controllerName,
    Optional<ParametersRef> parameters,
    List<Condition> conditions,
    List<String> supportedFeatures,
    RawJson status)
    implements KubernetesObject {
  /// The `controllerName` of our classes.
  public static final String OUR_CONTROLLER = "penstock.dev/tunnel-gateway";

  public GatewayClass {
    conditions = List.copyOf(conditions);
    supportedFeatures = List.copyOf(supportedFeatures);
  }

  @Override
  public Kind kind() {
    return Kind.GATEWAY_CLASS;
  }

  static GatewayClass of(Fields object) throws Malformed {
    Fields spec = object.object("spec");
    Fields status = object.object("status");
    return new GatewayClass(
        Meta.of(object),
        spec.requiredText("controllerName"),
        ParametersRef.of(spec),
        status.list("conditions", Condition::of),
        features(status),
        status.raw());
  }

  /// Before v1.3 of the API a feature was a text.
  private static List<String> features(Fields status) throws Malformed {
    JsonNode list = status.json().path("supportedFeatures");
    return list.path(0).isTextual()
        ? status.textList("supportedFeatures")
        : status.list("supportedFeatures", feature -> feature.requiredText("name"));
  }
}
