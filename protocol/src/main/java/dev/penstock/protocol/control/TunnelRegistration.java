package dev.penstock.protocol.control;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What an agent asks for when it registers a tunnel: the body of `POST
/// /api/v1/clusters/agent/{cluster}/tunnels`. Sending it again means the same tunnel.
///
/// @param clusterUuid may be empty: the path names the cluster too
/// @param tunnelId the tunnel's identity: 1 to 253 of the characters `A-Z a-z 0-9 . _ : / -`
/// @param gatewayName the Kubernetes Gateway that asked for the tunnel; may be empty
/// @param gatewayNamespace may be empty
/// @param gatewayPort the listener's port there, from which the preferred public port is derived;
///   when absent in JSON, the service's port
/// @param serviceName names and namespaces have at most 253 characters, none of them a control
///   character; empty while no service is known, see [#hasService]
/// @param serviceNamespace may be empty
/// @param servicePort 0 while no service is known
/// @param publicEndpoint where clients reach the cluster itself; may be empty
/// @param tunnelPort the wanted public port, an extension of the original; `null` leaves the choice
///   to the gateway
public record TunnelRegistration(
    String clusterUuid,
    Protocol protocol,
    String tunnelId,
    String gatewayName,
    String gatewayNamespace,
    int gatewayPort,
    String serviceName,
    String serviceNamespace,
    int servicePort,
    RoutingMode routingMode,
    String publicEndpoint,
    Map<String, String> labels,
    Map<String, String> annotations,
    @Nullable Integer tunnelPort) {
  /// Bytes of the longest body that is read: labels and annotations of one Kubernetes object may
  /// have 256 KiB each.
  public static final int MAX_BYTES = 1024 * 1024;

  private static final int MAX_NAME = 253;
  private static final Pattern TUNNEL_ID = Pattern.compile("[A-Za-z0-9._:/-]{1,253}");
  private static final Pattern NAME_OR_EMPTY = Pattern.compile("[^\\p{Cc}]{0,253}");

  public TunnelRegistration {
    requireMatch("tunnelId", tunnelId, TUNNEL_ID);
    for (String name :
        new String[] {clusterUuid, gatewayName, gatewayNamespace, serviceName, serviceNamespace}) {
      requireMatch("name", name, NAME_OR_EMPTY);
    }
    requirePort("gatewayPort", gatewayPort);
    if (servicePort != 0) {
      requirePort("servicePort", servicePort);
    }
    if (tunnelPort != null) {
      requirePort("tunnelPort", tunnelPort);
    }
    labels = inOrder(labels);
    annotations = inOrder(annotations);
  }

  private static Map<String, String> inOrder(Map<String, String> texts) {
    return texts.isEmpty() ? Map.of() : Collections.unmodifiableMap(new LinkedHashMap<>(texts));
  }

  /// Begins a tunnel through the gateway, with the listener's port equal to the service's and all
  /// that may be empty left so.
  public static Builder of(Protocol protocol, String tunnelId, String service, int servicePort) {
    return new Builder(protocol, tunnelId, service, servicePort);
  }

  /// Whether clients can be sent anywhere: a Kubernetes listener that no route belongs to yet has
  /// no service.
  public boolean hasService() {
    return !serviceName.isEmpty() && servicePort != 0;
  }

  /// This registration with the service, labels and annotations of `before` wherever it says
  /// nothing of its own: what a sync sends is silent about them, which must not erase them.
  public TunnelRegistration keeping(TunnelRegistration before) {
    return new TunnelRegistration(
        clusterUuid,
        protocol,
        tunnelId,
        gatewayName,
        gatewayNamespace,
        gatewayPort,
        hasService() ? serviceName : before.serviceName,
        hasService() ? serviceNamespace : before.serviceNamespace,
        hasService() ? servicePort : before.servicePort,
        routingMode,
        publicEndpoint,
        labels.isEmpty() ? before.labels : labels,
        annotations.isEmpty() ? before.annotations : annotations,
        tunnelPort == null ? before.tunnelPort : tunnelPort);
  }

  /// The same tunnel as one of `cluster`, with the id that it has there.
  public TunnelRegistration in(String cluster, String id) {
    return new TunnelRegistration(
        cluster,
        protocol,
        id,
        gatewayName,
        gatewayNamespace,
        gatewayPort,
        serviceName,
        serviceNamespace,
        servicePort,
        routingMode,
        publicEndpoint,
        labels,
        annotations,
        tunnelPort);
  }

  /// The body in JSON.
  public String encode() {
    return Json.write(jsonWithWish());
  }

  /// All of it, with the wanted port where there is one.
  ObjectNode jsonWithWish() {
    ObjectNode node = json();
    return tunnelPort == null ? node : node.put("tunnel_port", tunnelPort);
  }

  /// All but the wanted port.
  ObjectNode json() {
    ObjectNode node =
        Json.object()
            .put("cluster_uuid", clusterUuid)
            .put("protocol", protocol.label())
            .put("tunnel_id", tunnelId)
            .put("gateway_name", gatewayName)
            .put("gateway_namespace", gatewayNamespace)
            .put("gateway_port", gatewayPort)
            .put("service_name", serviceName)
            .put("service_namespace", serviceNamespace)
            .put("service_port", servicePort)
            .put("routing_mode", routingMode.label());
    if (!publicEndpoint.isEmpty()) {
      node.put("public_endpoint", publicEndpoint);
    }
    if (!labels.isEmpty()) {
      node.set("labels", Json.texts(labels));
    }
    if (!annotations.isEmpty()) {
      node.set("annotations", Json.texts(annotations));
    }
    return node;
  }

  /// Reads a body in UTF-8 of at most [#MAX_BYTES].
  public static TunnelRegistration decode(byte[] body) throws MalformedMessage {
    if (body.length > MAX_BYTES) {
      throw MalformedMessage.of(
          "tunnel", body.length + " bytes", "at most " + MAX_BYTES + " bytes");
    }
    try {
      return decode(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString());
    } catch (CharacterCodingException _) {
      throw MalformedMessage.of("tunnel", "no UTF-8", "one JSON object in UTF-8");
    }
  }

  /// Reads a body of at most [#MAX_BYTES] characters. Fields that are not known are ignored.
  public static TunnelRegistration decode(String body) throws MalformedMessage {
    return decode(Json.read("tunnel", body, MAX_BYTES));
  }

  static TunnelRegistration decode(JsonFields fields) throws MalformedMessage {
    Protocol protocol = protocol(fields);
    String tunnelId = tunnelId(fields);
    int servicePort = (int) fields.number("service_port", 0, 0xffff, 0);
    long listenerPort =
        servicePort == 0
            ? fields.requiredNumber("gateway_port", 1, 0xffff)
            : fields.number("gateway_port", 1, 0xffff, servicePort);
    Long tunnelPort = fields.number("tunnel_port", 1, 0xffff);
    return new TunnelRegistration(
        name(fields, "cluster_uuid"),
        protocol,
        tunnelId,
        name(fields, "gateway_name"),
        name(fields, "gateway_namespace"),
        (int) listenerPort,
        name(fields, "service_name"),
        name(fields, "service_namespace"),
        servicePort,
        routingMode(fields),
        fields.text("public_endpoint", 1024),
        fields.texts("labels"),
        fields.texts("annotations"),
        tunnelPort == null ? null : tunnelPort.intValue());
  }

  static Protocol protocol(JsonFields fields) throws MalformedMessage {
    String found = fields.requiredText("protocol", MAX_NAME);
    for (Protocol protocol : Protocol.values()) {
      if (protocol.label().equals(found)) {
        return protocol;
      }
    }
    throw fields.malformed("protocol", '"' + found + '"', "tcp or udp");
  }

  static String tunnelId(JsonFields fields) throws MalformedMessage {
    return fields.matchingText(
        "tunnel_id", MAX_BYTES, TUNNEL_ID, "1 to 253 of the characters A-Z a-z 0-9 . _ : / -");
  }

  static void requirePort(String name, int port) {
    if (port < 1 || port > 0xffff) {
      throw new IllegalArgumentException(name + ": " + port + " (expected: 1..65535)");
    }
  }

  static RoutingMode routingMode(JsonFields fields) throws MalformedMessage {
    String found = fields.text("routing_mode", MAX_NAME);
    if (found.isEmpty()) {
      return RoutingMode.TUNNEL;
    }
    for (RoutingMode mode : RoutingMode.values()) {
      if (mode.label().equals(found)) {
        return mode;
      }
    }
    throw fields.malformed("routing_mode", '"' + found + '"', "direct, tunnel or dual");
  }

  private static String name(JsonFields fields, String field) throws MalformedMessage {
    return fields.matchingText(field, MAX_BYTES, NAME_OR_EMPTY, "at most 253 printable characters");
  }

  private static void requireMatch(String name, String text, Pattern allowed) {
    if (!allowed.matcher(text).matches()) {
      throw new IllegalArgumentException(
          name + ": \"" + text + "\" (expected: " + allowed.pattern() + ")");
    }
  }

  /// Builds a [TunnelRegistration] step by step. Not thread-safe.
  public static final class Builder {
    private final Protocol protocol;
    private final String tunnelId;
    private final String serviceName;
    private final int servicePort;
    private String clusterUuid = "";
    private String gatewayName = "";
    private String gatewayNamespace = "";
    private int gatewayPort;
    private String serviceNamespace = "";
    private RoutingMode routingMode = RoutingMode.TUNNEL;
    private String publicEndpoint = "";
    private Map<String, String> labels = Map.of();
    private Map<String, String> annotations = Map.of();
    private @Nullable Integer tunnelPort;

    private Builder(Protocol protocol, String tunnelId, String serviceName, int servicePort) {
      this.protocol = protocol;
      this.tunnelId = tunnelId;
      this.serviceName = serviceName;
      this.servicePort = servicePort;
      this.gatewayPort = servicePort;
    }

    public Builder cluster(String uuid) {
      clusterUuid = uuid;
      return this;
    }

    public Builder gateway(String namespace, String name, int port) {
      gatewayNamespace = namespace;
      gatewayName = name;
      gatewayPort = port;
      return this;
    }

    public Builder serviceNamespace(String namespace) {
      serviceNamespace = namespace;
      return this;
    }

    public Builder routingMode(RoutingMode mode) {
      routingMode = mode;
      return this;
    }

    public Builder publicEndpoint(String endpoint) {
      publicEndpoint = endpoint;
      return this;
    }

    public Builder labels(Map<String, String> entries) {
      labels = entries;
      return this;
    }

    public Builder annotations(Map<String, String> entries) {
      annotations = entries;
      return this;
    }

    /// The wanted public port.
    public Builder tunnelPort(int port) {
      tunnelPort = port;
      return this;
    }

    public TunnelRegistration build() {
      return new TunnelRegistration(
          clusterUuid,
          protocol,
          tunnelId,
          gatewayName,
          gatewayNamespace,
          gatewayPort,
          serviceName,
          serviceNamespace,
          servicePort,
          routingMode,
          publicEndpoint,
          labels,
          annotations,
          tunnelPort);
    }
  }
}
