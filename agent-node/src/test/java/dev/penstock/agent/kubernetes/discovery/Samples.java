package dev.penstock.agent.kubernetes.discovery;

/// Objects that many tests begin with.
final class Samples {
  private Samples() {}

  static final String CLASS =
      """
      kind: GatewayClass
      metadata: {name: penstock}
      spec: {controllerName: penstock.dev/tunnel-gateway}
      """;

  static final String FOREIGN_CLASS =
      """
      kind: GatewayClass
      metadata: {name: istio}
      spec: {controllerName: istio.io/gateway-controller}
      """;

  /// A Gateway of our class with one TCP listener, `pg` on 5432.
  static final String GATEWAY =
      """
      kind: Gateway
      metadata: {name: db}
      spec:
        gatewayClassName: penstock
        listeners:
        - {name: pg, port: 5432, protocol: TCP}
      """;

  /// A Gateway of another class that is marked, with one TCP listener, `pg` on 5432.
  static final String MARKED =
      """
      kind: Gateway
      metadata: {name: db, labels: {pipeops.io/managed: "true"}}
      spec:
        gatewayClassName: istio
        listeners:
        - {name: pg, port: 5432, protocol: TCP}
      """;

  static final String SERVICE =
      """
      kind: Service
      metadata: {name: postgres}
      spec:
        type: ClusterIP
        clusterIP: 10.0.0.7
        ports:
        - {name: sql, port: 5432, protocol: TCP}
      """;

  static final String ROUTE =
      """
      kind: TCPRoute
      metadata: {name: postgres}
      spec:
        parentRefs:
        - {name: db, sectionName: pg}
        rules:
        - backendRefs:
          - {name: postgres, port: 5432}
      """;

  /// The tunnel of [#GATEWAY] and [#MARKED].
  static final String TUNNEL = "tcp-lab:gateway:default:db:pg";

  static String namespace(String name, String labels) {
    return "kind: Namespace\nmetadata: {name: " + name + ", labels: {" + labels + "}}\n";
  }

  /// A Gateway `db` of our class with these listeners, each in the flow style of YAML.
  static String gateway(String... listeners) {
    var yaml =
        new StringBuilder(
            """
            kind: Gateway
            metadata: {name: db}
            spec:
              gatewayClassName: penstock
              listeners:
            """);
    for (String listener : listeners) {
      yaml.append("  - {").append(listener).append("}\n");
    }
    return yaml.toString();
  }

  /// A route `postgres` with this reference to its parent, in the flow style of YAML.
  static String route(String kind, String namespace, String parent) {
    return """
    kind: %s
    metadata: {name: postgres, namespace: %s}
    spec:
      parentRefs:
      - {%s}
      rules:
      - backendRefs:
        - {name: postgres, port: 5432}
    """
        .formatted(kind, namespace, parent);
  }

  /// A route `postgres` to the listener `pg` with these backends, each in the flow style of YAML.
  static String routeTo(String... backends) {
    var yaml =
        new StringBuilder(
            """
            kind: TCPRoute
            metadata: {name: postgres}
            spec:
              parentRefs:
              - {name: db, sectionName: pg}
              rules:
              - backendRefs:
            """);
    for (String backend : backends) {
      yaml.append("    - {").append(backend).append("}\n");
    }
    return yaml.toString();
  }
}
