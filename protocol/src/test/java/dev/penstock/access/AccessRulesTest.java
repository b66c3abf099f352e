package dev.penstock.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.penstock.config.ConfigException;
import dev.penstock.config.ConfigReader;
import dev.penstock.config.Kind;
import dev.penstock.protocol.control.MalformedMessage;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AccessRulesTest {
  @TempDir Path directory;

  private AccessRules read(String yaml) throws IOException {
    var reader = ConfigReader.open(Files.writeString(directory.resolve("t.yaml"), yaml), List.of());
    reader.root().get("other", Kind.flag(), false);
    var rules = AccessRules.of(reader.root().section("access"));
    reader.finish();
    return rules;
  }

  private static List<Cidr> blocks(String... texts) {
    return java.util.Arrays.stream(texts).map(text -> Cidr.parse(text).orElseThrow()).toList();
  }

  @Test
  void aSectionSaysEveryRule() throws Exception {
    assertThat(
            read(
                """
                access:
                  allow: [10.0.0.0/8, "2001:db8::/32"]
                  deny: 10.1.2.3
                  max_connections_per_source: 20
                  new_connections_per_second: 5
                  max_connections: 300
                """))
        .isEqualTo(
            new AccessRules(blocks("10.0.0.0/8", "2001:db8::/32"), blocks("10.1.2.3"), 20, 5, 300));
  }

  @Test
  void noSectionLetsEverybody() throws Exception {
    assertThat(read("other: true")).isEqualTo(AccessRules.EVERYBODY);
  }

  @Test
  void everyMistakeOfASectionIsToldAtItsLine() {
    assertThatThrownBy(() ->
            read(
                """
                access:
                  allow:
                    - 10.0.0.1/8
                    - [1]
                  deny: {a: b}
                  max_connections_per_source: -1
                  new_connections_per_second: fast
                """))
        .isInstanceOf(ConfigException.class)
        .hasMessageContainingAll(
            "t.yaml:3: access.allow: found \"10.0.0.1/8\" (expected: an address block such as",
            "t.yaml:4: access.allow: found a list (expected: at most 256 of: ",
            "t.yaml:5: access.deny: found keys with values (expected: ",
            "t.yaml:6: access.max_connections_per_source: found \"-1\" (expected: 0 to 1000000)",
            "t.yaml:7: access.new_connections_per_second: found \"fast\" (expected: 0 to 100000)");
  }

  @Test
  void aListThatIsTooLongIsRefused() {
    assertThatThrownBy(() -> read("access: {deny: [" + "10.0.0.0/8,".repeat(257) + "]}"))
        .hasMessageContaining("access.deny: found 257 entries (expected: at most 256 of: ");
  }

  @Test
  void annotationsCarryEveryRule() throws MalformedMessage {
    var rules = new AccessRules(blocks("10.0.0.0/8", "::1"), blocks("10.1.0.0/16"), 20, 5, 300);
    assertThat(rules.annotations())
        .containsExactly(
            Map.entry("penstock.dev/allow", "10.0.0.0/8,0:0:0:0:0:0:0:1/128"),
            Map.entry("penstock.dev/deny", "10.1.0.0/16"),
            Map.entry("penstock.dev/max-connections-per-source", "20"),
            Map.entry("penstock.dev/new-connections-per-second", "5"),
            Map.entry("penstock.dev/max-connections", "300"));
    assertThat(AccessRules.of(rules.annotations())).isEqualTo(rules);
    assertThat(AccessRules.of(AccessRules.NOBODY.annotations())).isEqualTo(AccessRules.NOBODY);
  }

  @Test
  void noRuleNeedsNoAnnotationAndThoseOfOthersAreNotRead() throws MalformedMessage {
    assertThat(AccessRules.EVERYBODY.annotations()).isEmpty();
    assertThat(AccessRules.of(Map.of("example.com/allow", "nonsense")))
        .isEqualTo(AccessRules.EVERYBODY);
  }

  @Test
  void peopleMayWriteSpaces() throws MalformedMessage {
    assertThat(
            AccessRules.of(
                Map.of(
                    "penstock.dev/allow", " 10.0.0.0/8 , 192.0.2.1 ",
                    "penstock.dev/new-connections-per-second", " 7 ")))
        .isEqualTo(new AccessRules(blocks("10.0.0.0/8", "192.0.2.1"), List.of(), 0, 7, 0));
  }

  @ParameterizedTest(name = "{0}={1}")
  @CsvSource(
      delimiter = '|',
      ignoreLeadingAndTrailingWhitespace = false,
      value = {
        "allow||\"\" (expected: at most 256 of: ",
        "allow| |\" \" (expected: at most 256 of: ",
        "allow|,|\"\" (expected: at most 256 of: ",
        "allow|10.0.0.0/8,|\"\" (expected: at most 256 of: ",
        "allow|everybody|\"everybody\" (expected: at most 256 of: an address block such as ",
        "deny|10.0.0.0/8 11.0.0.0/8|\"10.0.0.0/8 11.0.0.0/8\" (expected: ",
        "deny|10.0.0.1/8|\"10.0.0.1/8\" (expected: ",
        "max-connections-per-source|-1|\"-1\" (expected: 0 to 1000000)",
        "max-connections-per-source|1000001|\"1000001\" (expected: 0 to 1000000)",
        "max-connections-per-source||\"\" (expected: 0 to 1000000)",
        "max-connections-per-source|99999999999999999999|\"99999999999999999999\" (expected: 0 to",
        "max-connections|1000001|\"1000001\" (expected: 0 to 1000000)",
        "max-connections|many|\"many\" (expected: 0 to 1000000)",
        "new-connections-per-second|1.5|\"1.5\" (expected: 0 to 100000)",
        "new-connections-per-second|１|\"１\" (expected: 0 to 100000)",
      })
  void aMalformedAnnotationIsRefusedByName(String key, String value, String why) {
    assertThatThrownBy(
            () -> AccessRules.of(Map.of("penstock.dev/" + key, value == null ? "" : value)))
        .isInstanceOf(MalformedMessage.class)
        .hasMessageStartingWith("annotations.penstock.dev/" + key + ": " + why);
  }

  @Test
  void anAnnotationWithTooManyBlocksIsRefused() throws MalformedMessage {
    String most = "10.0.0.0/8,".repeat(255) + "10.0.0.0/8";
    assertThat(AccessRules.of(Map.of("penstock.dev/deny", most)).deny()).hasSize(256);
    assertThatThrownBy(() -> AccessRules.of(Map.of("penstock.dev/deny", most + ",10.0.0.0/8")))
        .isInstanceOf(MalformedMessage.class)
        .hasMessageContaining("at most 256");
    assertThatThrownBy(
            () -> AccessRules.of(Map.of("penstock.dev/deny", most + ",".repeat(999_999))))
        .isInstanceOf(MalformedMessage.class);
  }

  @Test
  void nobodyMeansNobody() {
    for (String address : List.of("0.0.0.0", "192.0.2.1", "::", "2001:db8::1")) {
      assertThat(AccessRules.anyContains(AccessRules.NOBODY.deny(), InetAddress.ofLiteral(address)))
          .isTrue();
    }
  }
}
