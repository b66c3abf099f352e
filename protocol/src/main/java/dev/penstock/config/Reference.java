package dev.penstock.config;

import dev.penstock.config.Definition.Default;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// All keys of one kind of file for people: a table in Markdown whose defaults and values are those
/// that the reading code has, and whose meanings stand in a resource beside that code.
public final class Reference {
  private static final String HEAD = "| key | default | values | meaning |\n|---|---|---|---|\n";

  private Reference() {}

  /// The table.
  ///
  /// @param owner the class beside which the resource stands
  /// @param resource properties in UTF-8, key to meaning in Markdown
  /// @throws IllegalStateException a key has no meaning, or a meaning no key
  public static String table(List<Definition> definitions, Class<?> owner, String resource) {
    return table(definitions, load(owner, resource));
  }

  static String table(List<Definition> definitions, Properties meanings) {
    requireSame(
        definitions.stream().map(Definition::key).collect(Collectors.toSet()),
        meanings.stringPropertyNames());
    return definitions.stream()
        .map(definition -> row(definition, meanings.getProperty(definition.key())))
        .collect(Collectors.joining("", HEAD, ""));
  }

  /// The page with the table in the place of what stood between the two comments that name it.
  ///
  /// @param name such as `gateway`
  /// @throws IllegalArgumentException the comments are not there, or not in this order
  public static String intoPage(String page, String name, String table) {
    String begin = "<!-- begin of: penstock config reference " + name + " -->\n";
    String end = "<!-- end of: penstock config reference " + name + " -->\n";
    int from = page.indexOf(begin) + begin.length();
    int to = page.indexOf(end);
    if (!page.contains(begin) || to < from) {
      throw new IllegalArgumentException(
          "the page: found no place for the table (expected: a line "
              + begin.strip()
              + " and below it a line "
              + end.strip()
              + ")");
    }
    return page.substring(0, from) + "\n" + table + "\n" + page.substring(to);
  }

  private static String row(Definition definition, String meaning) {
    return "| `"
        + definition.key()
        + "` | "
        + byDefault(definition)
        + " | "
        + cell(definition.values())
        + " | "
        + meaning
        + " |\n";
  }

  private static String byDefault(Definition definition) {
    String words =
        switch (definition.byDefault()) {
          case Default.Required() -> "required";
          case Default.None() -> "none";
          case Default.Value(var text) when text.isEmpty() -> "empty";
          case Default.Value(var text) -> "`" + text + "`";
          case Default.As(var key) -> "that of `" + key + "`";
          case Default.Derived(var from) -> cell(from);
        };
    boolean always = definition.within() == null || definition.byDefault() instanceof Default.None;
    return always ? words : words + " in `" + definition.within() + "`";
  }

  /// A bar would end the cell, an angle bracket would begin HTML.
  private static String cell(String text) {
    return text.replace("|", "\\|").replace("<", "&lt;");
  }

  private static void requireSame(Set<String> keys, Set<String> explained) {
    var without = new TreeSet<>(keys);
    without.removeAll(explained);
    var beyond = new TreeSet<>(explained);
    beyond.removeAll(keys);
    if (!without.isEmpty() || !beyond.isEmpty()) {
      throw new IllegalStateException(
          "keys without a meaning: " + without + ", meanings without a key: " + beyond);
    }
  }

  private static Properties load(Class<?> owner, String resource) {
    var meanings = new Properties();
    try (var in = Objects.requireNonNull(owner.getResourceAsStream(resource), resource)) {
      meanings.load(new InputStreamReader(in, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return meanings;
  }
}
