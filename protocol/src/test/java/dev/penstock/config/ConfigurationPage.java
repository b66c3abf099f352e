package dev.penstock.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// What `docs/configuration.md` says about one file, so that tests can hold it against the code.
public final class ConfigurationPage {
  private static final Pattern ROW =
      Pattern.compile("^\\| `([^`]+)` \\| (?:`([^`]+)`|([^|]*)) \\|", Pattern.MULTILINE);
  private static final Pattern EXAMPLE = Pattern.compile("```yaml\n(.*?)```", Pattern.DOTALL);

  private final String text;

  private ConfigurationPage(String text) {
    this.text = text;
  }

  /// The part of the page below this heading; tests run in the directory of their module.
  public static ConfigurationPage section(String heading) throws IOException {
    String page = Files.readString(Path.of("..", "docs", "configuration.md"));
    int start = page.indexOf("## " + heading + "\n");
    int end = page.indexOf("\n## ", start + 1);
    return new ConfigurationPage(page.substring(start, end));
  }

  /// Keys of the table with what stands in the second column, empty where that is prose.
  public Map<String, String> rows() {
    var rows = new LinkedHashMap<String, String>();
    ROW.matcher(text)
        .results()
        .forEach(row -> rows.put(row.group(1), row.group(2) == null ? "" : row.group(2)));
    return rows;
  }

  /// The YAML example.
  public String example() {
    return EXAMPLE.matcher(text).results().findFirst().orElseThrow().group(1);
  }

  /// A file that says the documented default of every key that has one.
  ///
  /// @param required lines for what has none
  public String defaults(List<String> required) {
    var tree = new LinkedHashMap<String, Object>();
    rows()
        .forEach((key, value) -> {
          if (!value.isEmpty() && !key.contains("[]")) {
            put(tree, key.split("\\."), value);
          }
        });
    for (String line : required) {
      int colon = line.indexOf(": ");
      put(tree, line.substring(0, colon).split("\\."), line.substring(colon + 2));
    }
    var yaml = new StringBuilder();
    write(yaml, tree, "");
    return yaml.toString();
  }

  @SuppressWarnings("unchecked")
  private static void put(Map<String, Object> tree, String[] path, String value) {
    for (int i = 0; i < path.length - 1; i++) {
      tree =
          (Map<String, Object>)
              tree.computeIfAbsent(path[i], _ -> new LinkedHashMap<String, Object>());
    }
    tree.put(path[path.length - 1], value);
  }

  private static void write(StringBuilder yaml, Map<?, ?> tree, String indent) {
    tree.forEach((key, value) -> {
      yaml.append(indent).append(key).append(':');
      if (value instanceof Map<?, ?> below) {
        yaml.append('\n');
        write(yaml, below, indent + "  ");
      } else {
        yaml.append(' ').append(value).append('\n');
      }
    });
  }
}
