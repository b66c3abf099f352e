package dev.penstock.agent.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.penstock.access.AccessRules;
import dev.penstock.config.ConfigException;
import dev.penstock.config.ConfigReader;
import dev.penstock.config.ConfigurationPage;
import dev.penstock.config.HostPort;
import dev.penstock.config.Outside;
import dev.penstock.config.Secret;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.RoutingMode;
import dev.penstock.protocol.net.ProxyHeader;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AgentSettingsTest {
  private static final String LEAST = "pipeops:\n  api_url: http://g:8080\n  token: s3cret\n";

  @TempDir Path directory;

  private Path write(String yaml) throws IOException {
    return Files.writeString(directory.resolve("agent.yaml"), yaml);
  }

  private AgentSettings load(String yaml, Map<String, String> environment) throws IOException {
    return AgentSettings.load(write(yaml), environment);
  }

  private List<String> problems(String yaml, Map<String, String> environment) {
    var e = catchThrowableOfType(ConfigException.class, () -> load(yaml, environment));
    assertThat(e).isNotNull();
    String file = directory.resolve("agent.yaml").toString();
    return e.problems().stream().map(it -> it.replace(file, "agent.yaml")).toList();
  }

  @Test
  void gatewayAndTokenAreAllThatHasToBeSaid() throws IOException {
    var settings = load(LEAST, Map.of());
    assertThat(settings.apiUrl()).isEqualTo(URI.create("http://g:8080"));
    assertThat(settings.token()).isEqualTo(Secret.of("s3cret"));
    assertThat(settings.clusterName()).isNull();
    assertThat(settings.id()).matches("agent-[0-9a-f]{16}").isEqualTo(AgentId.ofThisMachine());
    assertThat(settings.links()).isEqualTo(2);
    assertThat(settings.tunnels()).isEqualTo(AgentSettings.Tunnels.ENABLED);
    assertThat(settings.tcp())
        .isEqualTo(
            new TcpSettings(
                OptionalInt.empty(),
                TcpSettings.KeepAlive.ON,
                Duration.ofSeconds(30),
                Duration.ofSeconds(30),
                Duration.ofMinutes(5),
                1000));
    assertThat(settings.udp()).isEqualTo(new UdpSettings(65_535, Duration.ofMinutes(5), 10_000));
    assertThat(settings.routing())
        .isEqualTo(
            new RoutingSettings(RoutingSettings.ForceTunnel.ON, RoutingSettings.DualMode.ON));
    assertThat(settings.tcpDiscovery())
        .isEqualTo(settings.udpDiscovery())
        .isEqualTo(new DiscoverySettings(DiscoverySettings.State.ENABLED, "pipeops.io/managed"));
    assertThat(settings.services()).isEmpty();
    assertThat(settings.management().listen()).isEqualTo(new HostPort("127.0.0.1", 9091));
    assertThat(settings.toString()).doesNotContain("s3cret");
  }

  @Test
  void anIdDependsOnHostAndMachine() {
    assertThat(AgentId.of("a", "b")).isEqualTo(AgentId.of("a", "b"));
    assertThat(AgentId.of("a", "b")).isNotEqualTo(AgentId.of("ab", ""));
  }

  @Test
  void variablesWinOverTheFileAndOptionsOverBoth() throws IOException {
    var environment =
        Map.of(
            "PIPEOPS_API_URL", "https://env",
            "PIPEOPS_TOKEN", "envtoken",
            "PIPEOPS_CLUSTER_NAME", "");
    var settings = load(LEAST + "  cluster_name: lab\n", environment);
    assertThat(settings.apiUrl()).isEqualTo(URI.create("https://env"));
    assertThat(settings.token()).isEqualTo(Secret.of("envtoken"));
    assertThat(settings.clusterName()).isEqualTo("lab");
    Path file = Files.writeString(directory.resolve("token"), "optiontoken\n");
    var options = List.of(new Outside("pipeops.token_file", "--token-file", file.toString()));
    assertThat(AgentSettings.load(write(LEAST), environment, options).token())
        .isEqualTo(Secret.of("optiontoken"));
  }

  @Test
  void everyProblemOfAFileIsToldAtOnce() {
    assertThat(
            problems(
                """
                pipeops:
                  cluster_name: -x
                  tls:
                    cert_file: none.pem
                tunnels:
                  tcp:
                    connection_timeout: 99ms
                  services:
                    - {name: a, port: 80, target: 127.0.0.1:80}
                    - {name: a, port: 80, target: 127.0.0.1:81}
                    - {name: B, protocol: sctp, port: 0, target: x, public_port: 70000}
                """,
                Map.of("PIPEOPS_API_URL", "ftp://x")))
        .containsExactly(
            "PIPEOPS_API_URL: found \"ftp://x\", whose scheme is none of http, https (expected: a URL"
                + " such as http://gateway.example.com)",
            "agent.yaml:1: pipeops.token: missing (expected: a secret here or the path of its file at"
                + " token_file)",
            "agent.yaml:2: pipeops.cluster_name: found \"-x\" (expected: lower case letters, digits,"
                + " \"-\" and \".\", at most 253, such as lab)",
            "agent.yaml:3: pipeops.tls.key_file: missing (expected: the private key of cert_file)",
            "agent.yaml:4: pipeops.tls.cert_file: found \"none.pem\", which does not exist (expected: a"
                + " readable PEM file with X.509 certificates)",
            "agent.yaml:7: tunnels.tcp.connection_timeout: found \"99ms\" (expected: a duration from"
                + " 100ms to 10m, such as 30s)",
            "agent.yaml:10: tunnels.services[1].name: found \"a\" again (expected: a name of its own)",
            "agent.yaml:10: tunnels.services[1].port: found 80 again (expected: a port of its own)",
            "agent.yaml:11: tunnels.services[2].name: found \"B\" (expected: 1 to 63 lower case letters,"
                + " digits and \"-\", such as redis)",
            "agent.yaml:11: tunnels.services[2].protocol: found \"sctp\" (expected: tcp or udp)",
            "agent.yaml:11: tunnels.services[2].port: found \"0\" (expected: 1 to 65535)",
            "agent.yaml:11: tunnels.services[2].target: found \"x\" (expected: host:port such as"
                + " 127.0.0.1:6379)",
            "agent.yaml:11: tunnels.services[2].public_port: found \"70000\" (expected: 1 to 65535)");
  }

  @Test
  void tcpAndUdpMayHaveOneNameAndOnePort() {
    var settings =
        AgentSettings.of(
            "http://g:8080",
            Secret.of("s3cret"),
            List.of(Expose.parse("dns=127.0.0.1:53"), Expose.parse("dns=udp://127.0.0.1:53@5353")));
    assertThat(settings.services())
        .extracting(ServiceSettings::protocol)
        .containsExactly(Protocol.TCP, Protocol.UDP);
    assertThat(settings.services().getLast().publicPort()).hasValue(5353);
    assertThat(settings.services().getLast().target().port()).isEqualTo(53);
  }

  @Test
  void theOneLineFormSaysTheSameAsAFile() throws IOException {
    var exposes = List.of(Expose.parse("redis=[::1]:6379"), Expose.parse("web=h:8000@18000"));
    var settings = AgentSettings.of("http://g:8080", Secret.of("s3cret"), exposes);
    var file =
        load(
            LEAST
                + """
                tunnels:
                  services:
                    - {name: redis, port: 6379, target: "[::1]:6379"}
                    - {name: web, port: 8000, target: "h:8000", public_port: 18000}
                """,
            Map.of());
    assertThat(settings).usingRecursiveComparison().ignoringFields("origins").isEqualTo(file);
    assertThat(settings.services().getLast().publicPort()).isEqualTo(OptionalInt.of(18_000));
  }

  @Test
  void theOneLineFormIsCheckedLikeAFile() {
    var twice = List.of(Expose.parse("a=h:1"), Expose.parse("a=i:1"));
    assertThatThrownBy(() -> AgentSettings.of("g:8080", Secret.of("two words"), twice))
        .hasMessage(
            "--gateway: found \"g:8080\" (expected: a URL such as http://gateway.example.com)\n"
                + "--token: found 9 characters, not shown (expected: printable ASCII without spaces)\n"
                + "--expose: found the name \"a\" again (expected: a name of its own)\n"
                + "--expose: found the target port 1 again (expected: a port of its own; a file can tell"
                + " port and target apart)");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "redis # without a name before \"=\" # name=host:port",
        "Web=h:1 # whose name is \"Web\" # 1 to 63 lower case",
        "=h:1 # whose name is \"\" # 1 to 63 lower case",
        "web=h # whose target is \"h\" # name=host:port",
        "web=h:0 # whose target is \"h:0\" # name=host:port",
        "web=h:1@0 # whose public port is \"0\" # 1 to 65535",
        "web=h:1@x # whose public port is \"x\" # 1 to 65535",
      })
  void aBadExposeIsToldWithItsPart(String text, String why, String expected) {
    assertThatThrownBy(() -> Expose.parse(text))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith(
            "--expose: found \"" + text + "\", " + why + " (expected: " + expected);
  }

  @Test
  void thePageHasEveryKeyAndVariableAndNoOther() throws IOException {
    var reader =
        ConfigReader.open(
            write(
                LEAST
                    + "management: {tokens: [{name: a}], tls: {cert: none.pem, key: none.pem}}\n"
                    + "tunnels: {services: [{name: a}]}\n"),
            List.of());
    assertThatThrownBy(() -> AgentSettings.of(reader, List.of()))
        .isInstanceOf(ConfigException.class);
    assertThat(ConfigurationPage.section("agent.yaml").rows().keySet())
        .containsExactlyInAnyOrderElementsOf(reader.askedKeys());
    assertThat(ConfigurationPage.section("Environment of the agent").rows())
        .isEqualTo(AgentSettings.VARIABLES);
  }

  @Test
  void theDefaultsOfThePageAreThoseOfTheCode() throws IOException {
    var required = List.of("pipeops.api_url: http://g:8080", "pipeops.token: s3cret");
    String written = ConfigurationPage.section("agent.yaml").defaults(required);
    assertThat(load(written, Map.of()))
        .usingRecursiveComparison()
        .ignoringFields("origins")
        .isEqualTo(load(LEAST, Map.of()));
  }

  @Test
  void theExampleOfThePageCanBeUsed() throws IOException {
    var settings = load(ConfigurationPage.section("agent.yaml").example(), Map.of());
    assertThat(settings.clusterName()).isEqualTo("lab");
    assertThat(settings.services())
        .containsExactly(
            new ServiceSettings(
                "redis",
                Protocol.TCP,
                6379,
                new HostPort("127.0.0.1", 6379),
                OptionalInt.empty(),
                ProxyHeader.NONE,
                AccessRules.EVERYBODY,
                Optional.empty(),
                RoutingMode.TUNNEL,
                TcpSettings.defaults(),
                UdpSettings.defaults()));
  }

  /// The "full configuration" of the original's page, with comments and quotes as there.
  private static final String FULL =
      """
      tunnels:
        # Enable/disable TCP/UDP tunnel discovery
        enabled: true
        routing:
          # Force all services to use tunnel mode
          force_tunnel_mode: true
          dual_mode_enabled: true
        discovery:
          tcp:
            enabled: true
            gateway_label: "pipeops.io/managed"
          udp:
            enabled: true
            gateway_label: "pipeops.io/managed"
        tcp:
          # Buffer size for TCP data (bytes)
          buffer_size: 32768
          keepalive: true
          keepalive_period: "30s"
          connection_timeout: "30s"
          idle_timeout: "5m"
          max_connections: 1000
        udp:
          buffer_size: 65535
          session_timeout: "5m"
          max_sessions: 10000
      """;

  @Test
  void theFullConfigurationOfTheOriginalsPageLoadsUnchangedAndSaysTheDefaults() throws IOException {
    var connection = Map.of("PIPEOPS_API_URL", "http://g:8080", "PIPEOPS_TOKEN", "s3cret");
    var settings = load(FULL, connection);
    assertThat(settings.tcp().bufferSize()).isEqualTo(OptionalInt.of(32_768));
    assertThat(settings)
        .usingRecursiveComparison()
        .ignoringFields("origins", "tcp.bufferSize")
        .isEqualTo(load(LEAST, Map.of()));
  }

  @Test
  void aServiceMaySayItselfWhatHoldsForItAndElseTheCommonHolds() throws IOException {
    var services =
        load(
                LEAST
                    + """
                    tunnels:
                      tcp: {idle_timeout: 1h30m, max_connections: 7, buffer_size: 4KiB}
                      udp: {max_sessions: 3}
                      services:
                        - name: a
                          port: 1
                          target: h:1
                          tcp: {buffer_size: 8KiB, keepalive: false, keepalive_period: 9s,
                                connection_timeout: 2s, idle_timeout: 0s, max_connections: 8}
                          udp: {buffer_size: 1200, session_timeout: 30s, max_sessions: 4}
                        - {name: b, port: 2, target: h:2}
                    """,
                Map.of())
            .services();
    assertThat(services.getFirst().tcp())
        .isEqualTo(
            new TcpSettings(
                OptionalInt.of(8192),
                TcpSettings.KeepAlive.OFF,
                Duration.ofSeconds(9),
                Duration.ofSeconds(2),
                Duration.ZERO,
                8));
    assertThat(services.getFirst().udp())
        .isEqualTo(new UdpSettings(1200, Duration.ofSeconds(30), 4));
    assertThat(services.getLast().tcp())
        .isEqualTo(
            new TcpSettings(
                OptionalInt.of(4096),
                TcpSettings.KeepAlive.ON,
                Duration.ofSeconds(30),
                Duration.ofSeconds(30),
                Duration.ofMinutes(90),
                7));
    assertThat(services.getLast().udp())
        .isEqualTo(new UdpSettings(65_535, Duration.ofMinutes(5), 3));
  }

  @ParameterizedTest
  @CsvSource({
    "true,  true,  ,       ,    TUNNEL",
    "true,  true,  dual,   h:1, TUNNEL",
    "true,  true,  direct, h:1, TUNNEL",
    "false, true,  ,       ,    TUNNEL",
    "false, true,  ,       h:1, DUAL",
    "false, false, ,       h:1, TUNNEL",
    "false, false, dual,   h:1, DUAL",
    "false, true,  direct, h:1, DIRECT",
    "false, true,  tunnel, h:1, TUNNEL",
    "false, true,  tunnel, ,    TUNNEL",
  })
  void theRoutingModeIsMadeOfTheServicesAndTheCommonKeys(
      boolean forced, boolean dual, String wanted, String endpoint, RoutingMode expected)
      throws IOException {
    String service =
        "{name: a, port: 1, target: \"h:1\""
            + (wanted == null ? "" : ", routing_mode: " + wanted)
            + (endpoint == null ? "" : ", public_endpoint: \"" + endpoint + "\"")
            + "}";
    var settings =
        load(
            LEAST
                + "tunnels:\n  routing: {force_tunnel_mode: %s, dual_mode_enabled: %s}\n"
                    .formatted(forced, dual)
                + "  services: ["
                + service
                + "]\n",
            Map.of());
    assertThat(settings.services().getFirst().routingMode()).isEqualTo(expected);
  }

  @Test
  void whatCannotBeOfTheTunnelsKeysIsToldWithItsBounds() {
    assertThat(
            problems(
                LEAST
                    + """
                    tunnels:
                      routing: {force_tunnel_mode: maybe}
                      discovery: {tcp: {gateway_label: "a b"}}
                      tcp:
                        buffer_size: 100
                        keepalive_period: 500ms
                        idle_timeout: 50ms
                        max_connections: 0
                      udp:
                        buffer_size: 65536
                      services:
                        - {name: a, port: 1, target: "h:1", routing_mode: direct}
                        - {name: b, port: 2, target: "h:2", routing_mode: both}
                        - {name: c, protocol: udp, port: 3, target: "h:3", proxy_protocol: v1}
                    """,
                Map.of()))
        .containsExactly(
            "agent.yaml:5: tunnels.routing.force_tunnel_mode: found \"maybe\" (expected: true or"
                + " false)",
            "agent.yaml:6: tunnels.discovery.tcp.gateway_label: found \"a b\" (expected: a label's key"
                + " or key=value, such as pipeops.io/managed)",
            "agent.yaml:8: tunnels.tcp.buffer_size: found \"100\" (expected: a size from 1KiB to 1MiB,"
                + " such as 256KiB)",
            "agent.yaml:9: tunnels.tcp.keepalive_period: found \"500ms\" (expected: a duration from 1s"
                + " to 1h, such as 30s)",
            "agent.yaml:10: tunnels.tcp.idle_timeout: found \"50ms\" (expected: a duration from 100ms"
                + " to 168h, such as 30s, or 0s for never)",
            "agent.yaml:11: tunnels.tcp.max_connections: found \"0\" (expected: 1 to 1000000)",
            "agent.yaml:13: tunnels.udp.buffer_size: found \"65536\" (expected: a size from 512B to"
                + " 65535B, such as 256KiB)",
            "agent.yaml:15: tunnels.services[0].public_endpoint: missing (expected: host:port where"
                + " clients reach the service themselves, for routing_mode direct)",
            "agent.yaml:16: tunnels.services[1].routing_mode: found \"both\" (expected: direct or"
                + " tunnel or dual)",
            "agent.yaml:17: tunnels.services[2].proxy_protocol: found v1 for a udp service (expected:"
                + " v2: v1 knows TCP only)");
  }

  @Test
  void everyKeyHasAVariableAndThoseOfTheOriginalCountToo() throws IOException {
    var settings =
        load(
            LEAST,
            Map.of(
                "PENSTOCK_TUNNELS_TCP_IDLE_TIMEOUT", "7m",
                "TUNNELS_ROUTING_FORCE_TUNNEL_MODE", "false",
                "PIPEOPS_AGENT_ID", "agent-7",
                "PENSTOCK_PIPEOPS_CLUSTER_NAME", "lab"));
    assertThat(settings.tcp().idleTimeout()).isEqualTo(Duration.ofMinutes(7));
    assertThat(settings.routing().forced()).isEqualTo(RoutingSettings.ForceTunnel.OFF);
    assertThat(settings.id()).isEqualTo("agent-7");
    assertThat(settings.clusterName()).isEqualTo("lab");
  }
}
