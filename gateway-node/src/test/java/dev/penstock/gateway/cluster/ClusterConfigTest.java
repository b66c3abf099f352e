package dev.penstock.gateway.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.penstock.config.ConfigReader;
import dev.penstock.config.HostPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the keys of `cluster` say to the actor system, which acts on them.
class ClusterConfigTest {
  @TempDir Path directory;

  private Config config(String keys) throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("gateway.yaml"),
            "cluster: {enabled: true, seeds: [a:1], " + keys + "}");
    var reader = ConfigReader.open(file, List.of());
    var settings = ClusterSettings.of(reader.root().section("cluster"));
    reader.finish();
    return ConfigFactory.load(ClusterConfig.of(settings));
  }

  @Test
  void howLongANodeMayBeSilentAndWhichPartLivesOnIsTheResolversRule() throws Exception {
    Config config =
        config(
            "secret: 0123456789abcdef, unreachable_after: 3s, down_after: 7s, split_brain:"
                + " keep-oldest");
    assertThat(config.getDuration("pekko.cluster.failure-detector.acceptable-heartbeat-pause"))
        .isEqualTo(Duration.ofSeconds(3));
    Config resolver = config.getConfig("pekko.cluster.split-brain-resolver");
    assertThat(resolver.getDuration("stable-after")).isEqualTo(Duration.ofSeconds(7));
    assertThat(resolver.getString("active-strategy")).isEqualTo("keep-oldest");
  }

  @Test
  void leavingTakesNoLongerThanToldAndTheVersionIsTold() throws Exception {
    Config config = config("secret: 0123456789abcdef, leave_timeout: 11s, app_version: 7.2.1");
    assertThat(config.getDuration("pekko.coordinated-shutdown.phases.cluster-leave.timeout"))
        .isEqualTo(Duration.ofSeconds(11));
    assertThat(config.getDuration("penstock.node.end-timeout"))
        .isGreaterThan(Duration.ofSeconds(11));
    assertThat(config.getString("pekko.cluster.app-version")).isEqualTo("7.2.1");
  }

  @Test
  void aNodeIsKnownByItsOwnAddressAndArteryItselfHearsThisMachineOnly() throws Exception {
    Config artery =
        config("secret: 0123456789abcdef, listen: \"127.0.0.1:7355\", bind: \"127.0.0.2:7455\"")
            .getConfig("pekko.remote.artery");
    assertThat(artery.getString("canonical.hostname")).isEqualTo("127.0.0.1");
    assertThat(artery.getInt("canonical.port")).isEqualTo(7355);
    assertThat(artery.getString("bind.hostname")).isEqualTo("127.0.0.1");
    assertThat(artery.getInt("bind.port")).isZero();
    assertThat(artery.getString("advanced.tcp.outbound-client-hostname")).isEqualTo("127.0.0.2");
  }

  @Test
  void aSecretOfAFileIsTheSameAsOneInTheSettings() throws Exception {
    Path file = Files.writeString(directory.resolve("secret"), "0123456789abcdef\n");
    assertThat(config("secret_file: \"" + file + "\"").getString(JoinRules.DIGEST))
        .isEqualTo(config("secret: 0123456789abcdef").getString(JoinRules.DIGEST))
        .isNotEqualTo(config("secret: another-0123456789").getString(JoinRules.DIGEST));
  }

  @Test
  void aNameOfTheSystemsResolverStandsForItsAddresses() throws Exception {
    assertThat(new DnsLookup("localhost", 7355, "").nodes())
        .contains(new HostPort("127.0.0.1", 7355));
  }
}
