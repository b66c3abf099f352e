package dev.penstock.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.CertificateBuilder.Algorithm;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What is in force in the end, and why: files, variables, options, defaults.
class EffectiveSettingsTest {
  private static final Duration MINUTE = Duration.ofMinutes(1);

  @TempDir Path directory;

  /// Reads what a small program could be told.
  private Origins read(String yaml, List<Outside> options, Map<String, String> environment)
      throws IOException {
    Path file = Files.writeString(directory.resolve("t.yaml"), yaml);
    var variables = Variables.of(environment, Map.of("OWN_NAME", "s.wait"), Set.of("plain"));
    var reader = ConfigReader.open(file, options, variables);
    Section s = reader.root().section("s");
    s.get("wait", Kind.durationOrNever(Duration.ofMillis(1), Duration.ofDays(1)), MINUTE);
    s.get("size", Kind.size(1, 1 << 30), 64 * 1024);
    s.find("name", Kind.host());
    s.findSecret("token");
    for (Section entry : s.sections("list")) {
      entry.find("before", Kind.host());
      entry.require("at", Kind.listenAddress());
      entry.findSecret("token");
    }
    reader.root().section("plain").get("flag", Kind.flag(), false);
    Section optional = reader.root().section("optional");
    if (optional.isPresent()) {
      optional.require("port", Kind.port());
    }
    Section copy = reader.root().section("copy").fallingBackTo("s");
    copy.get("size", Kind.size(1, 1 << 30), 64 * 1024);
    return reader.finish();
  }

  private Origins read(String yaml) throws IOException {
    return read(yaml, List.of(), Map.of());
  }

  private static String fact(Origins origins, String key) {
    return origins.facts().stream()
        .filter(it -> it.key().equals(key))
        .map(it -> it.text() + " from " + it.origin())
        .findFirst()
        .orElse("nothing");
  }

  @Test
  void eachValueIsToldWithWhereItComesFrom() throws IOException {
    Origins origins =
        read(
            "s:\n  wait: 90s\n  token: s3cret\n",
            List.of(new Outside("s.size", "--size", "2MiB")),
            Map.of("PENSTOCK_PLAIN_FLAG", "true"));
    assertThat(fact(origins, "s.wait")).isEqualTo("1m30s from t.yaml:2");
    assertThat(fact(origins, "s.size")).isEqualTo("2MiB from --size");
    assertThat(fact(origins, "plain.flag")).isEqualTo("true from PENSTOCK_PLAIN_FLAG");
    assertThat(fact(origins, "copy.size")).isEqualTo("64KiB from as s.size");
    assertThat(fact(origins, "s.name")).isEqualTo("null from not set");
    assertThat(fact(origins, "s.token")).isEqualTo("\"***\" from t.yaml:3");
    assertThat(fact(read("s: {}\n"), "s.wait")).isEqualTo("1m from default");
    assertThat(origins.facts().toString()).doesNotContain("s3cret");
  }

  @Test
  void optionsWinOverVariablesThoseWithOurPrefixOverOthersAndAllOverTheFile() throws IOException {
    String yaml = "s: {wait: 1s}\nplain: {flag: false}\n";
    var ours = Map.of("PENSTOCK_S_WAIT", "2s", "OWN_NAME", "3s", "PLAIN_FLAG", "true");
    var option = List.of(new Outside("s.wait", "--wait", "4s"));
    assertThat(fact(read(yaml, option, ours), "s.wait")).isEqualTo("4s from --wait");
    assertThat(fact(read(yaml, List.of(), ours), "s.wait")).isEqualTo("2s from PENSTOCK_S_WAIT");
    assertThat(fact(read(yaml, List.of(), Map.of("OWN_NAME", "3s")), "s.wait"))
        .isEqualTo("3s from OWN_NAME");
    assertThat(fact(read(yaml, List.of(), ours), "plain.flag")).isEqualTo("true from PLAIN_FLAG");
    var unknownOrEmpty = Map.of("S_WAIT", "9s", "PENSTOCK_S_WAIT", " ");
    assertThat(fact(read(yaml, List.of(), unknownOrEmpty), "s.wait")).isEqualTo("1s from t.yaml:1");
  }

  @Test
  void aVariableMaySetAKeyOfAListsEntryAndMakeASection() throws IOException {
    var environment = Map.of("PENSTOCK_S_LIST_1_TOKEN", "s3cret", "PENSTOCK_OPTIONAL_PORT", "7");
    Origins origins = read("s:\n  list: [{at: a:1}, {at: b:1}]\n", List.of(), environment);
    assertThat(fact(origins, "s.list[1].token")).isEqualTo("\"***\" from PENSTOCK_S_LIST_1_TOKEN");
    assertThat(fact(origins, "s.list[0].token")).isEqualTo("null from not set");
    assertThat(fact(origins, "optional.port")).isEqualTo("7 from PENSTOCK_OPTIONAL_PORT");
    assertThat(fact(read("s: {}\n"), "optional.port")).isEqualTo("nothing");
  }

  @Test
  void aSecretsFileNamedByAVariableWinsOverASecretInTheFile() throws IOException {
    Path token = Files.writeString(directory.resolve("token"), "outer\n");
    var environment = Map.of("PENSTOCK_S_TOKEN_FILE", token.toString());
    Origins origins = read("s: {token: inner}\n", List.of(), environment);
    assertThat(fact(origins, "s.token_file")).isEqualTo(token + " from PENSTOCK_S_TOKEN_FILE");
    assertThat(fact(origins, "s.token")).isEqualTo("nothing");
  }

  @Test
  void aBadVariableIsToldByItsName() {
    var e =
        catchThrowableOfType(
            ConfigException.class,
            () -> read("s: {}\n", List.of(), Map.of("PENSTOCK_S_WAIT", "soon")));
    assertThat(e.problems())
        .containsExactly(
            "PENSTOCK_S_WAIT: found \"soon\" (expected: a duration from 1ms to 24h, such as 30s, or 0s"
                + " for never)");
  }

  @Test
  void whatIsInForceIsWrittenAsYamlThatSaysTheSame() throws IOException {
    String yaml =
        """
        s:
          wait: 0s
          name: "::1"
          token: s3cret
          list:
            - at: "[::1]:0"
            - {before: h, at: h:1}
        """;
    String written = read(yaml).toYaml();
    assertThat(written)
        .isEqualTo(
            """
            s:
              wait: 0s                                    # t.yaml:2
              size: 64KiB                                 # default
              name: "::1"                                 # t.yaml:3
              token: "***"                                # t.yaml:4
              list:
                  # before: not set
                - at: "[::1]:0"                           # t.yaml:6
                  # token: not set
                - before: h                               # t.yaml:7
                  at: h:1                                 # t.yaml:7
                  # token: not set
            plain:
              flag: false                                 # default
            copy:
              size: 64KiB                                 # as s.size
            """);
    assertThat(read(written).facts())
        .extracting(Fact::key, Fact::text)
        .isEqualTo(
            read(yaml).facts().stream()
                .map(it -> org.assertj.core.groups.Tuple.tuple(it.key(), it.text()))
                .toList());
  }

  @ParameterizedTest
  @CsvSource({
    "1h30m, 5400000",
    "90m, 5400000",
    "2m5s10ms, 125010",
    "0s, 0",
    "500ms, 500",
    "1h1ms, 3600001"
  })
  void durationsHaveOneOrMoreParts(String text, long millis) {
    assertThat(Units.duration(text)).contains(Duration.ofMillis(millis));
    assertThat(Units.duration(Units.show(Duration.ofMillis(millis))))
        .contains(Duration.ofMillis(millis));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "m", "1m1h", "1m1m", "1h-5m", "1.5h", "1h30", "-1s", "1 day"})
  void whatIsNoDurationIsNoDuration(String text) {
    assertThat(Units.duration(text)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "rsa2048, rsa2048",
    "ecp256, ecp256",
    "ed25519, ed25519",
    "rsa2048, ecp256",
    "ecp256, ed25519"
  })
  void aKeyThatIsNotTheCertificatesIsRefused(Algorithm ours, Algorithm theirs) throws Exception {
    assertThat(pair(bundle(ours), bundle(theirs)))
        .singleElement()
        .asString()
        .startsWith("t.yaml:2: key: found \"" + directory.resolve("key.pem"))
        .endsWith(
            "which holds another key (expected: the private key of the certificate in "
                + directory.resolve("cert.pem")
                + ")");
    X509Bundle own = bundle(ours);
    assertThat(pair(own, own)).isEmpty();
  }

  private static X509Bundle bundle(Algorithm algorithm) throws Exception {
    return new CertificateBuilder()
        .subject("CN=localhost")
        .setIsCertificateAuthority(true)
        .algorithm(algorithm)
        .buildSelfSigned();
  }

  private List<String> pair(X509Bundle certificate, X509Bundle key) throws IOException {
    Path cert = Files.writeString(directory.resolve("cert.pem"), certificate.getCertificatePEM());
    Path own = Files.writeString(directory.resolve("key.pem"), key.getPrivateKeyPEM());
    Path file = Files.writeString(directory.resolve("t.yaml"), "cert: cert.pem\nkey: key.pem\n");
    var reader = ConfigReader.open(file, List.of());
    reader.root().require("cert", Kind.certificates());
    reader.root().require("key", Kind.privateKey());
    reader.root().requireKeyOf(cert, "key", own);
    try {
      reader.finish();
      return List.of();
    } catch (ConfigException e) {
      return e.problems().stream().map(it -> it.replace(file.toString(), "t.yaml")).toList();
    }
  }
}
