package dev.penstock.config;

import dev.penstock.config.Definition.Default;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/// The keys below one key of a file, asked for one by one. A key that is wrong is noted as a
/// problem and stands for its default, or for any value of its kind, so that reading goes on. A
/// section that is not in the file has no keys. One owner.
public final class Section {
  private static final Kind<String> SECRET =
      Kind.text(Pattern.compile("[!-~]{1,4096}"), "printable ASCII without spaces", "x");
  private static final String HIDDEN = "***";
  private static final int MAX_SHOWN = 60;

  private final ConfigReader reader;
  private final String path;
  private final String pattern;
  private final int line;
  private final State state;
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private final SortedSet<String> asked = new TreeSet<>();
  private @Nullable String fallback;
  private boolean optional;

  private enum State {
    PRESENT,
    ABSENT,
    /// Not keys with values, which is noted as the one problem of this section.
    MALFORMED
  }

  /// Where a key is said, the later winning over the earlier.
  private enum Source {
    NONE,
    FILE,
    VARIABLE,
    OPTION
  }

  /// @param line that of the key
  private record Entry(int line, Node value) {}

  /// @param place what a problem begins with: `gateway.yaml:7: gateway.listen`
  /// @param origin what a fact ends with: `gateway.yaml:7`
  private record Found(int line, String place, String origin, String text) {}

  /// The section that a whole file is.
  Section(ConfigReader reader, @Nullable MappingNode node) {
    this(reader, "", "", node, State.PRESENT, 0);
  }

  private Section(
      ConfigReader reader,
      String path,
      String pattern,
      @Nullable MappingNode node,
      State state,
      int line) {
    this.reader = reader;
    this.path = path;
    this.pattern = pattern;
    this.line = line;
    this.state = state;
    reader.opened(this);
    for (NodeTuple tuple : node == null ? List.<NodeTuple>of() : node.getValue()) {
      add(tuple);
    }
  }

  /// Whether the file has this section at all, or a variable sets one of its keys.
  public boolean isPresent() {
    optional = true;
    return reader.isDescribing() || state != State.ABSENT || reader.anyVariableBelow(path);
  }

  /// Tells that the defaults of this section are the values of another.
  ///
  /// @param section such as `tunnels.tcp`
  public Section fallingBackTo(String section) {
    fallback = section;
    return this;
  }

  /// The value, or the default when the key is not there.
  public <T> T get(String key, Kind<T> kind, T byDefault) {
    return fallback == null
        ? get(key, kind, byDefault, new Default.Value(kind.show(byDefault)), Fact.DEFAULT)
        : getAs(key, kind, byDefault, fallback + "." + key);
  }

  /// As [#get(String, Kind, Object)], for a default that is found out at the start.
  ///
  /// @param from what it is found out from, such as `the name of the host`
  public <T> T getDerived(String key, Kind<T> kind, T byDefault, String from) {
    return get(key, kind, byDefault, new Default.Derived(from), Fact.DEFAULT);
  }

  /// As [#get(String, Kind, Object)], for a default that is the value of another key.
  ///
  /// @param other the whole other key, such as `cluster.listen`
  public <T> T getAs(String key, Kind<T> kind, T byDefault, String other) {
    return get(key, kind, byDefault, new Default.As(other), "as " + other);
  }

  private <T> T get(String key, Kind<T> kind, T byDefault, Default defined, String origin) {
    define(key, kind.expected(), defined);
    Optional<T> value = read(key, kind);
    if (value.isEmpty()) {
      reader.fact(path(key), kind.show(byDefault), origin);
    }
    return value.orElse(byDefault);
  }

  /// The value, empty when the key is not there.
  public <T> Optional<T> find(String key, Kind<T> kind) {
    define(
        key,
        kind.expected(),
        fallback == null ? new Default.None() : new Default.As(fallback + "." + key));
    Optional<T> value = read(key, kind);
    if (value.isEmpty()) {
      reader.fact(path(key), null, Fact.NOT_SET);
    }
    return value;
  }

  private <T> Optional<T> read(String key, Kind<T> kind) {
    ask(key);
    return scalar(key, kind.expected())
        .map(found -> {
          T value = parse(found, kind, "\"" + OneLine.of(found.text(), MAX_SHOWN) + "\"");
          reader.fact(path(key), kind.show(value), found.origin());
          return value;
        });
  }

  /// The value; that the key is not there is a problem.
  public <T> T require(String key, Kind<T> kind) {
    define(key, kind.expected(), new Default.Required());
    int before = reader.problemCount();
    Optional<T> value = read(key, kind);
    if (value.isEmpty() && reader.problemCount() == before) {
      missing(key, kind.expected());
    }
    return value.orElseGet(kind::standIn);
  }

  /// A secret written at the key, or in the file named by `<key>_file`, without the white space
  /// around it. Empty when neither is there or the secret cannot be used.
  public Optional<Secret> findSecret(String key) {
    String fileKey = key + "_file";
    define(key, SECRET.expected(), new Default.None());
    define(fileKey, "the path of a readable file", new Default.None());
    ask(key);
    ask(fileKey);
    Source own = source(key);
    Source file = source(fileKey);
    if (own == Source.FILE && file == Source.FILE) {
      refuse(key, "found beside " + fileKey, "either " + key + " or " + fileKey);
    }
    if (file.compareTo(own) > 0) {
      return secretFromFile(fileKey);
    }
    if (own == Source.NONE) {
      reader.fact(path(key), null, Fact.NOT_SET);
    }
    return scalar(key, SECRET.expected())
        .flatMap(found -> {
          reader.fact(path(key), HIDDEN, found.origin());
          return secret(found, found.text(), "");
        });
  }

  /// As [#findSecret]; that neither key is there is a problem.
  public Secret requireSecret(String key) {
    int before = reader.problemCount();
    Optional<Secret> secret = findSecret(key);
    if (secret.isEmpty() && reader.problemCount() == before) {
      missing(key, "a secret here or the path of its file at " + key + "_file");
    }
    return secret.orElseGet(() -> Secret.of(""));
  }

  /// The section below the key, one without keys when it is not there.
  public Section section(String key) {
    asked.add(key);
    Entry entry = entries.get(key);
    if (entry == null) {
      State absent = state == State.MALFORMED ? State.MALFORMED : State.ABSENT;
      return new Section(reader, path(key), pattern(key), null, absent, line);
    }
    return section(path(key), pattern(key), entry.value(), entry.line());
  }

  /// The sections of the list below the key, none when it is not there.
  public List<Section> sections(String key) {
    asked.add(key);
    var list = new ArrayList<Section>();
    if (reader.isDescribing()) {
      String entry = path(key) + "[]";
      list.add(new Section(reader, entry, entry, null, State.PRESENT, line));
      return list;
    }
    Entry entry = entries.get(key);
    if (entry == null || isNothing(entry.value())) {
      reader.listFact(
          path(key), List.of(), entry == null ? Fact.DEFAULT : reader.origin(entry.line()));
      return list;
    }
    if (!(entry.value() instanceof SequenceNode sequence)) {
      refuse(key, "found " + describe(entry.value()), "a list, each entry after \"- \"");
      return list;
    }
    for (Node item : sequence.getValue()) {
      String itemPath = path(key) + "[" + list.size() + "]";
      int itemLine = item.getStartMark().getLine() + 1;
      list.add(section(itemPath, pattern(key) + "[]", item, itemLine));
    }
    if (list.isEmpty()) {
      reader.listFact(path(key), List.of(), reader.origin(entry.line()));
    }
    return list;
  }

  /// The values of the list below the key, none when it is not there. One value alone stands for a
  /// list of it.
  ///
  /// @param max values of the longest list
  public <T> List<T> list(String key, Kind<T> kind, int max) {
    ask(key);
    var list = new ArrayList<T>();
    String expected = "at most " + max + " of: " + kind.expected();
    define(key, expected, new Default.None());
    List<Found> found = entriesOf(key, expected);
    if (found.size() > max) {
      refuse(key, "found " + found.size() + " entries", expected);
      return list;
    }
    for (Found item : found) {
      list.add(parse(item, kind, "\"" + OneLine.of(item.text(), MAX_SHOWN) + "\""));
    }
    String origin = found.isEmpty() ? Fact.DEFAULT : found.getFirst().origin();
    reader.listFact(path(key), list.stream().map(kind::show).toList(), origin);
    return list;
  }

  /// The texts of a list; from outside the file, they stand between commas.
  private List<Found> entriesOf(String key, String expected) {
    Optional<Outside> outside = reader.outside(path(key));
    Entry entry = entries.get(key);
    var found = new ArrayList<Found>();
    if (outside.isPresent()) {
      String source = outside.get().source();
      reader.origin(path(key), source);
      for (String text : outside.get().text().split(",", -1)) {
        found.add(new Found(0, source, source, text.strip()));
      }
    } else if (entry != null && !isNothing(entry.value())) {
      reader.origin(path(key), reader.at(entry.line()) + path(key));
      List<Node> items =
          entry.value() instanceof SequenceNode sequence
              ? sequence.getValue()
              : List.of(entry.value());
      for (Node item : items) {
        int itemLine = item.getStartMark().getLine() + 1;
        String place = reader.at(itemLine) + path(key);
        if (item instanceof ScalarNode scalar && !isNothing(scalar)) {
          found.add(new Found(itemLine, place, reader.origin(itemLine), scalar.getValue().strip()));
        } else {
          reader.problem(
              itemLine, place + ": found " + describe(item) + " (expected: " + expected + ")");
        }
      }
    }
    return found;
  }

  /// As [#sections]; that there is none is a problem.
  public List<Section> requireSections(String key, String expected) {
    int before = reader.problemCount();
    List<Section> sections = sections(key);
    if (sections.isEmpty() && reader.problemCount() == before) {
      missing(key, expected);
    }
    return sections;
  }

  /// Notes a problem with the value of a key that is acceptable by itself but not beside others.
  ///
  /// @param found such as `found "redis" a second time`
  public void refuse(String key, String found, String expected) {
    Optional<Outside> outside = reader.outside(path(key));
    Entry entry = entries.get(key);
    int at = outside.isPresent() ? 0 : entry == null ? line : entry.line();
    String place = outside.map(Outside::source).orElseGet(() -> reader.at(at) + path(key));
    reader.problem(at, place + ": " + found + " (expected: " + expected + ")");
  }

  /// Notes a problem when the private key at `key` is not that of the first certificate in
  /// `certificate`; both were read as [Kind#privateKey] and [Kind#certificates].
  public void requireKeyOf(Path certificate, String key, Path privateKey) {
    try {
      if (!Pem.belongTogether(SmallFile.read(certificate), SmallFile.read(privateKey))) {
        refuse(
            key,
            "found \"" + privateKey + "\", which holds another key",
            "the private key of the certificate in " + certificate);
      }
    } catch (IOException e) {
      refuse(key, "found \"" + privateKey + "\", " + SmallFile.reason(e), "a readable file");
    }
  }

  /// The problems of the whole file noted so far, to know whether reading something added any.
  public int problemCount() {
    return reader.problemCount();
  }

  /// Notes that a key is not there.
  public void missing(String key, String expected) {
    reader.required(pattern(key));
    if (state != State.MALFORMED) {
      reader.problem(line, reader.at(line) + path(key) + ": missing (expected: " + expected + ")");
    }
  }

  SortedSet<String> keys() {
    return new TreeSet<>(entries.keySet());
  }

  void refuseUnknownKeys() {
    entries.forEach((key, entry) -> {
      if (!asked.contains(key)) {
        String near = nearest(key).map(it -> ", perhaps \"" + it + "\" was meant").orElse("");
        reader.problem(
            entry.line(),
            reader.at(entry.line())
                + path(OneLine.of(key, MAX_SHOWN))
                + ": found an unknown key"
                + near
                + " (expected: "
                + String.join(", ", asked)
                + ")");
      }
    });
  }

  /// Such as `a list`, never the content.
  static String describe(Node node) {
    return switch (node) {
      case MappingNode _ -> "keys with values";
      case SequenceNode _ -> "a list";
      case ScalarNode scalar when !scalar.getTag().equals(Tag.NULL) -> "a plain value";
      default -> "nothing";
    };
  }

  private Section section(String at, String atPattern, Node node, int atLine) {
    if (node instanceof MappingNode mapping) {
      return new Section(reader, at, atPattern, mapping, State.PRESENT, atLine);
    }
    if (isNothing(node)) {
      return new Section(reader, at, atPattern, null, State.PRESENT, atLine);
    }
    reader.problem(
        atLine,
        reader.at(atLine) + at + ": found " + describe(node) + " (expected: keys with values)");
    return new Section(reader, at, atPattern, null, State.MALFORMED, atLine);
  }

  private void add(NodeTuple tuple) {
    int keyLine = tuple.getKeyNode().getStartMark().getLine() + 1;
    if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
      reader.problem(
          keyLine,
          reader.at(keyLine)
              + (path.isEmpty() ? "" : path + ": ")
              + "found "
              + describe(tuple.getKeyNode())
              + " as a key (expected: a word)");
      return;
    }
    Entry first = entries.putIfAbsent(key.getValue(), new Entry(keyLine, tuple.getValueNode()));
    if (first != null) {
      reader.problem(
          keyLine,
          reader.at(keyLine)
              + path(key.getValue())
              + ": found a second time (expected: once, as in line "
              + first.line()
              + ")");
    }
  }

  private Source source(String key) {
    if (reader.option(path(key)).isPresent()) {
      return Source.OPTION;
    } else if (reader.variable(path(key)).isPresent()) {
      return Source.VARIABLE;
    }
    return entries.containsKey(key) ? Source.FILE : Source.NONE;
  }

  private Optional<Found> scalar(String key, String expected) {
    Optional<Outside> outside = reader.outside(path(key));
    if (outside.isPresent()) {
      String source = outside.get().source();
      reader.origin(path(key), source);
      return Optional.of(new Found(0, source, source, outside.get().text().strip()));
    }
    Entry entry = entries.get(key);
    if (entry == null) {
      return Optional.empty();
    }
    if (!(entry.value() instanceof ScalarNode scalar) || isNothing(scalar)) {
      refuse(key, "found " + describe(entry.value()), expected);
      return Optional.empty();
    }
    String place = reader.at(entry.line()) + path(key);
    reader.origin(path(key), place);
    return Optional.of(
        new Found(entry.line(), place, reader.origin(entry.line()), scalar.getValue().strip()));
  }

  private <T> T parse(Found found, Kind<T> kind, String shown) {
    try {
      return kind.parse(found.text(), reader.base());
    } catch (Unacceptable e) {
      reader.problem(
          found.line(),
          found.place()
              + ": found "
              + shown
              + e.getMessage()
              + " (expected: "
              + kind.expected()
              + ")");
      return kind.standIn();
    }
  }

  private Optional<Secret> secretFromFile(String fileKey) {
    Optional<Found> place = scalar(fileKey, Kind.path().expected());
    if (place.isEmpty()) {
      return Optional.empty();
    }
    Found found = place.get();
    String shown = "\"" + OneLine.of(found.text(), MAX_SHOWN) + "\"";
    var file = parse(found, Kind.path(), shown);
    reader.fact(path(fileKey), file.toString(), found.origin());
    try {
      String text = new String(SmallFile.read(file), StandardCharsets.UTF_8);
      return secret(found, text.strip(), shown + ", which holds ");
    } catch (IOException e) {
      reader.problem(
          found.line(),
          found.place()
              + ": found "
              + shown
              + ", "
              + SmallFile.reason(e)
              + " (expected: a readable file with "
              + SECRET.expected()
              + ")");
      return Optional.empty();
    }
  }

  /// A secret that cannot be used is told by its length alone.
  private Optional<Secret> secret(Found found, String text, String before) {
    int problems = reader.problemCount();
    String shown = before + (text.isEmpty() ? "nothing" : text.length() + " characters, not shown");
    String value =
        parse(new Found(found.line(), found.place(), found.origin(), text), SECRET, shown);
    return reader.problemCount() == problems ? Optional.of(Secret.of(value)) : Optional.empty();
  }

  private void define(String key, String values, Default byDefault) {
    if (reader.isDescribing()) {
      reader.define(new Definition(pattern(key), byDefault, values, optional ? pattern : null));
    }
  }

  private void ask(String key) {
    asked.add(key);
    reader.asked(pattern(key));
  }

  private String path(String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  private String pattern(String key) {
    return pattern.isEmpty() ? key : pattern + "." + key;
  }

  /// At most two edits or a third of the word away, so that no far-fetched key is suggested.
  private Optional<String> nearest(String key) {
    String best = null;
    int least = Math.min(Math.max(2, key.length() / 3) + 1, key.length());
    for (String known : asked) {
      int edits = key.length() > MAX_SHOWN ? least : edits(key, known);
      if (edits < least) {
        least = edits;
        best = known;
      }
    }
    return Optional.ofNullable(best);
  }

  /// Letters to insert, remove or replace to get from one word to the other (Levenshtein).
  private static int edits(String from, String to) {
    int[] row = new int[to.length() + 1];
    for (int j = 0; j <= to.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        int replaced = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[to.length()];
  }

  private static boolean isNothing(Node node) {
    return node.getTag().equals(Tag.NULL);
  }
}
