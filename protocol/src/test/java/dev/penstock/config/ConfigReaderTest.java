package dev.penstock.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.netty.pkitesting.CertificateBuilder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigReaderTest {
  private enum Colour {
    RED,
    DARK_BLUE
  }

  /// One value of every kind.
  private record Everything(
      int count,
      Duration pause,
      int size,
      HostPort listen,
      PortRange ports,
      Colour colour,
      boolean flag,
      Path path,
      Optional<Secret> secret,
      List<String> names,
      Origins origins) {}

  @TempDir Path directory;

  private Everything read(String yaml, Outside... outside) throws IOException {
    return read(yaml.getBytes(StandardCharsets.UTF_8), outside);
  }

  private Everything read(byte[] yaml, Outside... outside) throws IOException {
    Path file = directory.resolve("t.yaml");
    Files.write(file, yaml);
    var reader = ConfigReader.open(file, List.of(outside));
    Section s = reader.root().section("s");
    return new Everything(
        s.get("count", Kind.integer(1, 10), 3),
        s.get("wait", Kind.duration(Duration.ofMillis(100), Duration.ofMinutes(10)), Duration.ZERO),
        s.get("size", Kind.size(1024, 1 << 20), 4096),
        s.get("listen", Kind.listenAddress(), new HostPort("localhost", 1)),
        s.get("ports", Kind.portRange(), new PortRange(1, 2)),
        s.get("colour", Kind.oneOf(Colour.class), Colour.RED),
        s.get("flag", Kind.flag(), false),
        s.get("path", Kind.path(), reader.beside("default")),
        s.findSecret("secret"),
        s.sections("list").stream().map(entry -> entry.require("name", Kind.host())).toList(),
        reader.finish());
  }

  private List<String> problems(byte[] yaml, Outside... outside) {
    var e = catchThrowableOfType(ConfigException.class, () -> read(yaml, outside));
    assertThat(e).isNotNull();
    String prefix = directory.resolve("t.yaml").toString();
    return e.problems().stream().map(it -> it.replace(prefix, "t.yaml")).toList();
  }

  private List<String> problems(String yaml, Outside... outside) {
    return problems(yaml.getBytes(StandardCharsets.UTF_8), outside);
  }

  @Test
  void everyKindOfValueIsRead() throws IOException {
    var all =
        read(
            """
            s:
              count: 10
              wait: 500ms
              size: 256KiB
              listen: "[::1]:80"
              ports: 10000-35000
              colour: dark_blue
              flag: true
              path: sub/../file
              secret: " s3cret "
              list:
                - name: a
                - {name: b}
            """);
    assertThat(all.count()).isEqualTo(10);
    assertThat(all.pause()).isEqualTo(Duration.ofMillis(500));
    assertThat(all.size()).isEqualTo(256 * 1024);
    assertThat(all.listen()).isEqualTo(new HostPort("::1", 80));
    assertThat(all.listen()).hasToString("[::1]:80");
    assertThat(all.ports()).isEqualTo(new PortRange(10_000, 35_000));
    assertThat(all.colour()).isEqualTo(Colour.DARK_BLUE);
    assertThat(all.flag()).isTrue();
    assertThat(all.path()).isEqualTo(directory.resolve("file"));
    assertThat(all.secret()).contains(Secret.of("s3cret"));
    assertThat(all.names()).containsExactly("a", "b");
  }

  @Test
  void whatIsNotWrittenHasItsDefault() throws IOException {
    for (String yaml : List.of("s:\n", "s: {}\n", "# only\ns:\n  list:\n")) {
      var all = read(yaml);
      assertThat(all.count()).isEqualTo(3);
      assertThat(all.path()).isEqualTo(directory.resolve("default"));
      assertThat(all.secret()).isEmpty();
      assertThat(all.names()).isEmpty();
    }
  }

  static Stream<Arguments> oneBadValue() {
    return Stream.of(
        Arguments.of("count: 11", "count: found \"11\" (expected: 1 to 10)"),
        Arguments.of("count: 99999999999", "count: found \"99999999999\" (expected: 1 to 10)"),
        Arguments.of("count: 1.5", "count: found \"1.5\" (expected: 1 to 10)"),
        Arguments.of("count:", "count: found nothing (expected: 1 to 10)"),
        Arguments.of("count: [1]", "count: found a list (expected: 1 to 10)"),
        Arguments.of("count: {a: 1}", "count: found keys with values (expected: 1 to 10)"),
        Arguments.of(
            "wait: 30", "wait: found \"30\" (expected: a duration from 100ms to 10m, such as 30s)"),
        Arguments.of(
            "wait: 11m",
            "wait: found \"11m\" (expected: a duration from 100ms to 10m, such as 30s)"),
        Arguments.of(
            "size: 1 MB",
            "size: found \"1 MB\" (expected: a size from 1KiB to 1MiB, such as 256KiB)"),
        Arguments.of(
            "size: 99999999999GiB",
            "size: found \"99999999999GiB\" (expected: a size from 1KiB to 1MiB, such as 256KiB)"),
        Arguments.of(
            "listen: 8080", "listen: found \"8080\" (expected: host:port such as 127.0.0.1:8080)"),
        Arguments.of(
            "listen: a:65536",
            "listen: found \"a:65536\" (expected: host:port such as 127.0.0.1:8080)"),
        Arguments.of(
            "listen: ::1:80",
            "listen: found \"::1:80\" (expected: host:port such as 127.0.0.1:8080)"),
        Arguments.of("ports: abc", "ports: found \"abc\" (expected: a range such as 10000-35000)"),
        Arguments.of("ports: 9-8", "ports: found \"9-8\" (expected: a range such as 10000-35000)"),
        Arguments.of("colour: green", "colour: found \"green\" (expected: red or dark_blue)"),
        Arguments.of("flag: yes", "flag: found \"yes\" (expected: true or false)"),
        Arguments.of("path: ''", "path: found \"\" (expected: a path)"),
        Arguments.of(
            "secret: 'two words'",
            "secret: found 9 characters, not shown (expected: printable ASCII without spaces)"),
        Arguments.of(
            "secret: ''", "secret: found nothing (expected: printable ASCII without spaces)"),
        Arguments.of(
            "list: 5", "list: found a plain value (expected: a list, each entry after \"- \")"),
        Arguments.of("list: [x]", "list[0]: found a plain value (expected: keys with values)"),
        Arguments.of(
            "list: [{}]",
            "list[0].name: missing (expected: a host name or IP address, without a port)"),
        Arguments.of(
            "cuont: 1",
            "cuont: found an unknown key, perhaps \"count\" was meant (expected: colour, count, flag,"
                + " list, listen, path, ports, secret, secret_file, size, wait)"),
        Arguments.of(
            "zzzzzzzzz: 1",
            "zzzzzzzzz: found an unknown key (expected: colour, count, flag,"
                + " list, listen, path, ports, secret, secret_file, size, wait)"),
        Arguments.of(
            "<<: {count: 4}",
            "<<: found an unknown key (expected: colour, count, flag,"
                + " list, listen, path, ports, secret, secret_file, size, wait)"));
  }

  @ParameterizedTest
  @MethodSource("oneBadValue")
  void aBadValueIsToldWithLineKeyFoundAndExpected(String line, String problem) {
    assertThat(problems("# first line\ns:\n  " + line + "\n"))
        .containsExactly("t.yaml:3: s." + problem);
  }

  static Stream<Arguments> notSettings() {
    return Stream.of(
        Arguments.of(
            "", "t.yaml:1: found nothing (expected: keys with values, such as \"listen: …\")"),
        Arguments.of(
            "# x\n---\n",
            "t.yaml:1: found nothing (expected: keys with values, such as \"listen: …\")"),
        Arguments.of("hello\n", "t.yaml:1: found a plain value (expected: keys with values)"),
        Arguments.of("\n- a\n", "t.yaml:2: found a list (expected: keys with values)"),
        Arguments.of("s:\n\tcount: 1\n", "t.yaml:2: found a tab (expected: spaces before a key)"),
        Arguments.of("s:\n  x: \0\n", "t.yaml:2: found the character U+0000 (expected: YAML text)"),
        Arguments.of("s:\n  list: [\n", null),
        Arguments.of("s: 1\n---\ns: 2\n", null));
  }

  @ParameterizedTest
  @MethodSource("notSettings")
  void aFileThatIsNoSettingsIsRefusedWithOneProblem(String text, String problem) {
    assertThat(problems(text)).hasSize(1);
    if (problem != null) {
      assertThat(problems(text)).containsExactly(problem);
    } else {
      assertThat(problems(text).getFirst()).startsWith("t.yaml:").contains("found no YAML");
    }
  }

  @Test
  void bytesThatAreNotTextAreRefusedWithTheirLine() {
    assertThat(problems(new byte[] {'s', ':', '\n', (byte) 0xff, (byte) 0xfe}))
        .containsExactly("t.yaml:2: found bytes that are not UTF-8 (expected: YAML text)");
    assertThat(problems(new byte[] {'s', ':', '\n', 'a', (byte) 0xc3}))
        .containsExactly("t.yaml:2: found bytes that are not UTF-8 (expected: YAML text)");
  }

  @Test
  void aFileThatIsNotThereIsRefused() {
    Path file = directory.resolve("none.yaml");
    var e =
        catchThrowableOfType(
            ConfigException.class, () -> ConfigReader.open(file, List.of()).finish());
    assertThat(e.problems())
        .containsExactly(
            file + ": found a file which does not exist (expected: a readable YAML file)");
  }

  @Test
  void allProblemsAreToldAtOnceInTheOrderOfTheFile() {
    assertThat(problems("s:\n  ports: abc\n  count: 0\n  what: 1\n  count: 5\nx: 1\n"))
        .containsExactly(
            "t.yaml:2: s.ports: found \"abc\" (expected: a range such as 10000-35000)",
            "t.yaml:3: s.count: found \"0\" (expected: 1 to 10)",
            "t.yaml:4: s.what: found an unknown key, perhaps \"wait\" was meant (expected: colour,"
                + " count, flag, list, listen, path, ports, secret, secret_file, size, wait)",
            "t.yaml:5: s.count: found a second time (expected: once, as in line 3)",
            "t.yaml:6: x: found an unknown key (expected: s)");
  }

  @Test
  void aValueFromOutsideWinsAndIsToldByItsSource() throws IOException {
    var outside = new Outside("s.count", "COUNT", " 7 ");
    assertThat(read("s:\n  count: 2\n", outside).count()).isEqualTo(7);
    assertThat(problems("s:\n", new Outside("s.count", "COUNT", "77")))
        .containsExactly("COUNT: found \"77\" (expected: 1 to 10)");
  }

  @Test
  void aSecretMayStandInAFileOfItsOwn() throws IOException {
    Files.writeString(directory.resolve("token"), "\n s3cret \n");
    assertThat(read("s:\n  secret_file: token\n").secret()).contains(Secret.of("s3cret"));
    assertThat(problems("s:\n  secret: x\n  secret_file: token\n"))
        .containsExactly(
            "t.yaml:2: s.secret: found beside secret_file (expected: either secret or secret_file)");
    assertThat(problems("s:\n  secret_file: none\n"))
        .containsExactly(
            "t.yaml:2: s.secret_file: found \"none\", which does not exist (expected: a readable file"
                + " with printable ASCII without spaces)");
    Files.writeString(directory.resolve("token"), " \n");
    assertThat(problems("s:\n  secret_file: token\n"))
        .containsExactly(
            "t.yaml:2: s.secret_file: found \"token\", which holds nothing (expected: printable ASCII"
                + " without spaces)");
  }

  @Test
  void aSecretFromOutsideWinsOverBothOfItsKeys() throws IOException {
    var outside = new Outside("s.secret", "TOKEN", "outer");
    assertThat(read("s:\n  secret_file: none\n", outside).secret()).contains(Secret.of("outer"));
    assertThat(outside.toString()).doesNotContain("outer");
  }

  @Test
  void aProblemThatShowsLaterIsToldWithTheLineToo() throws IOException {
    var origins = read("s:\n  listen: a:1\n").origins();
    String file = directory.resolve("t.yaml").toString();
    assertThat(origins.refuse("s.listen", "a:1", "a free port"))
        .hasMessage(file + ":2: s.listen: found \"a:1\" (expected: a free port)");
    assertThat(origins.refuse("s.ports", "1-2", "more"))
        .hasMessage(file + ": s.ports: found the default \"1-2\" (expected: more)");
  }

  @Test
  void aSecretShowsNothingOfItself() {
    assertThat(Secret.of("abc").toString()).doesNotContain("abc");
    assertThat(Secret.of("abc")).isEqualTo(Secret.of("abc")).hasSameHashCodeAs(Secret.of("abc"));
    assertThat(Secret.of("abc")).isNotEqualTo(Secret.of("abd")).isNotEqualTo(Secret.of("ab"));
  }

  @Test
  void nestingAndAliasesAreBounded() {
    assertThat(problems("s: " + "[".repeat(1000)).getFirst()).contains("found no YAML");
    var bomb = new StringBuilder("a0: &a0 [x]\n");
    for (int i = 1; i < 30; i++) {
      bomb.append("a%d: &a%d [*a%d, *a%d]\n".formatted(i, i, i - 1, i - 1));
    }
    assertThat(problems(bomb.toString()).getFirst()).contains("found no YAML");
  }

  @Test
  void certificatesAndKeysAreReadBeforeTheyAreNeeded() throws IOException {
    Files.writeString(directory.resolve("junk.pem"), "hello");
    Files.writeString(
        directory.resolve("old.pem"),
        "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
    Files.writeString(
        directory.resolve("bad.pem"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    String certificate = " (expected: a readable PEM file with X.509 certificates)";
    String key =
        " (expected: a readable PEM file with an unencrypted PKCS #8 key, as from openssl pkcs8 -topk8"
            + " -nocrypt)";
    assertThat(pem(Kind.certificates(), "none.pem"))
        .isEqualTo("k: found \"none.pem\", which does not exist" + certificate);
    assertThat(pem(Kind.certificates(), "junk.pem"))
        .isEqualTo(
            "k: found \"junk.pem\", which holds no certificate that can be read" + certificate);
    assertThat(pem(Kind.privateKey(), "junk.pem"))
        .isEqualTo("k: found \"junk.pem\", which holds no private key" + key);
    assertThat(pem(Kind.privateKey(), "old.pem"))
        .isEqualTo("k: found \"old.pem\", which holds an RSA PRIVATE KEY" + key);
    assertThat(pem(Kind.privateKey(), "bad.pem"))
        .isEqualTo("k: found \"bad.pem\", whose private key is none of RSA, EC, EdDSA" + key);
    assertThat(pem(Kind.certificates(), "."))
        .isEqualTo("k: found \".\", which cannot be read: is a directory" + certificate);
  }

  @ParameterizedTest
  @ValueSource(strings = {"rsa2048", "ecp256", "ed25519"})
  void usualCertificatesAndKeysAreAccepted(String algorithm) throws Exception {
    var bundle =
        new CertificateBuilder()
            .subject("CN=localhost")
            .setIsCertificateAuthority(true)
            .algorithm(CertificateBuilder.Algorithm.valueOf(algorithm))
            .buildSelfSigned();
    Files.writeString(directory.resolve("cert.pem"), bundle.getCertificatePEM());
    Files.writeString(directory.resolve("key.pem"), bundle.getPrivateKeyPEM());
    Files.writeString(directory.resolve("p.yaml"), "cert: cert.pem\nkey: key.pem\n");
    var reader = ConfigReader.open(directory.resolve("p.yaml"), List.of());
    assertThat(reader.root().find("cert", Kind.certificates()))
        .contains(directory.resolve("cert.pem"));
    assertThat(reader.root().find("key", Kind.privateKey())).contains(directory.resolve("key.pem"));
    assertThat(reader.finish()).isNotNull();
  }

  private String pem(Kind<Path> kind, String name) throws IOException {
    Path file = directory.resolve("p.yaml");
    Files.writeString(file, "k: " + name + "\n");
    var reader = ConfigReader.open(file, List.of());
    assertThat(reader.root().find("k", kind)).isPresent();
    var e = catchThrowableOfType(ConfigException.class, reader::finish);
    return e.problems().getFirst().replace(file + ":1: ", "");
  }
}
