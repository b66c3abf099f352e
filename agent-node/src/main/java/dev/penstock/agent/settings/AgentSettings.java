package dev.penstock.agent.settings;

import static java.util.stream.Collectors.joining;

import dev.penstock.config.ClusterName;
import dev.penstock.config.ConfigException;
import dev.penstock.config.ConfigReader;
import dev.penstock.config.Definition;
import dev.penstock.config.HostPort;
import dev.penstock.config.Kind;
import dev.penstock.config.Origins;
import dev.penstock.config.Outside;
import dev.penstock.config.Reference;
import dev.penstock.config.Secret;
import dev.penstock.config.Section;
import dev.penstock.config.Variables;
import dev.penstock.config.WindowSettings;
import dev.penstock.management.access.ManagementSettings;
import dev.penstock.observe.LoggingSettings;
import dev.penstock.observe.TracingSettings;
import dev.penstock.protocol.control.CarrierChoice;
import dev.penstock.protocol.control.Protocol;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// All that an agent can be told, from `agent.yaml`, from the environment and from options, of
/// which the later win. The gateway and the token have no defaults.
///
/// @param apiUrls `pipeops.api_url` or `PIPEOPS_API_URL`: the gateway's http or https URL, or up to
///   16 of them, of which any that answers will do
/// @param token `pipeops.token`, the content of the file at `pipeops.token_file`, or
///   `PIPEOPS_TOKEN`: 1 to 4096 printable ASCII characters without spaces
/// @param clusterName `pipeops.cluster_name` or `PIPEOPS_CLUSTER_NAME`: see [ClusterName]; null
///   leaves it to the token
/// @param tls `pipeops.tls`: whom to trust when the URL is https
/// @param id `agent.id`: 1 to 128 letters, digits, `.`, `_` and `-`; by default made of the host's
///   name and the machine id, so that two agents on one machine must be told theirs
/// @param links `agent.links.count`: links kept at a time, to different nodes of the gateway where
///   it has several, 1 to 16; default 2
/// @param drainGrace `agent.drain.grace`: how long what runs may go on when the agent is told to
///   end, 0 s to 24 h; default 60 s
/// @param eventLoops `agent.event_loops`: threads that carry bytes, 1 to 64; default 0 is one per
///   core
/// @param windows `agent.windows`: memory for what is under way
/// @param tunnels `tunnels.enabled`: whether the services are exposed; default true
/// @param protocol `tunnels.protocol`: what carries tunnels, `auto`, `yamux` or `json`; default
///   `auto`, which is yamux where both ends can
/// @param routing `tunnels.routing`: which ways to the services are told to clients
/// @param tcpDiscovery `tunnels.discovery.tcp`: where TCP services are looked for
/// @param udpDiscovery `tunnels.discovery.udp`: where UDP services are looked for
/// @param tcp `tunnels.tcp`: connections of services that do not say otherwise
/// @param udp `tunnels.udp`: sessions of services that do not say otherwise
/// @param services `tunnels.services`: what to expose, no two of one protocol with one name or one
///   port
/// @param kubernetes `kubernetes`: what is done where the agent runs in a cluster
/// @param management `management`: where health, metrics and operations are served, by default at
///   127.0.0.1:9091
/// @param logging `logging`: what is logged beside events
/// @param tracing `tracing`: where spans go
/// @param origins where each value was written
public record AgentSettings(
    List<URI> apiUrls,
    Secret token,
    @Nullable String clusterName,
    Tls tls,
    String id,
    int links,
    Duration drainGrace,
    int eventLoops,
    WindowSettings windows,
    Tunnels tunnels,
    CarrierChoice protocol,
    RoutingSettings routing,
    DiscoverySettings tcpDiscovery,
    DiscoverySettings udpDiscovery,
    TcpSettings tcp,
    UdpSettings udp,
    List<ServiceSettings> services,
    KubernetesSettings kubernetes,
    ManagementSettings management,
    LoggingSettings logging,
    TracingSettings tracing,
    Origins origins) {
  /// The variables with names of their own, each with the key that it sets.
  static final Map<String, String> VARIABLES =
      Map.of(
          "PIPEOPS_API_URL", "pipeops.api_url",
          "PIPEOPS_TOKEN", "pipeops.token",
          "PIPEOPS_CLUSTER_NAME", "pipeops.cluster_name",
          "PIPEOPS_AGENT_ID", "agent.id");

  /// The first words of keys whose variables the original agent knows, without a prefix.
  private static final Set<String> PLAIN = Set.of("tunnels");

  /// Whether services are exposed.
  public enum Tunnels {
    ENABLED,
    DISABLED
  }

  /// Whom to trust when the gateway's URL is https. The files were readable when the settings were
  /// read.
  ///
  /// @param caFile `pipeops.tls.ca_file`: PEM certificates of the authorities trusted; null trusts
  ///   those of the Java platform
  /// @param certFile `pipeops.tls.cert_file`: the agent's own certificate as PEM; null for none
  /// @param keyFile `pipeops.tls.key_file`: its private key, PKCS #8 as PEM without a password;
  ///   null exactly when `certFile` is
  /// @param verification `pipeops.tls.insecure_skip_verify`: `true` accepts any certificate of the
  ///   gateway, which lets anyone on the way read the token; default false
  public record Tls(
      @Nullable Path caFile,
      @Nullable Path certFile,
      @Nullable Path keyFile,
      Verification verification) {
    /// What is done with the gateway's certificate.
    public enum Verification {
      CHECKED,
      SKIPPED
    }

    static Tls of(Section section) {
      int problems = section.problemCount();
      var certFile = section.find("cert_file", Kind.certificates());
      var keyFile = section.find("key_file", Kind.privateKey());
      if (certFile.isPresent() && keyFile.isEmpty()) {
        section.missing("key_file", "the private key of cert_file");
      }
      if (certFile.isPresent() && keyFile.isPresent() && section.problemCount() == problems) {
        section.requireKeyOf(certFile.get(), "key_file", keyFile.get());
      }
      if (keyFile.isPresent() && certFile.isEmpty()) {
        section.missing("cert_file", "the certificate of key_file");
      }
      return new Tls(
          section.find("ca_file", Kind.certificates()).orElse(null),
          certFile.orElse(null),
          keyFile.orElse(null),
          section.get("insecure_skip_verify", Kind.flag(), false)
              ? Verification.SKIPPED
              : Verification.CHECKED);
    }
  }

  private static final int MAX_API_URLS = 16;

  public AgentSettings {
    apiUrls = List.copyOf(apiUrls);
    services = List.copyOf(services);
  }

  /// The first of the gateway's URLs.
  public URI apiUrl() {
    return apiUrls.getFirst();
  }

  /// The services that are exposed: all or, with `tunnels.enabled: false`, none.
  public List<ServiceSettings> exposed() {
    return tunnels == Tunnels.ENABLED ? services : List.of();
  }

  /// What matters most, a line each, for people.
  public List<String> summary() {
    var lines = new ArrayList<String>();
    lines.add(
        "links to "
            + apiUrls.stream().map(URI::toString).collect(joining(" or "))
            + ", "
            + links
            + " at a time, as agent "
            + id);
    for (ServiceSettings service : services) {
      lines.add(
          service.name()
              + ": port "
              + service.port()
              + " -> "
              + service.target()
              + ", "
              + service.routingMode().label()
              + ", at most "
              + service.tcp().maxConnections()
              + " connections");
    }
    if (tunnels == Tunnels.DISABLED) {
      lines.add("nothing is exposed: tunnels.enabled is false");
    } else if (services.isEmpty()) {
      lines.add("there are no tunnels.services: only what is found in Kubernetes is exposed");
    }
    lines.add("health and metrics at " + management);
    return lines;
  }

  /// Without the token, see [Secret#toString].
  @Override
  public String toString() {
    return "AgentSettings[id=" + id + ", apiUrls=" + apiUrls + ", services=" + services + "]";
  }

  /// Reads the file and what it names: token file and certificates.
  ///
  /// @param environment the process's variables
  /// @throws ConfigException with all problems at once
  public static AgentSettings load(Path file, Map<String, String> environment) {
    return load(file, environment, List.of());
  }

  /// As [#load(Path, Map)], with options that win over variables and file.
  public static AgentSettings load(
      Path file, Map<String, String> environment, List<Outside> options) {
    return of(ConfigReader.open(file, options, variables(environment)), List.of());
  }

  /// The one-line form, without a file: all defaults, and these services.
  ///
  /// @throws ConfigException when the URL or the token is unusable, or two services have one name
  ///   or one port
  public static AgentSettings of(String gatewayUrl, Secret token, List<Expose> exposes) {
    return of(
        Map.of(),
        List.of(
            new Outside("pipeops.api_url", "--gateway", gatewayUrl),
            new Outside("pipeops.token", "--token", token.reveal())),
        exposes);
  }

  /// As [#of(String, Secret, List)], with any key as an option and variables below them.
  public static AgentSettings of(
      Map<String, String> environment, List<Outside> options, List<Expose> exposes) {
    return of(ConfigReader.withoutFile("penstock agent", options, variables(environment)), exposes);
  }

  private static Variables variables(Map<String, String> environment) {
    return Variables.of(environment, VARIABLES, PLAIN);
  }

  /// Every key of `agent.yaml` with its default, its values and its meaning, as a table in
  /// Markdown.
  public static String reference() {
    List<Definition> definitions = ConfigReader.definitions(reader -> of(reader, List.of()));
    return Reference.table(definitions, AgentSettings.class, "meanings.properties");
  }

  static AgentSettings of(ConfigReader reader, List<Expose> exposes) {
    Section root = reader.root();
    Section pipeops = root.section("pipeops");
    Section agent = root.section("agent");
    Section tunnels = root.section("tunnels");
    var apiUrls = apiUrls(pipeops);
    var token = pipeops.requireSecret("token");
    var clusterName = pipeops.find("cluster_name", ClusterName.kind());
    var tls = Tls.of(pipeops.section("tls"));
    var id =
        agent.getDerived(
            "id",
            Kind.text(
                AgentId.PATTERN,
                "1 to 128 letters, digits, \".\", \"_\" and \"-\", such as agent-1",
                "agent"),
            AgentId.ofThisMachine(),
            "made of the host's name and the machine id");
    var links = agent.section("links").get("count", Kind.integer(1, 16), 2);
    var drainGrace =
        agent
            .section("drain")
            .get(
                "grace",
                Kind.duration(Duration.ZERO, Duration.ofHours(24)),
                Duration.ofSeconds(60));
    var eventLoops = agent.get("event_loops", Kind.integer(0, 64), 0);
    var windows = WindowSettings.of(agent.section("windows"));
    var enabled = tunnels.get("enabled", Kind.flag(), true) ? Tunnels.ENABLED : Tunnels.DISABLED;
    var protocol = tunnels.get("protocol", Kind.oneOf(CarrierChoice.class), CarrierChoice.AUTO);
    var routing = RoutingSettings.of(tunnels.section("routing"));
    Section discovery = tunnels.section("discovery");
    var tcpDiscovery = DiscoverySettings.of(discovery.section("tcp"));
    var udpDiscovery = DiscoverySettings.of(discovery.section("udp"));
    var tcp = TcpSettings.of(tunnels.section("tcp"), TcpSettings.defaults());
    var udp = UdpSettings.of(tunnels.section("udp"), UdpSettings.defaults());
    var common = new ServiceSettings.Common(routing, tcp, udp);
    var services = new ArrayList<>(services(tunnels.sections("services"), common));
    services.addAll(services(reader, exposes, common));
    var kubernetes = KubernetesSettings.of(root.section("kubernetes"));
    var management =
        ManagementSettings.of(root.section("management"), new HostPort("127.0.0.1", 9091));
    var logging = LoggingSettings.of(root.section("logging"));
    var tracing = TracingSettings.of(root.section("tracing"));
    return new AgentSettings(
        apiUrls,
        token,
        clusterName.orElse(null),
        tls,
        id,
        links,
        drainGrace,
        eventLoops,
        windows,
        enabled,
        protocol,
        routing,
        tcpDiscovery,
        udpDiscovery,
        tcp,
        udp,
        services,
        kubernetes,
        management,
        logging,
        tracing,
        reader.finish());
  }

  /// At least one, be it a stand-in for one that was refused.
  private static List<URI> apiUrls(Section pipeops) {
    int problems = pipeops.problemCount();
    Kind<URI> kind = Kind.url(List.of("http", "https"));
    List<URI> found = pipeops.list("api_url", kind, MAX_API_URLS);
    if (found.isEmpty() && pipeops.problemCount() == problems) {
      pipeops.missing("api_url", "a URL such as http://gateway.example.com");
    }
    return found.isEmpty() ? List.of(URI.create("http://localhost")) : found;
  }

  private static List<ServiceSettings> services(
      List<Section> sections, ServiceSettings.Common common) {
    var names = new HashSet<Map.Entry<Protocol, String>>();
    var ports = new HashSet<Map.Entry<Protocol, Integer>>();
    return sections.stream()
        .map(section -> {
          int problems = section.problemCount();
          var service = ServiceSettings.of(section, common);
          if (section.problemCount() == problems) {
            if (!names.add(Map.entry(service.protocol(), service.name()))) {
              section.refuse("name", "found \"" + service.name() + "\" again", "a name of its own");
            }
            if (!ports.add(Map.entry(service.protocol(), service.port()))) {
              section.refuse("port", "found " + service.port() + " again", "a port of its own");
            }
          }
          return service;
        })
        .toList();
  }

  private static List<ServiceSettings> services(
      ConfigReader reader, List<Expose> exposes, ServiceSettings.Common common) {
    var names = new HashSet<Map.Entry<Protocol, String>>();
    var ports = new HashSet<Map.Entry<Protocol, Integer>>();
    for (Expose expose : exposes) {
      if (!names.add(Map.entry(expose.protocol(), expose.name()))) {
        reader.refuse(
            "--expose", "found the name \"" + expose.name() + "\" again", "a name of its own");
      }
      if (!ports.add(Map.entry(expose.protocol(), expose.target().port()))) {
        reader.refuse(
            "--expose",
            "found the target port " + expose.target().port() + " again",
            "a port of its own; a file can tell port and target apart");
      }
    }
    return exposes.stream().map(expose -> ServiceSettings.of(expose, common)).toList();
  }
}
