package dev.penstock.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.penstock.access.AccessRules;
import dev.penstock.config.ConfigException;
import dev.penstock.config.ConfigReader;
import dev.penstock.config.ConfigurationPage;
import dev.penstock.config.HostPort;
import dev.penstock.config.PortRange;
import dev.penstock.config.Secret;
import dev.penstock.gateway.drain.DrainSettings;
import dev.penstock.protocol.control.CarrierChoice;
import dev.penstock.protocol.net.ProxyFront;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GatewaySettingsTest {
  private static final String TOKENS =
      "gateway:\n  auth:\n    tokens:\n      - {token: s3cret, cluster: lab}\n";

  @TempDir Path directory;

  private GatewaySettings load(String yaml) throws IOException {
    return GatewaySettings.load(write(yaml));
  }

  private Path write(String yaml) throws IOException {
    return Files.writeString(directory.resolve("gateway.yaml"), yaml);
  }

  private List<String> problems(String yaml) {
    var e = catchThrowableOfType(ConfigException.class, () -> load(yaml));
    assertThat(e).isNotNull();
    String file = directory.resolve("gateway.yaml").toString();
    return e.problems().stream().map(it -> it.replace(file, "gateway.yaml")).toList();
  }

  @Test
  void aTokenIsAllThatHasToBeSaid() throws IOException {
    var settings = load(TOKENS);
    assertThat(settings.listen()).isEqualTo(new HostPort("127.0.0.1", 8080));
    assertThat(settings.management().listen()).isEqualTo(new HostPort("127.0.0.1", 9090));
    assertThat(settings.dataDir()).isEqualTo(directory.resolve("penstock-data"));
    assertThat(settings.linksUrl()).isNull();
    assertThat(settings.tls()).isNull();
    assertThat(settings.publicSide())
        .isEqualTo(
            new GatewaySettings.PublicSide(
                "127.0.0.1",
                "127.0.0.1",
                new PortRange(10_000, 35_000),
                100_000,
                20_000,
                Duration.ofMinutes(15),
                new ProxySettings(ProxyFront.Mode.OFF, List.of(), Duration.ofSeconds(5)),
                AccessRules.EVERYBODY,
                Duration.ZERO));
    assertThat(settings.proxyProtocol())
        .isEqualTo(new ProxySettings(ProxyFront.Mode.OFF, List.of(), Duration.ofSeconds(5)));
    assertThat(settings.tokens())
        .containsExactly(new GatewaySettings.ClusterToken(Secret.of("s3cret"), "lab"));
    assertThat(settings.links())
        .isEqualTo(
            new GatewaySettings.Links(
                Duration.ofSeconds(10),
                Duration.ofSeconds(10),
                4 << 20,
                128 << 10,
                Duration.ofSeconds(15),
                Duration.ofSeconds(10),
                64,
                120,
                200,
                500,
                CarrierChoice.AUTO,
                false,
                Duration.ofMillis(250),
                Duration.ofMillis(5),
                Duration.ofSeconds(5),
                Duration.ofSeconds(5),
                Duration.ofMinutes(1),
                10_000));
    assertThat(settings.drain())
        .isEqualTo(new DrainSettings(Duration.ofSeconds(60), Duration.ZERO, Duration.ofSeconds(5)));
    assertThat(settings.eventLoops()).isZero();
    assertThat(settings.toString()).doesNotContain("s3cret");
  }

  @Test
  void aProxyIsTrustedOnlyByName() throws IOException {
    var settings =
        load(
            """
            gateway:
              proxy_protocol: {mode: required, trusted: 10.0.0.7, timeout: 3s}
              public:
                proxy_protocol: {mode: optional, trusted: [10.0.0.0/8, "2001:db8::/32"]}
              auth:
                tokens:
                  - {token: s3cret, cluster: lab}
            """);
    assertThat(settings.proxyProtocol().trusted()).hasToString("[10.0.0.7/32]");
    assertThat(settings.proxyProtocol().timeout()).isEqualTo(Duration.ofSeconds(3));
    var front = settings.publicSide().proxyProtocol().front();
    assertThat(front.mode()).isEqualTo(ProxyFront.Mode.OPTIONAL);
    assertThat(front.trusted().test(InetAddress.ofLiteral("10.1.2.3"))).isTrue();
    assertThat(front.trusted().test(InetAddress.ofLiteral("2001:db8::1"))).isTrue();
    assertThat(front.trusted().test(InetAddress.ofLiteral("11.1.2.3"))).isFalse();
    assertThat(problems("gateway:\n  public:\n    proxy_protocol: {mode: required}\n"))
        .contains(
            "gateway.yaml:3: gateway.public.proxy_protocol.trusted: missing (expected: the addresses"
                + " of the proxies, such as [10.0.0.0/8])");
  }

  @Test
  void withoutATokenTheNextStepIsTold() {
    assertThat(problems("gateway:\n  listen: 127.0.0.1:1\n"))
        .containsExactly(
            "gateway.yaml:1: gateway.auth.tokens: missing (expected: at least one entry, \"- token: …\""
                + " with \"cluster: …\" below it; openssl rand -hex 32 makes a token)");
    assertThat(problems("gateway:\n  auth:\n    tokens:\n      - cluster: lab\n"))
        .containsExactly(
            "gateway.yaml:4: gateway.auth.tokens[0].token: missing (expected: a secret here or the"
                + " path of its file at token_file)");
  }

  @Test
  void everyProblemOfAFileIsToldAtOnce() {
    assertThat(
            problems(
                """
                gateway:
                  lisen: 127.0.0.1:8080
                  links_url: http://a
                  tls:
                    cert: none.pem
                  public:
                    bind: 127.0.0.1
                    ports: abc
                  auth:
                    tokens:
                      - {token: a, cluster: Lab}
                      - {token: a, cluster: b}
                  windows:
                    max_stream: 512MiB
                  event_loops: 65
                """))
        .containsExactly(
            "gateway.yaml:2: gateway.lisen: found an unknown key, perhaps \"listen\" was meant"
                + " (expected: auth, data_dir, drain, event_loops, links, links_url, listen, proxy_protocol,"
                + " public, tls, udp, windows)",
            "gateway.yaml:3: gateway.links_url: found \"http://a\", whose scheme is none of ws, wss"
                + " (expected: a URL such as ws://gateway.example.com)",
            "gateway.yaml:4: gateway.tls.key: missing (expected: a readable PEM file with an"
                + " unencrypted PKCS #8 key, as from openssl pkcs8 -topk8 -nocrypt)",
            "gateway.yaml:5: gateway.tls.cert: found \"none.pem\", which does not exist (expected: a"
                + " readable PEM file with X.509 certificates)",
            "gateway.yaml:8: gateway.public.ports: found \"abc\" (expected: a range such as"
                + " 10000-35000)",
            "gateway.yaml:11: gateway.auth.tokens[0].cluster: found \"Lab\" (expected: lower case"
                + " letters, digits, \"-\" and \".\", at most 253, such as lab)",
            "gateway.yaml:12: gateway.auth.tokens[1].token: found a token of an entry above (expected:"
                + " a token of its own)",
            "gateway.yaml:14: gateway.windows.max_stream: found 512MiB (expected: at most"
                + " session_budget, which is 128MiB)",
            "gateway.yaml:15: gateway.event_loops: found \"65\" (expected: 0 to 64)");
  }

  @Test
  void variablesWinOverTheFileAndMayHoldTheTokens() throws IOException {
    Path file = write("gateway: {auth: {tokens: [{cluster: lab}]}, event_loops: 1}\n");
    var settings =
        GatewaySettings.load(
            file,
            Map.of(
                "PENSTOCK_GATEWAY_AUTH_TOKENS_0_TOKEN", "s3cret",
                "PENSTOCK_GATEWAY_PUBLIC_IDLE_TIMEOUT", "1h30m",
                "PENSTOCK_GATEWAY_EVENT_LOOPS", "2"));
    assertThat(settings.tokens())
        .containsExactly(new GatewaySettings.ClusterToken(Secret.of("s3cret"), "lab"));
    assertThat(settings.publicSide().idleTimeout()).isEqualTo(Duration.ofMinutes(90));
    assertThat(settings.eventLoops()).isEqualTo(2);
  }

  @Test
  void leasesAreBoundedAndReservedForEachCluster() throws IOException {
    var settings =
        load(
            TOKENS
                + """
                  public: {ports: 10000-10099}
                leases:
                  retention: 2h
                  tenants:
                    - {cluster: lab, ports: [10000-10009, 10050-10059], max_tunnels: 5}
                  reservations:
                    - {cluster: shop, ports: 10005-10007}
                store: {url: "jdbc:postgresql://db/penstock", user: penstock, password: hidden}
                """);
    assertThat(settings.leases().retention()).isEqualTo(Duration.ofHours(2));
    var policy = settings.leasePolicy();
    assertThat(policy.describe("lab")).isEqualTo("10000-10004, 10008-10009, 10050-10059");
    assertThat(policy.describe("other")).isEqualTo("10000-10004, 10008-10099");
    assertThat(policy.describe("shop")).isEqualTo("10000-10099");
    assertThat(policy.quota("lab").tunnels()).isEqualTo(5);
    assertThat(policy.quota("shop").tunnels()).isEqualTo(20_000);
    assertThat(settings.store().toString()).contains("db/penstock").doesNotContain("hidden");
  }

  @Test
  void leasesThatContradictEachOtherAreRefused() {
    assertThat(
            problems(
                TOKENS
                    + """
                    leases:
                      tenants: [{cluster: lab}, {cluster: lab}]
                      reservations:
                        - {cluster: lab, ports: 10000-10009}
                        - {cluster: shop, ports: 10009-10010}
                    store: {url: "jdbc:mysql://db/x"}
                    """))
        .hasSize(3)
        .anyMatch(it -> it.contains("found \"lab\" a second time (expected: each cluster once)"))
        .anyMatch(it -> it.contains("found 10009-10010 beside 10000-10009"))
        .anyMatch(it -> it.contains("store.url"));
  }

  @Test
  void thePageHasEveryKeyAndNoOther() throws IOException {
    var page = ConfigurationPage.section("gateway.yaml");
    var reader =
        ConfigReader.open(
            write(
                TOKENS
                    + "  tls: {cert: none.pem, key: none.pem}\n"
                    + "cluster:\n  tls: {cert: none.pem, key: none.pem}\n"
                    + "management: {tokens: [{name: a}], tls: {cert: none.pem, key: none.pem}}\n"
                    + "leases:\n  tenants: [{cluster: lab}]\n"
                    + "  reservations: [{cluster: lab, ports: 1-2}]\n"),
            List.of());
    assertThatThrownBy(() -> GatewaySettings.of(reader)).isInstanceOf(ConfigException.class);
    assertThat(page.rows().keySet()).containsExactlyInAnyOrderElementsOf(reader.askedKeys());
  }

  @Test
  void theDefaultsOfThePageAreThoseOfTheCode() throws IOException {
    String tokens = "[{token: s3cret, cluster: lab}]";
    String written =
        ConfigurationPage.section("gateway.yaml")
            .defaults(List.of("gateway.auth.tokens: " + tokens));
    assertThat(load(written))
        .usingRecursiveComparison()
        .ignoringFields("origins")
        .isEqualTo(load(TOKENS));
  }

  @Test
  void theExampleOfThePageCanBeUsed() throws IOException {
    assertThat(load(ConfigurationPage.section("gateway.yaml").example()))
        .usingRecursiveComparison()
        .ignoringFields("origins")
        .isEqualTo(load(TOKENS));
  }
}
