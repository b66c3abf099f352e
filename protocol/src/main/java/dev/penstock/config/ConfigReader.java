package dev.penstock.config;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// One YAML file on its way to settings: hands out its [Section]s, gathers every problem, and at
/// [#finish] refuses the file with all of them or says where each value came from.
///
/// Who reads asks for every key that exists, whatever came of the ones before; what was never asked
/// for is an unknown key. One owner, one use.
public final class ConfigReader {
  private final String name;
  private final Path base;
  private final Map<String, Outside> outside = new HashMap<>();
  private final List<Problem> problems = new ArrayList<>();
  private final List<Section> sections = new ArrayList<>();
  private final Map<String, String> written = new HashMap<>();
  private final SortedSet<String> askedKeys = new TreeSet<>();
  private final @Nullable Problem unreadable;
  private final Section root;

  /// @param line 0 when the place has no line
  private record Problem(int line, String text) {}

  private ConfigReader(String name, Path base, List<Outside> values, YamlTree tree) {
    this.name = name;
    this.base = base;
    values.forEach(value -> outside.putIfAbsent(value.key(), value));
    this.unreadable =
        tree.problem() == null
            ? null
            : new Problem(tree.problemLine(), at(tree.problemLine()) + tree.problem());
    this.root = new Section(this, tree.root());
  }

  /// Reads the file. That it cannot be read is a problem like others, told by [#finish].
  ///
  /// @param outside values that win over the file's, the first of a key over later ones
  public static ConfigReader open(Path file, List<Outside> outside) {
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
    return new ConfigReader(file.toString(), base, outside, tree);
  }

  /// For settings that come from options and variables alone; relative paths start from the working
  /// directory.
  ///
  /// @param name named in problems instead of a file
  public static ConfigReader withoutFile(String name, List<Outside> outside) {
    return new ConfigReader(name, Path.of("").toAbsolutePath(), outside, YamlTree.empty());
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
    if (!problems.isEmpty()) {
      throw new ConfigException(
          problems.stream()
              .sorted(Comparator.comparingInt(Problem::line))
              .map(Problem::text)
              .distinct()
              .toList());
    }
    return new Origins(name, written);
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

  void origin(String key, String place) {
    written.put(key, place);
  }

  Optional<Outside> outside(String key) {
    return Optional.ofNullable(outside.get(key));
  }

  Path base() {
    return base;
  }

  /// `gateway.yaml:7: `, without the number for line 0.
  String at(int line) {
    return line == 0 ? name + ": " : name + ":" + line + ": ";
  }

  int problemCount() {
    return problems.size();
  }

  void problem(int line, String text) {
    problems.add(new Problem(line, text));
  }
}
