package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.pkitesting.CertificateBuilder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A configuration that cannot work is refused before anything is served, with the file, the line,
/// the key, what was found and what was expected.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class BadConfigSystemTest {
  private static final int BAD_CONFIGURATION = 2;

  @TempDir Path directory;

  @Test
  void anUnknownKeyIsNamed() throws IOException {
    String yaml = gateway("127.0.0.1:0") + "  colour: green\n";
    assertRefused(
        "gateway", yaml, "gateway.yaml:" + line(yaml, "colour"), "gateway.colour", "unknown key");
  }

  @Test
  void aPortOutOfRangeIsNamed() throws IOException {
    String yaml = gateway("127.0.0.1:99999");
    assertRefused(
        "gateway", yaml, "gateway.yaml:" + line(yaml, "listen"), "gateway.listen", "99999");
  }

  @Test
  void aPortThatIsTakenIsNamed() throws IOException {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String yaml = gateway("127.0.0.1:" + taken.getLocalPort());
      assertRefused(
          "gateway",
          yaml,
          "gateway.yaml:" + line(yaml, "listen"),
          "gateway.listen",
          Integer.toString(taken.getLocalPort()));
    }
  }

  @Test
  void aManagementPortThatIsTakenIsNamed() throws IOException {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = Integer.toString(taken.getLocalPort());
      String yaml =
          gateway("127.0.0.1:" + Ports.free())
              .replaceFirst("listen: .*", "listen: 127.0.0.1:" + port);
      assertRefused("gateway", yaml, "gateway.yaml:2", "management.listen", port);
    }
  }

  @Test
  void aMissingConfigurationFileIsNamed() {
    try (var gateway = node("gateway", directory.resolve("absent.yaml"))) {
      assertThat(gateway.awaitExit()).as(gateway::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(gateway.log()).anyMatch(line -> line.contains("absent.yaml"));
    }
  }

  @Test
  void anUnreadableCertificateIsNamed() throws IOException {
    String yaml =
        """
        pipeops:
          api_url: https://127.0.0.1:1
          token: s3cret
          cluster_name: lab
          tls:
            enabled: true
            ca_file: %s
        tunnels:
          enabled: true
          services:
            - name: redis
              protocol: tcp
              port: 6379
              target: 127.0.0.1:6379
        """
            .formatted(directory.resolve("absent.pem"));
    assertRefused(
        "agent", yaml, "agent.yaml:" + line(yaml, "ca_file"), "pipeops.tls.ca_file", "absent.pem");
  }

  @Test
  void allProblemsAreNamedAtOnce() throws IOException {
    String yaml = gateway("127.0.0.1:99999") + "  colour: green\n  taste: sour\n";
    try (var gateway = node("gateway", write("gateway", yaml))) {
      assertThat(gateway.awaitExit()).as(gateway::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(gateway.log())
          .anyMatch(line -> line.contains("gateway.listen"))
          .anyMatch(line -> line.contains("gateway.colour"))
          .anyMatch(line -> line.contains("gateway.taste"));
    }
  }

  @Test
  void aKeyThatIsNotTheCertificatesIsNamed() throws Exception {
    for (String name : List.of("one", "two")) {
      var bundle =
          new CertificateBuilder()
              .subject("CN=" + name)
              .setIsCertificateAuthority(true)
              .ecp256()
              .buildSelfSigned();
      Files.writeString(directory.resolve(name + ".crt"), bundle.getCertificatePEM());
      Files.writeString(directory.resolve(name + ".key"), bundle.getPrivateKeyPEM());
    }
    String yaml = gateway("127.0.0.1:0") + "  tls:\n    cert: one.crt\n    key: two.key\n";
    assertRefused(
        "gateway", yaml, "gateway.yaml:" + line(yaml, "key:"), "gateway.tls.key", "two.key");
  }

  @Test
  void aLogFormatThatDoesNotExistIsNamed() throws IOException {
    Path file = write("gateway", gateway("127.0.0.1:0"));
    try (var gateway =
        NodeProcess.start(
            directory,
            Ports.free(),
            Map.of("PENSTOCK_LOG_FORMAT", "xml"),
            List.of("gateway", "--config", file.toString()))) {
      assertThat(gateway.awaitExit()).as(gateway::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(gateway.log())
          .containsExactly(
              "penstock: 1 problem in the configuration",
              "  PENSTOCK_LOG_FORMAT: found \"xml\" (expected: text or json, or the variable unset)");
    }
  }

  @Test
  void aFileIsCheckedAndPrintedWithoutAStart() throws IOException {
    Path file = write("gateway", gateway("127.0.0.1:0"));
    var environment = Map.of("PENSTOCK_GATEWAY_PUBLIC_HOST", "gateway.example.com");
    try (var check = config(environment, "check", file)) {
      assertThat(check.awaitExit()).as(check::report).isZero();
      assertThat(check.output())
          .startsWith(file + ": OK, the settings of one gateway")
          .anyMatch(line -> line.contains("told as gateway.example.com"));
    }
    try (var print = config(environment, "print", file)) {
      assertThat(print.awaitExit()).as(print::report).isZero();
      assertThat(print.output())
          .anyMatch(
              line -> line.matches(" +host: gateway.example.com +# PENSTOCK_GATEWAY_PUBLIC_HOST"))
          .anyMatch(line -> line.matches(" +- token: \"\\*\\*\\*\" +# gateway.yaml:8"))
          .noneMatch(line -> line.contains("s3cret"));
      assertThat(print.log()).isEmpty();
    }
    assertThat(directory.resolve("data")).doesNotExist();
  }

  @Test
  void aBadFileIsCheckedWithTheProblemsOfAStart() throws IOException {
    Path file = write("gateway", gateway("127.0.0.1:99999") + "  colour: green\n");
    try (var check = config(Map.of(), "check", file)) {
      assertThat(check.awaitExit()).as(check::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(check.output()).isEmpty();
      assertThat(check.log())
          .hasSize(3)
          .startsWith("penstock config check: 2 problems in the configuration");
    }
  }

  private NodeProcess config(Map<String, String> environment, String what, Path file) {
    return NodeProcess.start(directory, 0, environment, List.of("config", what, file.toString()));
  }

  private void assertRefused(String role, String yaml, String place, String key, String found)
      throws IOException {
    try (var process = node(role, write(role, yaml))) {
      assertThat(process.awaitExit()).as(process::report).isEqualTo(BAD_CONFIGURATION);
      assertThat(process.log())
          .anySatisfy(line ->
              assertThat(line)
                  .contains(place + ":")
                  .contains(key + ":")
                  .contains(found)
                  .contains("(expected"));
      assertThat(process.log()).as("stack traces").noneMatch(line -> line.startsWith("\tat "));
      assertThat(process.output()).isEmpty();
    }
  }

  private NodeProcess node(String role, Path config) {
    return NodeProcess.start(
        directory, Ports.free(), Map.of(), List.of(role, "--config", config.toString()));
  }

  private Path write(String role, String yaml) throws IOException {
    return Files.writeString(directory.resolve(role + ".yaml"), yaml);
  }

  private String gateway(String listen) {
    return """
    management:
      listen: 127.0.0.1:%d
    gateway:
      listen: %s
      data_dir: %s
      auth:
        tokens:
          - token: s3cret
            cluster: lab
    """
        .formatted(Ports.free(), listen, directory.resolve("data"));
  }

  /// The number of the last line that has `key`.
  private static int line(String yaml, String key) {
    return (int) yaml.substring(0, yaml.lastIndexOf(key)).lines().count();
  }
}
