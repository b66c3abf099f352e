package dev.penstock.agent.kubernetes.objects;

import com.fasterxml.jackson.databind.JsonNode;
import dev.penstock.protocol.control.Protocol;

/// Reads objects of the API from JSON, those of every [Kind] in any of its versions. Any thread.
public final class ObjectReader {
  private ObjectReader() {}

  /// What became of one object.
  public sealed interface Read {
    /// It could be read.
    record Good(KubernetesObject object) implements Read {}

    /// It could not: it counts as absent.
    ///
    /// @param uid empty when not even that could be read
    /// @param problem which field, what it is and what was expected
    record Unreadable(ObjectRef ref, String uid, String problem) implements Read {}
  }

  /// Reads an object. Never throws, whatever is in there.
  ///
  /// @param json the object as the server sent it, which must not be changed afterwards: parts of
  ///   it are kept
  public static Read read(Kind kind, JsonNode json) {
    try {
      return new Read.Good(object(kind, Fields.of("", json)));
    } catch (Malformed problem) {
      JsonNode meta = json.path("metadata");
      return new Read.Unreadable(
          new ObjectRef(kind, meta.path("namespace").asText(), meta.path("name").asText()),
          meta.path("uid").asText(),
          String.valueOf(problem.getMessage()));
    }
  }

  private static KubernetesObject object(Kind kind, Fields object) throws Malformed {
    return switch (kind) {
      case GATEWAY_CLASS -> GatewayClass.of(object);
      case GATEWAY -> Gateway.of(object);
      case TCP_ROUTE -> Route.of(Protocol.TCP, object);
      case UDP_ROUTE -> Route.of(Protocol.UDP, object);
      case REFERENCE_GRANT -> ReferenceGrant.of(object);
      case SERVICE -> Service.of(object);
      case NAMESPACE -> Namespace.of(object);
      case ENDPOINT_SLICE -> EndpointSlice.of(object);
      case TUNNEL_GATEWAY_PARAMETERS -> TunnelGatewayParameters.of(object);
      case TUNNEL_ENDPOINT -> TunnelEndpoint.of(object);
    };
  }
}
