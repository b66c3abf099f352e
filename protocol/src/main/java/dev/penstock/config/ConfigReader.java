package dev.penstock.config;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One YAML file on its way to settings: hands out its [Section]s, gathers every problem, and at
/// [#finish] refuses the file with all of them or says where each value came from.
///
/// Who reads asks for every key that exists, whatever came of the ones before; what was never asked
/// for is an unknown key. One owner, one use.
public final class ConfigReader {
  private final Purpose purpose;
  private final String name;
  private final Path base;
  private final Map<String, Outside> options = new HashMap<>();
  private final Variables variables;
  private final List<Problem> problems = new ArrayList<>();
  private final List<Section> sections = new ArrayList<>();
  private final Map<String, String> written = new HashMap<>();
  private final Map<String, Fact> facts = new LinkedHashMap<>();
  private final SortedSet<String> askedKeys = new TreeSet<>();
  private final Map<String, Definition> definitions = new LinkedHashMap<>();
  private final @Nullable Problem unreadable;
  private final Section root;

  /// @param line 0 when the place has no line
  private record Problem(int line, String text) {}

  private enum Purpose {
    READING,
    /// Nothing is read; every section is there, and every list has one entry.
    DESCRIBING
  }

  private ConfigReader(
      Purpose purpose,
      String name,
      Path base,
      List<Outside> options,
      Variables variables,
      YamlTree tree) {
    this.purpose = purpose;
    this.name = name;
    this.base = base;
    this.variables = variables;
    options.forEach(option -> this.options.putIfAbsent(option.key(), option));
    this.unreadable =
        tree.problem() == null
            ? null
            : new Problem(tree.problemLine(), at(tree.problemLine()) + tree.problem());
    this.root = new Section(this, tree.root());
  }

  /// As [#open(Path, List, Variables)], without variables.
  public static ConfigReader open(Path file, List<Outside> options) {
    return open(file, options, Variables.of(Map.of()));
  }

  /// Reads the file. That it cannot be read is a problem like others, told by [#finish].
  ///
  /// @param options values that win over variables and the file's, the first of a key over later
  ///   ones
  public static ConfigReader open(Path file, List<Outside> options, Variables variables) {
    Path parent = file.toAbsolutePath().getParent();
    Path base = parent == null ? file.toAbsolutePath() : parent;
    YamlTree tree;
    try {
      tree = YamlTree.parse(SmallFile.read(file));
    } catch (IOException e) {
      tree =
          YamlTree.unreadable(
              0, "found a file " + SmallFile.reason(e) + " (expected: a readable YAML file)");
    }
    return new ConfigReader(Purpose.READING, file.toString(), base, options, variables, tree);
  }

  /// For settings that come from options and variables alone; relative paths start from the working
  /// directory.
  ///
  /// @param name named in problems instead of a file
  public static ConfigReader withoutFile(String name, List<Outside> options, Variables variables) {
    return new ConfigReader(
        Purpose.READING, name, Path.of("").toAbsolutePath(), options, variables, YamlTree.empty());
  }

  /// Every key that `reads` asks for, in that order, with the default and the bounds that it asks
  /// with. Nothing is read or refused.
  ///
  /// @param reads turns any file into settings
  public static List<Definition> definitions(Consumer<ConfigReader> reads) {
    var reader =
        new ConfigReader(
            Purpose.DESCRIBING,
            "reference",
            Path.of(""),
            List.of(),
            Variables.of(Map.of()),
            YamlTree.empty());
    reads.accept(reader);
    return List.copyOf(reader.definitions.values());
  }

  /// The keys at the top of a file, to tell what it is for.
  ///
  /// @throws ConfigException the file cannot be read or is no settings
  public static SortedSet<String> keysAtTheTop(Path file) {
    var reader = open(file, List.of());
    if (reader.unreadable != null) {
      throw new ConfigException(reader.unreadable.text());
    }
    return reader.root.keys();
  }

  /// A path beside the file.
  public Path beside(String relative) {
    return base.resolve(relative).normalize();
  }

  /// The section that the whole file is.
  public Section root() {
    return root;
  }

  /// Notes a problem with what was written outside of the file.
  ///
  /// @param source an option's or a variable's name
  public void refuse(String source, String found, String expected) {
    problem(0, source + ": " + found + " (expected: " + expected + ")");
  }

  /// To be called when every key was asked for.
  ///
  /// @throws ConfigException with all problems, in the order of the lines
  public Origins finish() {
    if (unreadable != null) {
      throw new ConfigException(unreadable.text());
    }
    sections.forEach(Section::refuseUnknownKeys);
    if (!problems.isEmpty() && !isDescribing()) {
      throw new ConfigException(
          problems.stream()
              .sorted(Comparator.comparingInt(Problem::line))
              .map(Problem::text)
              .distinct()
              .toList());
    }
    return new Origins(name, written, List.copyOf(facts.values()));
  }

  /// The keys that were asked for so far, entries of lists written as
  /// `gateway.auth.tokens[].token`.
  public SortedSet<String> askedKeys() {
    return new TreeSet<>(askedKeys);
  }

  void opened(Section section) {
    sections.add(section);
  }

  void asked(String pattern) {
    askedKeys.add(pattern);
  }

  boolean isDescribing() {
    return purpose == Purpose.DESCRIBING;
  }

  void define(Definition definition) {
    definitions.put(definition.key(), definition);
  }

  void required(String key) {
    definitions.computeIfPresent(key, (_, definition) -> definition.required());
  }

  void origin(String key, String place) {
    written.put(key, place);
  }

  void fact(String key, @Nullable String text, String origin) {
    facts.put(key, new Fact(key, text == null ? null : EffectiveYaml.scalar(text), origin));
  }

  void listFact(String key, List<String> texts, String origin) {
    facts.put(key, new Fact(key, EffectiveYaml.list(texts), origin));
  }

  /// What an option or, failing that, a variable says for this key.
  Optional<Outside> outside(String key) {
    return option(key).or(() -> variable(key));
  }

  Optional<Outside> option(String key) {
    return Optional.ofNullable(options.get(key));
  }

  Optional<Outside> variable(String key) {
    return variables.of(key);
  }

  boolean anyVariableBelow(String section) {
    return variables.anyBelow(section);
  }

  Path base() {
    return base;
  }

  /// `gateway.yaml:7: `, without the number for line 0.
  String at(int line) {
    return line == 0 ? name + ": " : name + ":" + line + ": ";
  }

  /// `gateway.yaml:7`, without directories: the place as an origin.
  String origin(int line) {
    return name.substring(name.lastIndexOf(File.separatorChar) + 1) + ":" + line;
  }

  int problemCount() {
    return problems.size();
  }

  void problem(int line, String text) {
    problems.add(new Problem(line, text));
  }
}
