package dev.penstock.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Writes [Fact]s as YAML that can be read again, with a comment behind each value that says where
/// it comes from. What is not set is a comment as a whole.
final class EffectiveYaml {
  private static final int COMMENT_COLUMN = 46;
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9./_-]([A-Za-z0-9./_:@=-]*\\w)?");
  private static final Pattern STEP = Pattern.compile("([^.\\[\\]]+)(?:\\[([0-9]+)])?");

  private EffectiveYaml() {}

  static String write(List<Fact> facts) {
    var root = new LinkedHashMap<String, Object>();
    facts.forEach(fact -> put(root, fact));
    return String.join("\n", lines(root, 0)) + "\n";
  }

  private static void put(Map<String, Object> root, Fact fact) {
    Map<String, Object> section = root;
    Matcher step = STEP.matcher(fact.key());
    while (step.find()) {
      if (step.end() == fact.key().length() && step.group(2) == null) {
        section.put(step.group(1), fact);
      } else {
        section = below(section, step.group(1), step.group(2));
      }
    }
  }

  /// @param index that of an entry when the key is a list's, else null
  @SuppressWarnings("unchecked") // what is put here is what is read here
  private static Map<String, Object> below(Map<String, Object> section, String key, String index) {
    if (index == null) {
      return (Map<String, Object>)
          section.computeIfAbsent(key, _ -> new LinkedHashMap<String, Object>());
    }
    var entries =
        (List<Map<String, Object>>)
            section.computeIfAbsent(key, _ -> new ArrayList<Map<String, Object>>());
    while (entries.size() <= Integer.parseInt(index)) {
      entries.add(new LinkedHashMap<>());
    }
    return entries.get(Integer.parseInt(index));
  }

  /// @param depth columns that the lines will be moved to the right
  private static List<String> lines(Map<?, ?> section, int depth) {
    var lines = new ArrayList<String>();
    section.forEach((key, value) -> {
      switch (value) {
        case Fact fact -> lines.add(line(key, fact, depth));
        case Map<?, ?> below -> {
          lines.add(key + ":");
          lines(below, depth + 2).forEach(it -> lines.add("  " + it));
        }
        case List<?> entries -> {
          lines.add(key + ":");
          entries.forEach(entry -> lines.addAll(entry((Map<?, ?>) entry, depth)));
        }
        default -> throw new IllegalStateException("value: " + value + " (expected: a fact)");
      }
    });
    return lines;
  }

  /// The dash stands before the first key that is set.
  private static List<String> entry(Map<?, ?> section, int depth) {
    var lines = new ArrayList<String>();
    String indent = "  - ";
    for (String line : lines(section, depth + 4)) {
      lines.add((line.startsWith("#") ? "    " : indent) + line);
      indent = line.startsWith("#") ? indent : "    ";
    }
    return lines;
  }

  private static String line(Object key, Fact fact, int depth) {
    if (fact.text() == null) {
      return "# " + key + ": " + fact.origin();
    }
    String line = key + ": " + fact.text();
    return line
        + " ".repeat(Math.max(2, COMMENT_COLUMN - depth - line.length()))
        + "# "
        + fact.origin();
  }

  static String list(List<String> texts) {
    return texts.stream().map(EffectiveYaml::scalar).collect(Collectors.joining(", ", "[", "]"));
  }

  static String scalar(String text) {
    return PLAIN.matcher(text).matches()
        ? text
        : '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
