package dev.penstock.config;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
  private static final int MAX_SHOWN = 60;

  private final ConfigReader reader;
  private final String path;
  private final String pattern;
  private final int line;
  private final State state;
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private final SortedSet<String> asked = new TreeSet<>();

  private enum State {
    PRESENT,
    ABSENT,
    /// Not keys with values, which is noted as the one problem of this section.
    MALFORMED
  }

  /// @param line that of the key
  private record Entry(int line, Node value) {}

  /// @param place what a problem begins with: `gateway.yaml:7: gateway.listen`
  private record Found(int line, String place, String text) {}

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

  /// Whether the file has this section at all.
  public boolean isPresent() {
    return state != State.ABSENT;
  }

  /// The value, or the default when the key is not there.
  public <T> T get(String key, Kind<T> kind, T byDefault) {
    return find(key, kind).orElse(byDefault);
  }

  /// The value, empty when the key is not there.
  public <T> Optional<T> find(String key, Kind<T> kind) {
    ask(key);
    return scalar(key, kind.expected())
        .map(found -> parse(found, kind, "\"" + shorten(found.text()) + "\""));
  }

  /// The value; that the key is not there is a problem.
  public <T> T require(String key, Kind<T> kind) {
    int before = reader.problemCount();
    Optional<T> value = find(key, kind);
    if (value.isEmpty() && reader.problemCount() == before) {
      missing(key, kind.expected());
    }
    return value.orElseGet(kind::standIn);
  }

  /// A secret written at the key, or in the file named by `<key>_file`, without the white space
  /// around it. Empty when neither is there or the secret cannot be used.
  public Optional<Secret> findSecret(String key) {
    String fileKey = key + "_file";
    ask(key);
    ask(fileKey);
    // A variable or an option for either key wins over both of the file's.
    if (reader.outside(path(fileKey)).isPresent() && reader.outside(path(key)).isEmpty()) {
      return secretFromFile(fileKey);
    }
    if (reader.outside(path(key)).isEmpty() && entries.containsKey(fileKey)) {
      if (entries.containsKey(key)) {
        refuse(key, "found beside " + fileKey, "either " + key + " or " + fileKey);
      }
      return secretFromFile(fileKey);
    }
    return scalar(key, SECRET.expected()).flatMap(found -> secret(found, found.text(), ""));
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
    Entry entry = entries.get(key);
    if (entry == null || isNothing(entry.value())) {
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
    return list;
  }

  /// The values of the list below the key, none when it is not there. One value alone stands for a
  /// list of it.
  ///
  /// @param max values of the longest list
  public <T> List<T> list(String key, Kind<T> kind, int max) {
    ask(key);
    var list = new ArrayList<T>();
    Entry entry = entries.get(key);
    if (entry == null || isNothing(entry.value())) {
      return list;
    }
    String expected = "at most " + max + " of: " + kind.expected();
    List<Node> items =
        entry.value() instanceof SequenceNode sequence
            ? sequence.getValue()
            : List.of(entry.value());
    if (items.size() > max) {
      refuse(key, "found " + items.size() + " entries", expected);
      return list;
    }
    reader.origin(path(key), reader.at(entry.line()) + path(key));
    for (Node item : items) {
      int itemLine = item.getStartMark().getLine() + 1;
      String place = reader.at(itemLine) + path(key);
      if (item instanceof ScalarNode scalar && !isNothing(scalar)) {
        String text = scalar.getValue().strip();
        list.add(parse(new Found(itemLine, place, text), kind, "\"" + shorten(text) + "\""));
      } else {
        reader.problem(
            itemLine, place + ": found " + describe(item) + " (expected: " + expected + ")");
      }
    }
    return list;
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

  /// The problems of the whole file noted so far, to know whether reading something added any.
  public int problemCount() {
    return reader.problemCount();
  }

  /// Notes that a key is not there.
  public void missing(String key, String expected) {
    if (state != State.MALFORMED) {
      reader.problem(line, reader.at(line) + path(key) + ": missing (expected: " + expected + ")");
    }
  }

  void refuseUnknownKeys() {
    entries.forEach((key, entry) -> {
      if (!asked.contains(key)) {
        String near = nearest(key).map(it -> ", perhaps \"" + it + "\" was meant").orElse("");
        reader.problem(
            entry.line(),
            reader.at(entry.line())
                + path(shorten(key))
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

  private Optional<Found> scalar(String key, String expected) {
    Optional<Outside> outside = reader.outside(path(key));
    if (outside.isPresent()) {
      reader.origin(path(key), outside.get().source());
      return Optional.of(new Found(0, outside.get().source(), outside.get().text().strip()));
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
    return Optional.of(new Found(entry.line(), place, scalar.getValue().strip()));
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
    String shown = "\"" + shorten(found.text()) + "\"";
    var file = parse(found, Kind.path(), shown);
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
    String value = parse(new Found(found.line(), found.place(), text), SECRET, shown);
    return reader.problemCount() == problems ? Optional.of(Secret.of(value)) : Optional.empty();
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

  private static String shorten(String text) {
    String line = text.replaceAll("\\p{Cntrl}", "?");
    return line.length() <= MAX_SHOWN ? line : line.substring(0, MAX_SHOWN) + "…";
  }
}
