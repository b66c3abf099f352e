package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.penstock.config.ConfigException;
import dev.penstock.config.ConfigReader;
import dev.penstock.config.HostPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClusterSettingsTest {
  private static final String SECRET = "secret: 0123456789abcdef";

  @TempDir Path directory;

  private ClusterSettings load(String yaml) throws IOException {
    Path file = Files.writeString(directory.resolve("gateway.yaml"), yaml);
    var reader = ConfigReader.open(file, List.of());
    var settings = ClusterSettings.of(reader.root().section("cluster"));
    reader.finish();
    return settings;
  }

  private List<String> problems(String yaml) {
    var e = catchThrowableOfType(ConfigException.class, () -> load(yaml));
    assertThat(e).as(yaml).isNotNull();
    String file = directory.resolve("gateway.yaml").toString();
    return e.problems().stream().map(it -> it.replace(file, "gateway.yaml")).toList();
  }

  @Test
  void aGatewayIsAloneUnlessToldOtherwise() throws IOException {
    assertThat(load("cluster: {name: lab}")).isNull();
    assertThat(load("cluster: {enabled: false, listen: 10.0.0.1:7355}")).isNull();
  }

  @Test
  void seedsAndASecretAreAllThatANodeNeeds() throws IOException {
    var settings = load("cluster: {enabled: true, seeds: [127.0.0.1:7355], " + SECRET + "}");
    assertThat(settings.listen()).isEqualTo(new HostPort("127.0.0.1", 7355));
    assertThat(settings.bind()).isEqualTo(settings.listen());
    assertThat(settings.relay()).isEqualTo(new HostPort("127.0.0.1", 7356));
    assertThat(settings.seeding())
        .isEqualTo(new Seeding.Named(List.of(new HostPort("127.0.0.1", 7355))));
    assertThat(settings.downAfter()).isEqualTo(Duration.ofSeconds(5));
    assertThat(settings.toString()).doesNotContain("0123456789abcdef");
  }

  @Test
  void theOtherWaysToFindTheCluster() throws IOException {
    assertThat(
            load("cluster: {enabled: true, bootstrap: dns, dns: {name: nodes.lab}, " + SECRET + "}")
                .seeding())
        .isEqualTo(new Seeding.Dns("nodes.lab", 2));
    assertThat(
            load("cluster: {enabled: true, bootstrap: kubernetes, min_nodes: 3, kubernetes:"
                    + " {selector: app=penstock, namespace: edge}, "
                    + SECRET
                    + "}")
                .seeding())
        .isInstanceOfSatisfying(
            Seeding.Kubernetes.class,
            it -> {
              assertThat(it.selector()).isEqualTo("app=penstock");
              assertThat(it.namespace()).isEqualTo("edge");
              assertThat(it.minNodes()).isEqualTo(3);
            });
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          seeds: [127.0.0.1:1]                                | cluster.secret: missing
          SECRET                                              | cluster.seeds: missing
          seeds: [127.0.0.1:1], secret: short                 | cluster.secret: found 5 characters, not shown
          SECRET, seeds: [nowhere]                            | cluster.seeds: found "nowhere"
          SECRET, bootstrap: dns                              | cluster.dns.name: missing
          SECRET, bootstrap: dns, dns: {name: "a b"}          | cluster.dns.name: found "a b"
          SECRET, bootstrap: kubernetes                       | cluster.kubernetes.selector: missing
          SECRET, bootstrap: dns, dns: {name: x}, seeds: [a:1] | cluster.seeds: found beside bootstrap
          SECRET, bootstrap: guess, seeds: [a:1]              | cluster.bootstrap: found "guess"
          SECRET, seeds: [a:1], listen: 10.0.0.1:7355         | cluster.listen: found "10.0.0.1:7355" without cluster.tls
          SECRET, seeds: [a:1], relay: 10.0.0.1:7356          | cluster.relay: found "10.0.0.1:7356" without cluster.tls
          SECRET, seeds: [a:1], bind: 0.0.0.0:7355            | cluster.bind: found "0.0.0.0:7355" without cluster.tls
          SECRET, seeds: [a:1], listen: 0.0.0.0:7355, insecure: true | cluster.listen: found "0.0.0.0:7355" (expected: the address that other nodes reach)
          SECRET, seeds: [a:1], relay: 127.0.0.1:7355         | cluster.relay: found "127.0.0.1:7355" (expected: another address than cluster.listen)
          SECRET, seeds: [a:1], split_brain: hope             | cluster.split_brain: found "hope" (expected: keep-majority or keep-oldest or lease-majority)
          SECRET, seeds: [a:1], down_after: 1ms               | cluster.down_after: found "1ms"
          SECRET, seeds: [a:1], unreachable_after: 1h         | cluster.unreachable_after: found "1h"
          SECRET, seeds: [a:1], app_version: "a b"            | cluster.app_version: found "a b"
          SECRET, seeds: [a:1], tls: {cert: none.pem}         | cluster.tls.cert: found "none.pem"
          SECRET, seeds: [a:1], name: Lab                     | cluster.name: found "Lab"
          SECRET, seeds: [a:1], seed: [b:1]                   | cluster.seed: found an unknown key, perhaps "seeds" was meant
          """)
  void whatCannotBeUsedIsToldWithItsKey(String keys, String problem) {
    String yaml = "cluster: {enabled: true, " + keys.replace("SECRET", SECRET) + "}";
    assertThat(problems(yaml)).anyMatch(it -> it.startsWith("gateway.yaml:1: " + problem));
  }
}
