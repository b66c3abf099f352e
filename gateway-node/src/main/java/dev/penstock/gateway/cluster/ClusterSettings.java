package dev.penstock.gateway.cluster;

import dev.penstock.config.ClusterName;
import dev.penstock.config.HostPort;
import dev.penstock.config.Kind;
import dev.penstock.config.Secret;
import dev.penstock.config.Section;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The section `cluster` of a gateway's file, when it is enabled.
///
/// @param name `cluster.name`: what the nodes of one cluster have in common, see [ClusterName];
///   default `penstock`
/// @param listen `cluster.listen`: where the other nodes reach this one's control messages; default
///   127.0.0.1:7355. It is the node's identity, so it must not be a wildcard
/// @param bind `cluster.bind`: the address of this machine that is bound for them; default `listen`
/// @param relay `cluster.relay`: where the other nodes reach this one with streams; default
///   127.0.0.1:7356
/// @param relayBind `cluster.relay_bind`: the address of this machine that is bound for them;
///   default `relay`
/// @param seeding `cluster.bootstrap`: how the cluster is found
/// @param secret `cluster.secret`: 16 characters at least, the same at all nodes
/// @param tls `cluster.tls`: the node's certificate; null speaks in the clear
/// @param splitBrain `cluster.split_brain`: what happens when parts do not hear each other
/// @param unreachableAfter `cluster.unreachable_after`: silence after which a node is given nothing
///   new, 500 ms to 1 min; default 2 s
/// @param downAfter `cluster.down_after`: how long a node stays unreachable until it is removed, 1
///   s to 10 min; default 5 s
/// @param leaveTimeout `cluster.leave_timeout`: for leaving in order, 1 s to 10 min; default 20 s
/// @param appVersion `cluster.app_version`: grows from release to release, which decides where new
///   shards go during a rolling update; default this build's
public record ClusterSettings(
    String name,
    HostPort listen,
    HostPort bind,
    HostPort relay,
    HostPort relayBind,
    Seeding seeding,
    Secret secret,
    @Nullable Tls tls,
    SplitBrain splitBrain,
    Duration unreachableAfter,
    Duration downAfter,
    Duration leaveTimeout,
    String appVersion) {
  /// Characters of the shortest secret.
  public static final int MIN_SECRET = 16;

  private static final int MAX_SEEDS = 64;
  private static final Path ACCOUNT = Path.of("/var/run/secrets/kubernetes.io/serviceaccount");
  private static final Pattern DNS_NAME =
      Pattern.compile("(_[-a-z0-9]{1,63}\\._tcp\\.)?[A-Za-z0-9]([-A-Za-z0-9._]{0,252})");
  private static final Pattern SELECTOR = Pattern.compile("[-A-Za-z0-9._/=!,() ]{1,512}");
  private static final Pattern NAMESPACE = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
  private static final Pattern VERSION = Pattern.compile("[0-9A-Za-z][-+.0-9A-Za-z]{0,63}");

  /// A node's certificate, as PEM files that were readable when the settings were read. They are
  /// read again every few minutes, so that certificates can be renewed while the node runs.
  ///
  /// @param cert `cluster.tls.cert`: the certificate and its chain
  /// @param key `cluster.tls.key`: its private key, PKCS #8 without a password
  /// @param ca `cluster.tls.ca`: the authority of all nodes' certificates
  public record Tls(Path cert, Path key, Path ca) {
    static Tls of(Section section) {
      int problems = section.problemCount();
      var cert = section.require("cert", Kind.certificates());
      var key = section.require("key", Kind.privateKey());
      if (section.problemCount() == problems) {
        section.requireKeyOf(cert, "key", key);
      }
      return new Tls(cert, key, section.require("ca", Kind.certificates()));
    }
  }

  private enum Bootstrap {
    SEEDS,
    DNS,
    KUBERNETES
  }

  /// Reads the section; null when it does not say `enabled: true`. All that it does say is checked
  /// either way.
  public static @Nullable ClusterSettings of(Section section) {
    boolean enabled = section.get("enabled", Kind.flag(), false);
    var name = section.get("name", ClusterName.kind(), "penstock");
    var listen = section.get("listen", Kind.targetAddress(), new HostPort("127.0.0.1", 7355));
    if (isWildcard(listen)) {
      section.refuse("listen", "found \"" + listen + "\"", "the address that other nodes reach");
    }
    var bind = section.getAs("bind", Kind.listenAddress(), listen, "cluster.listen");
    var relay = section.get("relay", Kind.targetAddress(), new HostPort("127.0.0.1", 7356));
    if (isWildcard(relay)) {
      section.refuse("relay", "found \"" + relay + "\"", "the address that other nodes reach");
    }
    var relayBind = section.getAs("relay_bind", Kind.listenAddress(), relay, "cluster.relay");
    if (bind.equals(relayBind)) {
      section.refuse("relay", "found \"" + relay + "\"", "another address than cluster.listen");
    }
    var seeding = seeding(section, enabled);
    var secret = secret(section, enabled);
    Section tlsSection = section.section("tls");
    var tls = tlsSection.isPresent() ? Tls.of(tlsSection) : null;
    boolean insecure = section.get("insecure", Kind.flag(), false);
    if (enabled && tls == null && !insecure) {
      requireLoopback(section, "listen", listen);
      requireLoopback(section, "bind", bind);
      requireLoopback(section, "relay", relay);
      requireLoopback(section, "relay_bind", relayBind);
    }
    var splitBrain = section.get("split_brain", splitBrainKind(), SplitBrain.KEEP_MAJORITY);
    var settings =
        new ClusterSettings(
            name,
            listen,
            bind,
            relay,
            relayBind,
            seeding,
            secret,
            tls,
            splitBrain,
            section.get(
                "unreachable_after",
                Kind.duration(Duration.ofMillis(500), Duration.ofMinutes(1)),
                Duration.ofSeconds(2)),
            section.get(
                "down_after",
                Kind.duration(Duration.ofSeconds(1), Duration.ofMinutes(10)),
                Duration.ofSeconds(5)),
            section.get(
                "leave_timeout",
                Kind.duration(Duration.ofSeconds(1), Duration.ofMinutes(10)),
                Duration.ofSeconds(20)),
            section.getDerived(
                "app_version",
                Kind.text(VERSION, "a version such as 1.4.0", "0"),
                BuildVersion.text(),
                "this build's"));
    return enabled ? settings : null;
  }

  private static Seeding seeding(Section section, boolean enabled) {
    var bootstrap = section.get("bootstrap", Kind.oneOf(Bootstrap.class), Bootstrap.SEEDS);
    List<HostPort> seeds = section.list("seeds", Kind.targetAddress(), MAX_SEEDS);
    int minNodes = section.get("min_nodes", Kind.integer(1, 64), 2);
    Section dns = section.section("dns");
    Section kubernetes = section.section("kubernetes");
    var dnsKind =
        Kind.text(
            DNS_NAME,
            "a name such as gateway.example.com, or _penstock._tcp.example.com for SRV records",
            "x");
    var selectorKind =
        Kind.text(SELECTOR, "labels such as app.kubernetes.io/name=penstock-gateway", "x=y");
    Optional<String> name =
        enabled && bootstrap == Bootstrap.DNS
            ? Optional.of(dns.require("name", dnsKind))
            : dns.find("name", dnsKind);
    Optional<String> selector =
        enabled && bootstrap == Bootstrap.KUBERNETES
            ? Optional.of(kubernetes.require("selector", selectorKind))
            : kubernetes.find("selector", selectorKind);
    var inCluster =
        new Seeding.Kubernetes(
            kubernetes.get(
                "api",
                Kind.url(List.of("https", "http")),
                URI.create("https://kubernetes.default.svc")),
            kubernetes
                .find("namespace", Kind.text(NAMESPACE, "the name of a namespace", "default"))
                .orElse(null),
            selector.orElse(""),
            kubernetes.get("account", Kind.path(), ACCOUNT),
            minNodes);
    if (bootstrap != Bootstrap.SEEDS && !seeds.isEmpty()) {
      section.refuse("seeds", "found beside bootstrap", "either seeds or another bootstrap");
    }
    return switch (bootstrap) {
      case SEEDS -> {
        if (enabled && seeds.isEmpty()) {
          section.missing(
              "seeds",
              "cluster.listen of the first nodes, the same list at every node, or cluster.bootstrap:"
                  + " dns or kubernetes");
        }
        yield new Seeding.Named(seeds);
      }
      case DNS -> new Seeding.Dns(name.orElse(""), minNodes);
      case KUBERNETES -> inCluster;
    };
  }

  private static Secret secret(Section section, boolean enabled) {
    Optional<Secret> found =
        enabled ? Optional.of(section.requireSecret("secret")) : section.findSecret("secret");
    int length = found.map(it -> it.reveal().length()).orElse(0);
    if (length > 0 && length < MIN_SECRET) {
      section.refuse(
          "secret",
          "found " + length + " characters, not shown",
          "at least " + MIN_SECRET + "; openssl rand -hex 32 makes one");
    }
    return found.orElseGet(() -> Secret.of(""));
  }

  private static Kind<SplitBrain> splitBrainKind() {
    return Kind.oneOfLabels(List.of(SplitBrain.values()), SplitBrain::label);
  }

  private static void requireLoopback(Section section, String key, HostPort address) {
    if (!isLoopback(address)) {
      section.refuse(
          key,
          "found \"" + address + "\" without cluster.tls",
          "cluster.tls, a loopback address, or cluster.insecure: true in a network that only the"
              + " nodes can reach");
    }
  }

  private static boolean isWildcard(HostPort address) {
    return literal(address).map(InetAddress::isAnyLocalAddress).orElse(false);
  }

  private static boolean isLoopback(HostPort address) {
    return address.host().equals("localhost")
        || literal(address).map(InetAddress::isLoopbackAddress).orElse(false);
  }

  private static Optional<InetAddress> literal(HostPort address) {
    try {
      return Optional.of(InetAddress.ofLiteral(address.host()));
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }
}
