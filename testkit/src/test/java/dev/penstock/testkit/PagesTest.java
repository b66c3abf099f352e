package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Code;
import org.commonmark.node.FencedCodeBlock;
import org.commonmark.parser.Parser;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What pages for operators quote is there: commands, options, settings, paths, kinds of events,
/// and the tests that a claim is said to be held by.
@TestInstance(TestInstance.Lifecycle.PER_CLASS) // it reads all sources
class PagesTest {
  /// Programs and settings of others.
  private static final Set<String> FOREIGN =
      Set.of(
          "chronyc",
          "df",
          "dig",
          "getent",
          "kubectl",
          "nc",
          "proxy_http_version",
          "proxy_set_header",
          "service.namespace.svc.cluster.local",
          "sha256sum",
          "ss",
          "timedatectl");

  private static final Pattern COMMAND = Pattern.compile("(?:^|[ /])penstock ([a-z]+)(.*)");
  private static final Pattern OPTION = Pattern.compile("--[a-z-]+");
  private static final Pattern KIND = Pattern.compile("kind=(\\w+)");
  private static final Pattern SORT = Pattern.compile("--sort=-?(\\w+)");
  private static final Pattern LOCAL_PATH = Pattern.compile("localhost:\\d+(/[^ ]*)");
  private static final Pattern KEY = Pattern.compile("^\\| `([^`]+)` \\|", Pattern.MULTILINE);
  private static final Pattern BRACKETS = Pattern.compile("\\[(`[^\\]]+)](?!\\()");
  private static final Pattern HELD_BY = Pattern.compile("`(\\w+)(?:#(\\w+))?`");

  private final String settings = read("docs/configuration.md");
  private final Set<String> keys = new TreeSet<>();
  private final String code = sources("main");
  private final JsonNode api = api();

  PagesTest() {
    KEY.matcher(settings).results().forEach(row -> keys.add(row.group(1)));
  }

  private static String read(String page) {
    try {
      return Files.readString(Home.DIRECTORY.resolve(page));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonNode api() {
    try {
      return new YAMLMapper()
          .readTree(
              read("gateway-node/src/main/resources/dev/penstock/gateway/manage/openapi.yaml"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Path> javaFiles(String kind) {
    var files = new ArrayList<Path>();
    for (String module : List.of("protocol", "gateway-node", "agent-node", "testkit")) {
      try (Stream<Path> found =
          Files.walk(Home.DIRECTORY.resolve(module + "/src/" + kind + "/java"))) {
        found.filter(file -> file.toString().endsWith(".java")).forEach(files::add);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return files;
  }

  private static String sources(String kind) {
    var all = new StringBuilder(read("penstock"));
    javaFiles(kind).forEach(file -> all.append(read(Home.DIRECTORY.relativize(file).toString())));
    return all.toString();
  }

  /// Code in the text, and the commands of code blocks.
  private static List<String> quotes(String markdown) {
    var quotes = new ArrayList<String>();
    Parser.builder()
        .extensions(List.of(TablesExtension.create()))
        .build()
        .parse(markdown)
        .accept(
            new AbstractVisitor() {
              @Override
              public void visit(Code code) {
                quotes.add(code.getLiteral());
              }

              @Override
              public void visit(FencedCodeBlock block) {
                block
                    .getLiteral()
                    .lines()
                    .map(line -> line.replaceAll(" +#.*", ""))
                    .filter(line -> line.startsWith("./penstock "))
                    .forEach(quotes::add);
              }
            });
    return quotes;
  }

  /// What is wrong with a quote, a line each.
  private List<String> problems(String quote) {
    var problems = new ArrayList<String>();
    var command = COMMAND.matcher(quote);
    if (command.find()) {
      if (!code.contains("name = \"" + command.group(1) + "\"")) {
        problems.add(quote + ": no such command");
      }
      checkAll(OPTION, command.group(2), it -> code.contains("\"" + it + "\""), problems);
      checkAll(KIND, command.group(2), this::isKindOfEvent, problems);
      checkAll(SORT, command.group(2), this::isField, problems);
    } else if (LOCAL_PATH.matcher(quote).find()) {
      checkAll(LOCAL_PATH, quote, it -> api.path("paths").has(it), problems);
    } else if (!isKnown(quote)) {
      problems.add(quote + ": neither a setting nor anything else that the programs know");
    }
    return problems;
  }

  private static void checkAll(
      Pattern pattern, String text, Predicate<String> isThere, List<String> problems) {
    pattern
        .matcher(text)
        .results()
        .map(found -> found.groupCount() == 0 ? found.group() : found.group(1))
        .filter(it -> !isThere.test(it))
        .forEach(it -> problems.add(text.strip() + ": no " + it));
  }

  private boolean isKindOfEvent(String kind) {
    return texts(api.at("/components/schemas/Event/properties/kind/enum")).contains(kind);
  }

  private boolean isField(String name) {
    return api.at("/components/schemas/Stream/properties").has(name);
  }

  private static List<String> texts(JsonNode list) {
    var texts = new ArrayList<String>();
    list.forEach(it -> texts.add(it.asText()));
    return texts;
  }

  private boolean isKnown(String quote) {
    String bare = quote.replaceFirst(": .*", "").replace("…", "");
    boolean setting =
        keys.stream()
            .anyMatch(key ->
                key.equals(bare)
                    || key.startsWith(bare + ".")
                    || key.startsWith(bare + "[")
                    || key.endsWith("." + bare));
    return setting
        || FOREIGN.contains(bare.split(" ", 2)[0])
        || code.contains("\"" + bare + "\"")
        || OPTION.matcher(bare).results().anyMatch(it -> code.contains("\"" + it.group() + "\""))
        || settings.contains("| `" + bare + "` |")
        || Pattern.compile("\\b" + Pattern.quote(bare.toUpperCase(Locale.ROOT)) + "[,;(]")
            .matcher(code)
            .find();
  }

  @Test
  void whatTroubleshootingQuotesIsThere() {
    assertThat(quotes(read("docs/troubleshooting.md"))).hasSizeGreaterThan(60);
    assertThat(
            quotes(read("docs/troubleshooting.md")).stream().flatMap(it -> problems(it).stream()))
        .isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '\0',
      value = {
        "`penstock trace`",
        "`penstock events --loud`",
        "`penstock events --filter kind=nothing_known`",
        "`penstock streams --sort=-colour`",
        "`curl -s localhost:9090/api/v1/nothing`",
        "`gateway.colour`",
        "`penstock_colours_total`",
        "`frobnicate --all`",
      })
  void whatIsNotThereIsFound(String quote) {
    assertThat(quotes(quote)).hasSize(1);
    assertThat(quotes(quote).stream().flatMap(it -> problems(it).stream())).hasSize(1);
  }

  @Test
  void whatTheSecurityModelIsSaidToBeHeldByIsThere() {
    var tests = javaFiles("test");
    tests.addAll(javaFiles("main"));
    var held = new ArrayList<String>();
    var missing = new ArrayList<String>();
    BRACKETS
        .matcher(read("docs/security-model.md"))
        .results()
        .flatMap(brackets -> HELD_BY.matcher(brackets.group(1)).results())
        .forEach(by -> {
          held.add(by.group());
          boolean there =
              tests.stream()
                  .filter(file -> file.endsWith(by.group(1) + ".java"))
                  .anyMatch(file ->
                      by.group(2) == null
                          || read(Home.DIRECTORY.relativize(file).toString())
                              .contains("void " + by.group(2) + "("));
          if (!there) {
            missing.add(by.group());
          }
        });
    assertThat(held).hasSizeGreaterThan(20);
    assertThat(missing).isEmpty();
  }

  @Test
  void theReadmeLeadsToEveryPage() throws IOException {
    String readme = read("README.md");
    try (Stream<Path> pages = Files.list(Home.DIRECTORY.resolve("docs"))) {
      assertThat(
              pages
                  .map(page -> Home.DIRECTORY.relativize(page).toString())
                  .filter(page -> page.endsWith(".md") && !readme.contains("](" + page + ")")))
          .isEmpty();
    }
  }

  /// As far as it can be told without Mermaid itself.
  @ParameterizedTest
  @ValueSource(strings = {"docs/architecture.md"})
  void diagramsAreWellFormed(String page) {
    var diagrams = new ArrayList<String>();
    Parser.builder()
        .build()
        .parse(read(page))
        .accept(
            new AbstractVisitor() {
              @Override
              public void visit(FencedCodeBlock block) {
                if (block.getInfo().equals("mermaid")) {
                  diagrams.add(block.getLiteral());
                }
              }
            });
    assertThat(diagrams).hasSizeGreaterThanOrEqualTo(3).allSatisfy(PagesTest::requireWellFormed);
  }

  private static void requireWellFormed(String diagram) {
    List<String> lines = diagram.lines().map(String::strip).filter(it -> !it.isEmpty()).toList();
    assertThat(lines.getFirst()).matches("flowchart (LR|TB)");
    var node = "\\w+(?:(?:\\[\"[^\"]+\"]|\\[\\(\"[^\"]+\"\\)])?)";
    var edge = "(?:-->|-\\.->|<-->|<-\\.->)(?:\\|\"[^\"]+\"\\|)?";
    assertThat(lines.subList(1, lines.size()))
        .allMatch(line ->
            line.matches("subgraph \\w+\\[\"[^\"]+\"]|end|direction (LR|TB)")
                || line.matches(node + "(?: " + edge + " " + node + ")*"));
    assertThat(lines.stream().filter(it -> it.startsWith("subgraph")).count())
        .isEqualTo(lines.stream().filter(it -> it.equals("end")).count());
  }
}
