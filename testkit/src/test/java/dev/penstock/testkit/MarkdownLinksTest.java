package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MarkdownLinksTest {
  @TempDir Path directory;

  @Test
  void everyLinkOfTheDocumentationLeadsSomewhere() throws IOException {
    assertThat(MarkdownLinks.problems(Home.DIRECTORY)).isEmpty();
  }

  @Test
  void allOfTheDocumentationIsLookedAt() throws IOException {
    assertThat(MarkdownLinks.files(Home.DIRECTORY))
        .map(file -> Home.DIRECTORY.relativize(file).toString())
        .contains("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "deploy/README.md")
        .contains("docs/configuration.md", "docs/decisions/0001-bytes-on-netty-loops.md")
        .noneMatch(file -> file.contains("target/"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[a](none.md)                 | none.md: no such file",
        "![a](none.png)               | none.png: no such file",
        "[a](other.md#none)           | other.md#none: no such heading",
        "[a](#none)                   | #none: no such heading",
        "[a](other.md#Two-words)      | other.md#Two-words: no such heading",
        "[a](other.md#twice)          | other.md#twice: a heading that is there more than once",
        "[a](other.txt#two-words)     | other.txt#two-words: a heading of what is no Markdown",
        "[a](../../etc/passwd)        | ../../etc/passwd: outside of the repository",
        "[a](/docs/other.md)          | /docs/other.md: not relative",
        "[a](//example.com/x)         | //example.com/x: not relative",
        "[a](<two words.md>)          | two words.md: no URI: Illegal character in path",
        "[a](https:///x)              | https:///x: no host",
        "[a](ftp://example.com)       | ftp://example.com: neither http nor https",
        "[a](javascript:alert)        | javascript:alert: neither http nor https",
        "<a href='other.md'>a</a>     | <a href='other.md'>: written as HTML",
      })
  void aLinkThatLeadsNowhereIsTold(String text, String problem) throws IOException {
    write(text);
    assertThat(MarkdownLinks.problems(directory)).containsExactly("docs/a.md: link " + problem);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "| head |\n|---|\n| a `b\\|c` [a](none.md) |",
        "- item\n  - item with [a](none.md)",
        "[a][b]\n\n[b]: none.md",
        "**[a](none.md)**",
        "# Heading with [a](none.md)",
        "> [a](none.md)",
      })
  void aLinkIsFoundWhereverItStands(String text) throws IOException {
    write(text);
    assertThat(MarkdownLinks.problems(directory))
        .containsExactly("docs/a.md: link none.md: no such file");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[a](other.md)",
        "[a](other.md#two-words)",
        "[a](other.md#codes-and-dots)",
        "[a](other.md#emphasis-and-link)",
        "[a](other.md#a--b)",
        "[a](other.md#under_score-ü)",
        "[a](other.md#twice-1)",
        "[a](#own)",
        "[a](./)",
        "[a](../README.md)",
        "[a][b]\n\n[b]: other.md#two-words",
        "![a](other.txt)",
        "[a](https://example.com/x?y#z)",
        "`[a](none.md)`",
        "```\n[a](none.md)\n```",
      })
  void aLinkThatLeadsSomewhereIsFine(String text) throws IOException {
    write(text);
    assertThat(MarkdownLinks.problems(directory)).isEmpty();
  }

  private void write(String text) throws IOException {
    Path docs = Files.createDirectories(directory.resolve("docs"));
    Files.writeString(directory.resolve("README.md"), "# Top\n");
    Files.writeString(docs.resolve("other.txt"), "");
    Files.writeString(
        docs.resolve("other.md"),
        """
        # Two words
        ## `codes`, and dots.
        ## *Emphasis* and [link](https://example.com)
        ## A & B
        ## under_score Ü
        ## Twice
        ## Twice
        """);
    Files.writeString(docs.resolve("a.md"), "# Own\n\n" + text + "\n");
  }
}
