package dev.penstock.agent.settings;

import dev.penstock.access.Cidr;
import dev.penstock.config.Kind;
import dev.penstock.config.Section;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/// How the agent takes part in a Kubernetes cluster: `kubernetes`.
///
/// @param presence `enabled`: `true`, `false` or `auto`, which is true inside of a pod; default
///   `auto`
/// @param kubeconfig `kubeconfig`: how to reach the API server from outside of a cluster; empty for
///   the pod's service account
/// @param watchNamespaces `watch_namespaces`: where to look, at most 64; none is everywhere
/// @param roles `roles`: `controller` and `data`; default both
/// @param backends `backend_mode`: `direct` or `cluster-ip`, for Gateways that say nothing; default
///   `direct`
/// @param trustOwner `trust_owner`: whether routes of other controllers' Gateways are served only
///   where those accepted them; default `auto`, which is where they say anything
/// @param referenceGrants `reference_grants`: `enforce` or `warn`; default `enforce`
/// @param gatewayClass `gateway_class`: whether Gateways of our own class are served and their
///   status is written; default true
/// @param node `node`: the name of the node that this agent runs on; empty when it is not known
/// @param zone `zone`: the zone of that node; empty when it is not known
/// @param allowedBackends `allowed_backends`: blocks of loopback and link-local addresses that
///   endpoint slices may name, at most 64; default none, because whoever may write a slice could
///   else reach what listens on the agent's own machine
/// @param lease `lease`: who writes
/// @param resync `resync`: how often everything is looked at again, 10 s to 24 h; default 10 min
/// @param apiPoll `api_poll`: how often is asked which kinds there are, 100 ms to 1 h; default 60 s
public record KubernetesSettings(
    Presence presence,
    Optional<Path> kubeconfig,
    Set<String> watchNamespaces,
    Set<Role> roles,
    BackendMode backends,
    TrustOwner trustOwner,
    ReferenceGrants referenceGrants,
    GatewayClass gatewayClass,
    String node,
    String zone,
    List<Cidr> allowedBackends,
    Lease lease,
    Duration resync,
    Duration apiPoll) {
  private static final int MAX_NAMESPACES = 64;
  private static final int MAX_BLOCKS = 64;
  private static final Path ACCOUNT = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");
  private static final String LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
  private static final Kind<String> NAMESPACE =
      Kind.text(
          Pattern.compile(LABEL),
          "a namespace: 1 to 63 lower case letters, digits and \"-\", such as databases",
          "databases");
  private static final Kind<String> NAME =
      Kind.text(
          Pattern.compile("(?=.{1,253}$)" + LABEL + "(\\." + LABEL + ")*"),
          "lower case letters, digits, \"-\" and \".\", at most 253, such as penstock-agent",
          "penstock-agent");

  /// Whether there is a cluster to take part in.
  public enum Presence {
    AUTO,
    TRUE,
    FALSE
  }

  /// What one agent does.
  public enum Role {
    /// May be the one that registers tunnels and writes to the API server.
    CONTROLLER,
    /// Carries clients.
    DATA
  }

  /// What the agent connects to for a Service.
  public enum BackendMode {
    DIRECT("direct"),
    CLUSTER_IP("cluster-ip");

    private final String label;

    BackendMode(String label) {
      this.label = label;
    }
  }

  /// Whether a route of another controller's Gateway needs that controller's word.
  public enum TrustOwner {
    AUTO,
    TRUE,
    FALSE
  }

  /// What becomes of a backend in another namespace that grants nothing.
  public enum ReferenceGrants {
    ENFORCE,
    /// It is served, and an event says that it should not be; for other controllers' Gateways only.
    WARN
  }

  /// Whether Gateways of our own class are served.
  public enum GatewayClass {
    ON,
    OFF
  }

  /// The Lease that one agent holds who then writes and registers.
  ///
  /// @param namespace `lease.namespace`; empty for the pod's
  /// @param name `lease.name`; default `penstock-agent`
  /// @param duration `lease.duration`: how long a holder that is not heard of keeps it, 1 s to 10
  ///   min; default 15 s. A holder renews it within two thirds of that
  public record Lease(Optional<String> namespace, String name, Duration duration) {
    static Lease of(Section section) {
      return new Lease(
          section.find("namespace", NAMESPACE),
          section.get("name", NAME, "penstock-agent"),
          section.get(
              "duration",
              Kind.duration(Duration.ofSeconds(1), Duration.ofMinutes(10)),
              Duration.ofSeconds(15)));
    }

    /// How long the holder tries to renew before it stops writing.
    public Duration renewDeadline() {
      return duration.multipliedBy(2).dividedBy(3);
    }

    /// Between two tries.
    public Duration retryPeriod() {
      return duration.multipliedBy(2).dividedBy(15);
    }
  }

  public KubernetesSettings {
    watchNamespaces = Set.copyOf(watchNamespaces);
    allowedBackends = List.copyOf(allowedBackends);
    roles = roles.isEmpty() ? EnumSet.allOf(Role.class) : Set.copyOf(roles);
  }

  static KubernetesSettings of(Section section) {
    return new KubernetesSettings(
        section.get("enabled", Kind.oneOf(Presence.class), Presence.AUTO),
        section.find("kubeconfig", Kind.path()),
        Set.copyOf(section.list("watch_namespaces", NAMESPACE, MAX_NAMESPACES)),
        Set.copyOf(section.list("roles", Kind.oneOf(Role.class), Role.values().length)),
        section.get(
            "backend_mode",
            Kind.oneOfLabels(List.of(BackendMode.values()), mode -> mode.label),
            BackendMode.DIRECT),
        section.get("trust_owner", Kind.oneOf(TrustOwner.class), TrustOwner.AUTO),
        section.get("reference_grants", Kind.oneOf(ReferenceGrants.class), ReferenceGrants.ENFORCE),
        section.get("gateway_class", Kind.flag(), true) ? GatewayClass.ON : GatewayClass.OFF,
        section.find("node", NAME).orElse(""),
        section.find("zone", NAME).orElse(""),
        section.list("allowed_backends", Cidr.kind(), MAX_BLOCKS),
        Lease.of(section.section("lease")),
        section.get(
            "resync",
            Kind.duration(Duration.ofSeconds(10), Duration.ofHours(24)),
            Duration.ofMinutes(10)),
        section.get(
            "api_poll",
            Kind.duration(Duration.ofMillis(100), Duration.ofHours(1)),
            Duration.ofSeconds(60)));
  }

  /// Whether the agent takes part.
  ///
  /// @param environment the process's variables
  public boolean isOn(Map<String, String> environment) {
    return switch (presence) {
      case TRUE -> true;
      case FALSE -> false;
      case AUTO ->
          environment.containsKey("KUBERNETES_SERVICE_HOST")
              && Files.isReadable(ACCOUNT.resolve("token"));
    };
  }

  /// Whether this agent may be the one that writes.
  public boolean mayLead() {
    return roles.contains(Role.CONTROLLER);
  }

  /// Whether this agent carries clients.
  public boolean carries() {
    return roles.contains(Role.DATA);
  }
}
