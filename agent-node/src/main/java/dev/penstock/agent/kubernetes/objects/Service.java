package dev.penstock.agent.kubernetes.objects;

import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// A Service.
///
/// @param type `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`
/// @param clusterIps none for headless and `ExternalName` Services; the first is of the preferred
///   family
/// @param ipFamilies `IPv4`, `IPv6`, the preferred one first
/// @param loadBalancerClass empty when it has none
/// @param affinity how long one client stays with one endpoint; empty without `sessionAffinity:
///   ClientIP`
/// @param traffic `internalTrafficPolicy`
/// @param distribution `trafficDistribution`
/// @param notReady `publishNotReadyAddresses`
/// @param ingress `status.loadBalancer.ingress`
/// @param status the status as it came; missing when there is none.
public record Service(
    Meta meta,
    String type,
    List<String> clusterIps,
    List<String> ipFamilies,
    List<ServicePort> ports,
    String loadBalancerClass,
    Optional<Duration> affinity,
    InternalTraffic traffic,
    Distribution distribution,
    NotReady notReady,
    List<LoadBalancerIngress> ingress,
    RawJson status)
    implements KubernetesObject {
  public static final String LOAD_BALANCER = "LoadBalancer";
  public static final String EXTERNAL_NAME = "ExternalName";

  private static final String HEADLESS = "None";
  private static final Duration DEFAULT_AFFINITY = Duration.ofHours(3);

  /// Which endpoints a node may use.
  public enum InternalTraffic {
    CLUSTER,
    /// Only those of its own node.
    LOCAL
  }

  /// Which endpoints are preferred.
  public enum Distribution {
    /// The Service says nothing.
    UNSPECIFIED,
    SAME_NODE,
    SAME_ZONE
  }

  /// What becomes of endpoints that are not ready.
  public enum NotReady {
    LEFT_OUT,
    PUBLISHED
  }

  public Service {
    clusterIps = List.copyOf(clusterIps);
    ipFamilies = List.copyOf(ipFamilies);
    ports = List.copyOf(ports);
    ingress = List.copyOf(ingress);
  }

  @Override
  public Kind kind() {
    return Kind.SERVICE;
  }

  static Service of(Fields object) throws Malformed {
    Fields spec = object.object("spec");
    Fields status = object.object("status");
    return new Service(
        Meta.of(object),
        spec.optionalText("type").orElse("ClusterIP"),
        clusterIps(spec),
        spec.textList("ipFamilies"),
        spec.list("ports", ServicePort::of),
        spec.text("loadBalancerClass"),
        affinity(spec),
        spec.text("internalTrafficPolicy").equals("Local")
            ? InternalTraffic.LOCAL
            : InternalTraffic.CLUSTER,
        switch (spec.text("trafficDistribution")) {
          case "PreferSameNode" -> Distribution.SAME_NODE;
          case "PreferSameZone", "PreferClose" -> Distribution.SAME_ZONE;
          default -> Distribution.UNSPECIFIED;
        },
        spec.flag("publishNotReadyAddresses").orElse(false)
            ? NotReady.PUBLISHED
            : NotReady.LEFT_OUT,
        status.object("loadBalancer").list("ingress", LoadBalancerIngress::of),
        status.raw());
  }

  private static List<String> clusterIps(Fields spec) throws Malformed {
    List<String> ips = spec.textList("clusterIPs");
    List<String> known = ips.isEmpty() ? List.of(spec.text("clusterIP")) : ips;
    return known.stream().filter(ip -> !ip.isEmpty() && !ip.equals(HEADLESS)).toList();
  }

  private static Optional<Duration> affinity(Fields spec) throws Malformed {
    if (!spec.text("sessionAffinity").equals("ClientIP")) {
      return Optional.empty();
    }
    Fields config = spec.object("sessionAffinityConfig").object("clientIP");
    return Optional.of(
        Duration.ofSeconds(
            config.number("timeoutSeconds", 0, 86_400, DEFAULT_AFFINITY.toSeconds())));
  }
}
