package dev.penstock.gateway;

import dev.penstock.access.AccessRules;
import dev.penstock.config.ClusterName;
import dev.penstock.config.ConfigException;
import dev.penstock.config.ConfigReader;
import dev.penstock.config.HostPort;
import dev.penstock.config.Kind;
import dev.penstock.config.Origins;
import dev.penstock.config.PortRange;
import dev.penstock.config.Reference;
import dev.penstock.config.Secret;
import dev.penstock.config.Section;
import dev.penstock.config.Variables;
import dev.penstock.config.WindowSettings;
import dev.penstock.gateway.cluster.ClusterSettings;
import dev.penstock.gateway.drain.DrainSettings;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.LeaseSettings;
import dev.penstock.gateway.leases.Quota;
import dev.penstock.gateway.leases.StoreSettings;
import dev.penstock.gateway.tunnels.UdpSettings;
import dev.penstock.management.access.ManagementSettings;
import dev.penstock.observe.LoggingSettings;
import dev.penstock.observe.TracingSettings;
import dev.penstock.protocol.control.CarrierChoice;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// All that a gateway can be told, from `gateway.yaml` and from the environment, which wins (see
/// [Variables]). Every default listens on the loopback address only; the one thing without a
/// default is a token.
///
/// @param listen `gateway.listen`: where agents' links and the REST API arrive; port 0 to 65535, 0
///   lets the system choose; default 127.0.0.1:8080
/// @param dataDir `gateway.data_dir`: the directory of what must last, made when it is not there;
///   relative to the file's directory, default ./penstock-data
/// @param linksUrl `gateway.links_url`: the ws or wss URL that agents are told to link to; null
///   derives it from the host that the agent's request named
/// @param tls `gateway.tls`: certificate of the listener; null serves plain HTTP
/// @param proxyProtocol `gateway.proxy_protocol`: proxies in front of `gateway.listen`
/// @param publicSide `gateway.public`: the ports that users reach
/// @param tokens `gateway.auth.tokens`: who may link, at least one
/// @param links `gateway.links`: limits of agents' links
/// @param windows `gateway.windows`: memory for what is under way
/// @param drain `gateway.drain`: how the node ends
/// @param udp `gateway.udp`: limits of UDP tunnels
/// @param eventLoops `gateway.event_loops`: threads that carry bytes, 1 to 64; default 0 is one per
///   core
/// @param management `management`: where health, metrics and operations are served, by default at
///   127.0.0.1:9090
/// @param cluster `cluster`: the cluster that this node is one of; null for a gateway alone
/// @param leases `leases`: who may lease which ports
/// @param store `store`: the database of a cluster of gateways
/// @param logging `logging`: what is logged beside events
/// @param tracing `tracing`: where spans go
/// @param origins where each value was written
public record GatewaySettings(
    HostPort listen,
    Path dataDir,
    @Nullable URI linksUrl,
    @Nullable Tls tls,
    ProxySettings proxyProtocol,
    PublicSide publicSide,
    List<ClusterToken> tokens,
    Links links,
    WindowSettings windows,
    DrainSettings drain,
    UdpSettings udp,
    int eventLoops,
    ManagementSettings management,
    @Nullable ClusterSettings cluster,
    LeaseSettings leases,
    StoreSettings store,
    LoggingSettings logging,
    TracingSettings tracing,
    Origins origins) {
  private static final int KIB = 1024;
  private static final int MIB = 1024 * KIB;

  /// The certificate of the listener, as PEM files that were readable when the settings were read.
  ///
  /// @param cert `gateway.tls.cert`: the certificate and its chain
  /// @param key `gateway.tls.key`: its private key, PKCS #8 without a password
  /// @param clientCa `gateway.tls.client_ca`: the authorities of agents' certificates, which are
  ///   then demanded; null demands none
  public record Tls(Path cert, Path key, @Nullable Path clientCa) {
    static Tls of(Section section) {
      int problems = section.problemCount();
      var cert = section.require("cert", Kind.certificates());
      var key = section.require("key", Kind.privateKey());
      if (section.problemCount() == problems) {
        section.requireKeyOf(cert, "key", key);
      }
      return new Tls(cert, key, section.find("client_ca", Kind.certificates()).orElse(null));
    }
  }

  /// The ports that users reach.
  ///
  /// @param host `gateway.public.host`: the name or address that users are told; default 127.0.0.1
  /// @param bind `gateway.public.bind`: the address that the ports are bound at; default 127.0.0.1
  /// @param ports `gateway.public.ports`: what tunnels are given, both ends included; within
  ///   1-65535, default 10000-35000
  /// @param maxConnections `gateway.public.max_connections`: users' connections at a time, 1 to
  ///   10000000; default 100000
  /// @param maxTunnelsPerCluster `gateway.public.max_tunnels_per_cluster`: registered tunnels of
  ///   one cluster at a time, 1 to 65535; default 20000
  /// @param syncGrace `gateway.public.sync_grace`: how long a tunnel that syncs named lasts once
  ///   they no longer do, 0 s to 24 h; default 15 min, three times the period of the original's
  ///   syncs
  /// @param proxyProtocol `gateway.public.proxy_protocol`: proxies in front of the ports
  /// @param access `gateway.public.access`: who may connect, the bounds of every tunnel's own rules
  /// @param idleTimeout `gateway.public.idle_timeout`: without bytes either way, after which a
  ///   user's connection is cut, 100 ms to 168 h; zero for never, which is the default, because
  ///   agents have such a time-out per service
  public record PublicSide(
      String host,
      String bind,
      PortRange ports,
      int maxConnections,
      int maxTunnelsPerCluster,
      Duration syncGrace,
      ProxySettings proxyProtocol,
      AccessRules access,
      Duration idleTimeout) {
    static PublicSide of(Section section) {
      return new PublicSide(
          section.get("host", Kind.host(), "127.0.0.1"),
          section.get("bind", Kind.host(), "127.0.0.1"),
          section.get("ports", Kind.portRange(), new PortRange(10_000, 35_000)),
          section.get("max_connections", Kind.integer(1, 10_000_000), 100_000),
          section.get("max_tunnels_per_cluster", Kind.integer(1, 65_535), 20_000),
          section.get(
              "sync_grace",
              Kind.duration(Duration.ZERO, Duration.ofHours(24)),
              Duration.ofMinutes(15)),
          ProxySettings.of(section.section("proxy_protocol")),
          AccessRules.of(section.section("access")),
          section.get(
              "idle_timeout",
              Kind.durationOrNever(Duration.ofMillis(100), Duration.ofDays(7)),
              Duration.ZERO));
    }
  }

  /// What one bearer token stands for.
  ///
  /// @param token `gateway.auth.tokens[].token` or the content of the file at
  ///   `gateway.auth.tokens[].token_file`: 1 to 4096 printable ASCII characters without spaces
  /// @param cluster `gateway.auth.tokens[].cluster`: the cluster whose agents present it, see
  ///   [ClusterName]; several tokens may stand for one cluster
  public record ClusterToken(Secret token, String cluster) {
    /// Without the token.
    @Override
    public String toString() {
      return "ClusterToken[cluster=" + cluster + "]";
    }
  }

  /// Limits of agents' links.
  ///
  /// @param registerTimeout `gateway.links.register_timeout`: from the link's start until the agent
  ///   has registered, 100 ms to 5 min; default 10 s. An original agent has at least 45 s
  /// @param handshakeTimeout `gateway.links.handshake_timeout`: for TLS and the upgrade to a
  ///   WebSocket, 100 ms to 5 min; default 10 s
  /// @param maxTextMessage `gateway.links.max_text_message`: bytes of one control message, 64 KiB
  ///   to 64 MiB; default 4 MiB
  /// @param maxFrame `gateway.links.max_frame`: payload bytes of the largest data frame sent, 1 KiB
  ///   to 1 MiB; default 128 KiB. More than 32 KiB only on a fast link, so that a keystroke does
  ///   not wait long behind a bulk transfer
  /// @param keepaliveInterval `gateway.links.keepalive_interval`: between pings, 1 s to 10 min;
  ///   default 15 s
  /// @param keepaliveTimeout `gateway.links.keepalive_timeout`: silence after a ping that ends the
  ///   link, 1 s to 10 min; default 10 s
  /// @param maxLinksPerCluster `gateway.links.max_links_per_cluster`: links of one cluster at a
  ///   time, and as many controller sockets, 1 to 10000; default 64
  /// @param maxHandshakesPerMinute `gateway.links.max_handshakes_per_minute`: links that one
  ///   cluster may open in the long run, 1 to 100000; default 120
  /// @param maxHandshakes `gateway.links.max_handshakes`: links of all clusters between their
  ///   upgrade and their registration or hello, of which one cluster may have a tenth and 4 at
  ///   least, 1 to 100000; default 200
  /// @param maxHandshakesPerSecond `gateway.links.max_handshakes_per_second`: links of all clusters
  ///   that are taken in a second, 1 to 100000; default 500
  /// @param protocol `gateway.links.protocol`: what carries tunnels, `auto`, `yamux` or `json`;
  ///   default `auto`, which is yamux where both ends can
  /// @param originalJson `gateway.links.original_json`: whether original agents have their tunnels
  ///   in JSON on the controller socket though they could use yamux; default false
  /// @param originalHold `gateway.links.original_hold`: how long a client's first bytes wait for
  ///   the dial of an original agent in JSON, which it does not report, 0 ms to 30 s; default 250
  ///   ms
  /// @param originalPause `gateway.links.original_pause`: between two data messages of a
  ///   connection, or datagrams of a flow, to an original agent in JSON, which could swap them, 0
  ///   ms to 1 s; default 5 ms
  /// @param originalLinger `gateway.links.original_linger`: how long a service behind an original
  ///   agent in JSON may be silent after the client's end, before the connection is closed, 100 ms
  ///   to 1 h; default 5 s
  /// @param originalPatience `gateway.links.original_patience`: how long a client that does not
  ///   read may stop the link of an original agent in JSON, before it is reset, 100 ms to 5 min;
  ///   default 5 s
  /// @param originalHalfClosed `gateway.links.original_half_closed`: how long a client of an
  ///   original agent may be silent after the agent has ended its direction, before it is reset,
  ///   100 ms to 24 h; default 1 min, zero for no limit
  /// @param maxUnupgraded `gateway.links.max_unupgraded`: connections to `gateway.listen` that are
  ///   no links, 1 to 1000000; default 10000. One more closes the oldest
  public record Links(
      Duration registerTimeout,
      Duration handshakeTimeout,
      int maxTextMessage,
      int maxFrame,
      Duration keepaliveInterval,
      Duration keepaliveTimeout,
      int maxLinksPerCluster,
      int maxHandshakesPerMinute,
      int maxHandshakes,
      int maxHandshakesPerSecond,
      CarrierChoice protocol,
      boolean originalJson,
      Duration originalHold,
      Duration originalPause,
      Duration originalLinger,
      Duration originalPatience,
      Duration originalHalfClosed,
      int maxUnupgraded) {
    static Links of(Section section) {
      var timeout = Kind.duration(Duration.ofMillis(100), Duration.ofMinutes(5));
      var keepalive = Kind.duration(Duration.ofSeconds(1), Duration.ofMinutes(10));
      return new Links(
          section.get("register_timeout", timeout, Duration.ofSeconds(10)),
          section.get("handshake_timeout", timeout, Duration.ofSeconds(10)),
          section.get("max_text_message", Kind.size(64 * KIB, 64 * MIB), 4 * MIB),
          section.get("max_frame", Kind.size(KIB, MIB), 128 * KIB),
          section.get("keepalive_interval", keepalive, Duration.ofSeconds(15)),
          section.get("keepalive_timeout", keepalive, Duration.ofSeconds(10)),
          section.get("max_links_per_cluster", Kind.integer(1, 10_000), 64),
          section.get("max_handshakes_per_minute", Kind.integer(1, 100_000), 120),
          section.get("max_handshakes", Kind.integer(1, 100_000), 200),
          section.get("max_handshakes_per_second", Kind.integer(1, 100_000), 500),
          section.get("protocol", Kind.oneOf(CarrierChoice.class), CarrierChoice.AUTO),
          section.get("original_json", Kind.flag(), false),
          section.get(
              "original_hold",
              Kind.duration(Duration.ZERO, Duration.ofSeconds(30)),
              Duration.ofMillis(250)),
          section.get(
              "original_pause",
              Kind.duration(Duration.ZERO, Duration.ofSeconds(1)),
              Duration.ofMillis(5)),
          section.get(
              "original_linger",
              Kind.duration(Duration.ofMillis(100), Duration.ofHours(1)),
              Duration.ofSeconds(5)),
          section.get("original_patience", timeout, Duration.ofSeconds(5)),
          section.get(
              "original_half_closed",
              Kind.durationOrNever(Duration.ofMillis(100), Duration.ofHours(24)),
              Duration.ofMinutes(1)),
          section.get("max_unupgraded", Kind.integer(1, 1_000_000), 10_000));
    }
  }

  public GatewaySettings {
    tokens = List.copyOf(tokens);
  }

  /// Reads the file and what it names: token files and certificates.
  ///
  /// @param environment the process's variables
  /// @throws ConfigException with all problems at once
  public static GatewaySettings load(Path file, Map<String, String> environment) {
    return of(ConfigReader.open(file, List.of(), Variables.of(environment)));
  }

  /// As [#load(Path, Map)], without variables.
  public static GatewaySettings load(Path file) {
    return load(file, Map.of());
  }

  /// Which ports and how many tunnels each cluster may have.
  public LeasePolicy leasePolicy() {
    return new LeasePolicy(
        publicSide.ports(),
        Quota.ofTunnels(publicSide.maxTunnelsPerCluster()),
        leases.tenants(),
        leases.reservations());
  }

  /// What matters most, a line each, for people.
  public List<String> summary() {
    return List.of(
        "agents arrive at "
            + listen
            + (tls == null ? ", without TLS" : ", with TLS")
            + "; clusters: "
            + String.join(", ", new TreeSet<>(tokens.stream().map(ClusterToken::cluster).toList())),
        "public ports "
            + publicSide.ports()
            + " at "
            + publicSide.bind()
            + ", told as "
            + publicSide.host()
            + "; at most "
            + publicSide.maxConnections()
            + " connections",
        "leases are kept in " + dataDir,
        cluster == null
            ? "a gateway alone"
            : "a node of the cluster "
                + cluster.name()
                + " at "
                + cluster.listen()
                + (cluster.tls() == null ? ", without TLS" : ", with TLS"),
        "health, metrics and operations at "
            + management.listen()
            + (management.tokens().isEmpty() ? "" : ", with tokens"));
  }

  /// Every key of `gateway.yaml` with its default, its values and its meaning, as a table in
  /// Markdown.
  public static String reference() {
    return Reference.table(
        ConfigReader.definitions(GatewaySettings::of),
        GatewaySettings.class,
        "meanings.properties");
  }

  static GatewaySettings of(ConfigReader reader) {
    Section gateway = reader.root().section("gateway");
    Section tls = gateway.section("tls");
    var listen = gateway.get("listen", Kind.listenAddress(), new HostPort("127.0.0.1", 8080));
    var dataDir = gateway.get("data_dir", Kind.path(), reader.beside("penstock-data"));
    var linksUrl = gateway.find("links_url", Kind.url(List.of("ws", "wss")));
    var certificate = tls.isPresent() ? Tls.of(tls) : null;
    var proxyProtocol = ProxySettings.of(gateway.section("proxy_protocol"));
    var publicSide = PublicSide.of(gateway.section("public"));
    var tokens = tokens(gateway.section("auth"));
    var links = Links.of(gateway.section("links"));
    var windows = WindowSettings.of(gateway.section("windows"));
    var udp = UdpSettings.of(gateway.section("udp"));
    var eventLoops = gateway.get("event_loops", Kind.integer(0, 64), 0);
    Section management = reader.root().section("management");
    var operations = ManagementSettings.of(management, new HostPort("127.0.0.1", 9090));
    if (listen.port() != 0 && listen.equals(operations.listen())) {
      management.refuse(
          "listen", "found \"" + operations.listen() + "\"", "another address than gateway.listen");
    }
    var cluster = ClusterSettings.of(reader.root().section("cluster"));
    var drain =
        DrainSettings.of(
            gateway.section("drain"),
            cluster == null ? DrainSettings.Company.ALONE : DrainSettings.Company.CLUSTER);
    var leases = LeaseSettings.of(reader.root().section("leases"));
    var store = StoreSettings.of(reader.root().section("store"));
    var logging = LoggingSettings.of(reader.root().section("logging"));
    var tracing = TracingSettings.of(reader.root().section("tracing"));
    return new GatewaySettings(
        listen,
        dataDir,
        linksUrl.orElse(null),
        certificate,
        proxyProtocol,
        publicSide,
        tokens,
        links,
        windows,
        drain,
        udp,
        eventLoops,
        operations,
        cluster,
        leases,
        store,
        logging,
        tracing,
        reader.finish());
  }

  private static List<ClusterToken> tokens(Section auth) {
    var clusters = new HashMap<Secret, String>();
    List<Section> sections =
        auth.requireSections(
            "tokens",
            "at least one entry, \"- token: …\" with \"cluster: …\" below it; openssl rand -hex 32"
                + " makes a token");
    return sections.stream()
        .map(section -> {
          var secret = section.requireSecret("token");
          var cluster = section.require("cluster", ClusterName.kind());
          if (!secret.reveal().isEmpty() && clusters.putIfAbsent(secret, cluster) != null) {
            section.refuse("token", "found a token of an entry above", "a token of its own");
          }
          return new ClusterToken(secret, cluster);
        })
        .toList();
  }
}
