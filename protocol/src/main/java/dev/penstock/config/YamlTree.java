package dev.penstock.config;

import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.Tag;
import org.yaml.snakeyaml.reader.StreamReader;

/// A file's text as YAML nodes, which know their lines, or the one problem that kept it from being
/// such.
///
/// @param root null when nothing was written or there is a problem
/// @param problemLine from 1, or 0 when there is no problem or it has no line
record YamlTree(@Nullable MappingNode root, int problemLine, @Nullable String problem) {
  private static final int MAX_NESTING = 20;
  private static final int MAX_ALIASES = 10;
  private static final YamlTree NOTHING =
      unreadable(1, "found nothing (expected: keys with values, such as \"listen: …\")");
  private static final String TABS = "found a tab (expected: spaces before a key)";

  static YamlTree empty() {
    return new YamlTree(null, 0, null);
  }

  static YamlTree unreadable(int line, String problem) {
    return new YamlTree(null, line, problem);
  }

  static YamlTree parse(byte[] content) {
    CharBuffer chars = CharBuffer.allocate(content.length);
    ByteBuffer bytes = ByteBuffer.wrap(content);
    CoderResult result = StandardCharsets.UTF_8.newDecoder().decode(bytes, chars, true);
    String text = chars.flip().toString();
    int bad = firstUnprintable(text);
    if (bad >= 0) {
      return unreadable(
          lineOf(text, bad),
          "found the character U+%04X (expected: YAML text)".formatted(text.codePointAt(bad)));
    }
    if (result.isError()) {
      return unreadable(
          lineOf(text, text.length()), "found bytes that are not UTF-8 (expected: YAML text)");
    }
    return compose(text);
  }

  private static YamlTree compose(String text) {
    try {
      Node root = new Yaml(options()).compose(new StringReader(text));
      return switch (root) {
        case MappingNode mapping -> new YamlTree(mapping, 0, null);
        case null -> NOTHING;
        case ScalarNode scalar when scalar.getTag().equals(Tag.NULL) -> NOTHING;
        default ->
            unreadable(
                root.getStartMark().getLine() + 1,
                "found " + Section.describe(root) + " (expected: keys with values)");
      };
    } catch (MarkedYAMLException e) {
      int line = e.getProblemMark() == null ? 0 : e.getProblemMark().getLine() + 1;
      return unreadable(line, isTabbed(text, line) ? TABS : syntax(e));
    } catch (YAMLException e) {
      return unreadable(0, "found no YAML: " + e.getMessage() + " (expected: YAML text)");
    }
  }

  private static String syntax(MarkedYAMLException e) {
    String problem = String.valueOf(e.getProblem()).strip().replaceAll("\\s+", " ");
    return "found no YAML: " + problem + " (expected: YAML, \"key: value\" on each line)";
  }

  private static boolean isTabbed(String text, int line) {
    List<String> lines = text.lines().toList();
    return line >= 1 && line <= lines.size() && lines.get(line - 1).matches("[ ]*\t.*");
  }

  private static int firstUnprintable(String text) {
    for (int i = 0; i < text.length(); i = text.offsetByCodePoints(i, 1)) {
      if (!StreamReader.isPrintable(text.codePointAt(i))) {
        return i;
      }
    }
    return -1;
  }

  private static int lineOf(String text, int index) {
    return 1 + (int) text.substring(0, index).chars().filter(it -> it == '\n').count();
  }

  private static LoaderOptions options() {
    var options = new LoaderOptions();
    options.setAllowDuplicateKeys(false);
    options.setAllowRecursiveKeys(false);
    options.setNestingDepthLimit(MAX_NESTING);
    options.setMaxAliasesForCollections(MAX_ALIASES);
    options.setCodePointLimit(SmallFile.MAX_BYTES);
    return options;
  }
}
