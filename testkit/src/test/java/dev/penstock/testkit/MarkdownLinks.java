package dev.penstock.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.ext.heading.anchor.IdGenerator;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Code;
import org.commonmark.node.Heading;
import org.commonmark.node.HtmlBlock;
import org.commonmark.node.HtmlInline;
import org.commonmark.node.Image;
import org.commonmark.node.Link;
import org.commonmark.node.Node;
import org.commonmark.node.Text;
import org.commonmark.parser.Parser;

/// The links and images of all Markdown files below one directory, held against the files and
/// headings that are there. Nothing is asked of the network. One owner.
final class MarkdownLinks {
  /// What the build makes is nobody's documentation.
  private static final Set<String> BUILT = Set.of("target", "node_modules");

  private static final Pattern HTML_LINK = Pattern.compile("(?i)\\b(?:href|src)\\s*=");
  private static final Parser PARSER =
      Parser.builder().extensions(List.of(TablesExtension.create())).build();

  private final Path root;
  private final Map<Path, Page> pages = new HashMap<>();
  private final List<String> problems = new ArrayList<>();

  /// @param anchors of all headings, those that are there a second time with a number behind
  /// @param ambiguous anchors of headings that are there more than once
  /// @param targets of links and images
  private record Page(Set<String> anchors, Set<String> ambiguous, List<String> targets) {}

  private MarkdownLinks(Path root) {
    this.root = root;
  }

  /// What is wrong, a line each: `docs/a.md: link b.md#c: no such heading`.
  static List<String> problems(Path root) throws IOException {
    var links = new MarkdownLinks(root.toAbsolutePath().normalize());
    for (Path file : files(links.root)) {
      for (String target : links.page(file).targets()) {
        links.check(file, target);
      }
    }
    return List.copyOf(links.problems);
  }

  /// All Markdown files below the directory, without hidden directories and what the build made.
  static Set<Path> files(Path root) throws IOException {
    var files = new TreeSet<Path>();
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes) {
            String name = String.valueOf(directory.getFileName());
            boolean skipped = BUILT.contains(name) || name.startsWith(".");
            return skipped && !directory.equals(root)
                ? FileVisitResult.SKIP_SUBTREE
                : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            if (file.toString().endsWith(".md")) {
              files.add(file);
            }
            return FileVisitResult.CONTINUE;
          }
        });
    return files;
  }

  private void check(Path file, String target) {
    URI uri;
    try {
      uri = new URI(target);
    } catch (URISyntaxException e) {
      refuse(file, target, "no URI: " + e.getReason());
      return;
    }
    if (uri.getScheme() != null) {
      if (!Set.of("http", "https").contains(uri.getScheme())) {
        refuse(file, target, "neither http nor https");
      } else if (uri.getHost() == null) {
        refuse(file, target, "no host");
      }
    } else if (uri.getPath().startsWith("/") || uri.getAuthority() != null) {
      refuse(file, target, "not relative");
    } else {
      checkRelative(file, target, uri);
    }
  }

  private void checkRelative(Path file, String target, URI uri) {
    Path to = uri.getPath().isEmpty() ? file : file.resolveSibling(uri.getPath()).normalize();
    String anchor = uri.getFragment();
    if (!to.startsWith(root)) {
      refuse(file, target, "outside of the repository");
    } else if (!Files.exists(to)) {
      refuse(file, target, "no such file");
    } else if (anchor != null && !to.toString().endsWith(".md")) {
      refuse(file, target, "a heading of what is no Markdown");
    } else if (anchor != null && !page(to).anchors().contains(anchor)) {
      refuse(file, target, "no such heading");
    } else if (anchor != null && page(to).ambiguous().contains(anchor)) {
      refuse(file, target, "a heading that is there more than once");
    }
  }

  private void refuse(Path file, String target, String why) {
    problems.add(root.relativize(file) + ": link " + target + ": " + why);
  }

  private Page page(Path file) {
    return pages.computeIfAbsent(file, this::read);
  }

  private Page read(Path file) {
    var anchors = new TreeSet<String>();
    var once = new TreeSet<String>();
    var ambiguous = new TreeSet<String>();
    var targets = new ArrayList<String>();
    IdGenerator ids = IdGenerator.builder().build();
    parse(file)
        .accept(
            new AbstractVisitor() {
              @Override
              public void visit(Heading heading) {
                String text = text(heading);
                anchors.add(ids.generateId(text));
                String plain = IdGenerator.builder().build().generateId(text);
                if (!once.add(plain)) {
                  ambiguous.add(plain);
                }
                visitChildren(heading);
              }

              @Override
              public void visit(Link link) {
                targets.add(link.getDestination());
                visitChildren(link);
              }

              @Override
              public void visit(Image image) {
                targets.add(image.getDestination());
                visitChildren(image);
              }

              @Override
              public void visit(HtmlInline html) {
                refuseLinks(html.getLiteral());
              }

              @Override
              public void visit(HtmlBlock html) {
                refuseLinks(html.getLiteral());
              }

              private void refuseLinks(String html) {
                if (HTML_LINK.matcher(html).find()) {
                  refuse(file, html.strip(), "written as HTML");
                }
              }
            });
    return new Page(anchors, ambiguous, targets);
  }

  private static Node parse(Path file) {
    try {
      return PARSER.parse(Files.readString(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String text(Node heading) {
    var text = new StringBuilder();
    heading.accept(
        new AbstractVisitor() {
          @Override
          public void visit(Text part) {
            text.append(part.getLiteral());
          }

          @Override
          public void visit(Code part) {
            text.append(part.getLiteral());
          }
        });
    return text.toString();
  }
}
