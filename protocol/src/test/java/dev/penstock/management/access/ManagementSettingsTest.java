package dev.penstock.management.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.ConfigException;
import dev.penstock.config.ConfigReader;
import dev.penstock.config.HostPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ManagementSettingsTest {
  private static final HostPort DEFAULT = new HostPort("127.0.0.1", 9090);

  @TempDir Path directory;

  private ManagementSettings read(String yaml) throws IOException {
    var reader = ConfigReader.open(Files.writeString(directory.resolve("t.yaml"), yaml), List.of());
    var settings = ManagementSettings.of(reader.root().section("management"), DEFAULT);
    reader.finish();
    return settings;
  }

  @Test
  void withoutASectionEverybodyOnThisMachineMayComeAndNobodyElse() throws Exception {
    assertThat(read("management: {}\n")).isEqualTo(ManagementSettings.open(DEFAULT));
  }

  @ParameterizedTest
  @ValueSource(strings = {"127.0.0.1:1", "127.8.8.8:1", "localhost:1", "\"[::1]:1\""})
  void loopbackAddressesNeedNoToken(String listen) throws Exception {
    assertThat(read("management: {listen: %s}\n".formatted(listen)).tokens()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0:1", "10.0.0.1:1", "\"[::]:1\"", "gw.example:1"})
  void anotherAddressWithoutATokenIsRefusedWithItsLine(String listen) {
    assertThatThrownBy(() -> read("\nmanagement:\n  listen: %s\n".formatted(listen)))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("t.yaml:3: management.listen: found")
        .hasMessageContaining("without management.tokens (expected: a loopback address");
  }

  @Test
  void tokensHaveNamesAndRolesAndAreNotShown() throws Exception {
    var settings =
        read(
            """
            management:
              listen: 0.0.0.0:9090
              probes: 0.0.0.0:9091
              tokens:
                - {name: ann, token: s3cret}
                - {name: bob, token_file: token, role: operate}
            """
                .replace(
                    "token_file: token",
                    "token_file: " + Files.writeString(directory.resolve("token"), "other\n")));
    assertThat(settings.tokens().toString())
        .isEqualTo("[Token[name=ann, role=READ], Token[name=bob, role=OPERATE]]");
    assertThat(settings.tokens().get(1).token().reveal()).isEqualTo("other");
    assertThat(settings.probes()).isEqualTo(new HostPort("0.0.0.0", 9091));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{tokens: [{name: a, token: x}, {name: a, token: y}]}",
        "{tokens: [{name: a, token: x}, {name: b, token: x}]}",
        "{tokens: [{name: a b, token: x}]}",
        "{tokens: [{name: a}]}",
        "{tokens: [{token: x}]}",
        "{tokens: [{name: a, token: x, role: root}]}",
        "{tokens: [{name: a, token: x, cluster: y}]}",
        "{tls: {cert: nowhere, key: nowhere}}",
        "{tls: {}}",
        "{listen: \"127.0.0.1:5\", probes: \"127.0.0.1:5\"}",
      })
  void whatCannotBeMeantIsRefused(String section) {
    assertThatThrownBy(() -> read("management: " + section + "\n"))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("t.yaml:1: management.");
  }
}
