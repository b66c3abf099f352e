package dev.penstock.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReferenceTest {
  private static final Kind<String> WORD = Kind.text(Pattern.compile("[ab]"), "a | <b>", "a");

  /// Asks in every way that there is, and of sections that are not there.
  private static void read(ConfigReader reader) {
    Section s = reader.root().section("s");
    s.get("wait", Kind.durationOrNever(Duration.ofMillis(1), Duration.ofDays(1)), Duration.ZERO);
    s.get("word", WORD, "b");
    s.getDerived("id", Kind.host(), "h", "the machine's | name");
    s.getAs("bind", Kind.host(), "h", "s.id");
    s.find("port", Kind.port());
    s.require("must", Kind.integer(1, 9));
    s.requireSecret("token");
    s.findSecret("other");
    s.list("hosts", Kind.host(), 3);
    if (s.list("urls", Kind.url(List.of("http")), 3).isEmpty()) {
      s.missing("urls", "a URL");
    }
    Section tls = reader.root().section("tls");
    if (tls.isPresent()) {
      tls.require("cert", Kind.certificates());
      tls.find("ca", Kind.certificates());
      tls.get("on", Kind.flag(), true);
    }
    for (Section entry : s.requireSections("list", "one at least")) {
      entry.require("name", Kind.host());
      Section tcp = entry.section("tcp").fallingBackTo("s");
      tcp.get("wait", Kind.flag(), false);
      tcp.find("port", Kind.port());
    }
    reader.finish();
  }

  private static Properties meanings(List<Definition> definitions) {
    var meanings = new Properties();
    definitions.forEach(it -> meanings.setProperty(it.key(), "of " + it.key()));
    return meanings;
  }

  @Test
  void everyKeyIsARowWithTheDefaultAndTheBoundsThatItIsReadWith() {
    List<Definition> definitions = ConfigReader.definitions(ReferenceTest::read);
    assertThat(Reference.table(definitions, meanings(definitions)))
        .isEqualTo(
            """
            | key | default | values | meaning |
            |---|---|---|---|
            | `s.wait` | `0s` | a duration from 1ms to 24h, such as 30s, or 0s for never | of s.wait |
            | `s.word` | `b` | a \\| &lt;b> | of s.word |
            | `s.id` | the machine's \\| name | a host name or IP address, without a port | of s.id |
            | `s.bind` | that of `s.id` | a host name or IP address, without a port | of s.bind |
            | `s.port` | none | 1 to 65535 | of s.port |
            | `s.must` | required | 1 to 9 | of s.must |
            | `s.token` | required | printable ASCII without spaces | of s.token |
            | `s.token_file` | none | the path of a readable file | of s.token_file |
            | `s.other` | none | printable ASCII without spaces | of s.other |
            | `s.other_file` | none | the path of a readable file | of s.other_file |
            | `s.hosts` | none | at most 3 of: a host name or IP address, without a port | of s.hosts |
            | `s.urls` | required | at most 3 of: a URL such as http://gateway.example.com | of s.urls |
            | `tls.cert` | required in `tls` | a readable PEM file with X.509 certificates | of tls.cert |
            | `tls.ca` | none | a readable PEM file with X.509 certificates | of tls.ca |
            | `tls.on` | `true` in `tls` | true or false | of tls.on |
            | `s.list[].name` | required | a host name or IP address, without a port | of s.list[].name |
            | `s.list[].tcp.wait` | that of `s.wait` | true or false | of s.list[].tcp.wait |
            | `s.list[].tcp.port` | that of `s.port` | 1 to 65535 | of s.list[].tcp.port |
            """);
  }

  @Test
  void aKeyWithoutAMeaningAndAMeaningWithoutAKeyAreRefused() {
    List<Definition> definitions = ConfigReader.definitions(ReferenceTest::read);
    var meanings = meanings(definitions);
    meanings.remove("s.id");
    meanings.setProperty("s.ib", "nothing");
    assertThatThrownBy(() -> Reference.table(definitions, meanings))
        .hasMessage("keys without a meaning: [s.id], meanings without a key: [s.ib]");
  }

  @Test
  void theTableTakesThePlaceBetweenItsComments() {
    String begin = "a\n<!-- begin of: penstock config reference x -->\n";
    String end = "<!-- end of: penstock config reference x -->\nb\n";
    String page = Reference.intoPage(begin + end, "x", "| new |\n");
    assertThat(page).isEqualTo(begin + "\n| new |\n\n" + end);
    assertThat(Reference.intoPage(page, "x", "| new |\n")).isEqualTo(page);
    assertThat(Reference.intoPage(begin + "old\n" + end, "x", "| new |\n")).isEqualTo(page);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "<!-- begin of: penstock config reference x -->\n",
        "<!-- end of: penstock config reference x -->\n",
        "<!-- end of: penstock config reference x -->\n<!-- begin of: penstock config reference x -->\n",
        "<!-- begin of: penstock config reference y -->\n<!-- end of: penstock config reference y -->\n",
      })
  void aPageWithoutAPlaceForTheTableIsRefused(String page) {
    assertThatThrownBy(() -> Reference.intoPage(page, "x", "| new |\n"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("the page: found no place for the table (expected: a line <!--");
  }
}
