package dev.penstock.cli;

import dev.penstock.config.ConfigReader;
import dev.penstock.config.Origins;
import dev.penstock.config.Reference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `penstock config`: reads a file as a start would, binds nothing, and tells what would be in
/// force. A file with problems ends as a start with it would end.
@Command(
    name = "config",
    description = "Checks a file of settings, prints what is in force and why, or all there is.",
    synopsisSubcommandLabel = "(check | print | reference)",
    footer = {
      "",
      "Examples:",
      "  penstock config check gateway.yaml",
      "  PENSTOCK_TUNNELS_TCP_IDLE_TIMEOUT=10m penstock config print agent.yaml",
      "  penstock config reference gateway",
      "",
      "Variables count as they would at a start. Exit codes: 0 the file can be used,",
      "2 it cannot, 1 anything else."
    })
public final class ConfigCommand {
  private final Map<String, String> environment;
  private final List<Role> roles;

  @Spec private CommandSpec spec = CommandSpec.create();

  /// A kind of file.
  ///
  /// @param name of the program that it is for
  /// @param sections keys that only such a file has at its top
  /// @param reader reads it
  /// @param reference makes the table of its keys, in Markdown
  public record Role(
      String name, Set<String> sections, Reader reader, Supplier<String> reference) {}

  /// Reads a file as a start would.
  public interface Reader {
    /// What would be in force.
    ///
    /// @throws dev.penstock.config.ConfigException with all problems
    InForce read(Path file, Map<String, String> environment);
  }

  /// What came of reading.
  ///
  /// @param summary lines with what matters most
  public record InForce(Origins origins, List<String> summary) {}

  /// @param environment the process's variables
  /// @param roles in the order in which they are told
  public ConfigCommand(Map<String, String> environment, List<Role> roles) {
    this.environment = Map.copyOf(environment);
    this.roles = List.copyOf(roles);
  }

  @Command(name = "check", description = "Says OK with the facts that matter, or every problem.")
  int check(
      @Parameters(paramLabel = "FILE", description = "The settings, as YAML.") Path file,
      @Option(names = "--role", paramLabel = "ROLE", description = ROLE_HELP)
          @Nullable String role) {
    Role of = role(file, role);
    InForce inForce = of.reader().read(file, environment);
    var out = spec.commandLine().getOut();
    out.println(file + ": OK, the settings of one " + of.name());
    inForce.summary().forEach(line -> out.println("  " + line));
    out.flush();
    return Cli.CLEAN;
  }

  @Command(
      name = "print",
      description = "Prints every setting in force as YAML, with where it comes from.")
  int print(
      @Parameters(paramLabel = "FILE", description = "The settings, as YAML.") Path file,
      @Option(names = "--role", paramLabel = "ROLE", description = ROLE_HELP)
          @Nullable String role) {
    InForce inForce = role(file, role).reader().read(file, environment);
    var out = spec.commandLine().getOut();
    out.print(inForce.origins().toYaml());
    out.flush();
    return Cli.CLEAN;
  }

  @Command(
      name = "reference",
      description = "Prints every key with its default, values and meaning, as Markdown.")
  int reference(
      @Parameters(paramLabel = "ROLE", description = "gateway or agent.") String name,
      @Option(
              names = "--into",
              paramLabel = "PAGE",
              description = "Writes the table into this page, between the comments that name it.")
          @Nullable Path page)
      throws IOException {
    String table = named(name, "ROLE").reference().get();
    if (page == null) {
      var out = spec.commandLine().getOut();
      out.print(table);
      out.flush();
      return Cli.CLEAN;
    }
    try {
      Files.writeString(page, Reference.intoPage(Files.readString(page), name, table));
    } catch (IllegalArgumentException e) {
      throw refuse(page + ": " + e.getMessage());
    }
    return Cli.CLEAN;
  }

  private static final String ROLE_HELP =
      "gateway or agent; needed only when the file's keys do not tell.";

  private Role role(Path file, @Nullable String wanted) {
    if (wanted != null) {
      return named(wanted, "--role");
    }
    Set<String> keys = ConfigReader.keysAtTheTop(file);
    List<Role> fitting =
        roles.stream().filter(role -> role.sections().stream().anyMatch(keys::contains)).toList();
    if (fitting.size() != 1) {
      throw refuse(
          file + ": its keys do not tell what it is for; give --role with one of " + names());
    }
    return fitting.getFirst();
  }

  private Role named(String wanted, String where) {
    return roles.stream()
        .filter(role -> role.name().equals(wanted))
        .findFirst()
        .orElseThrow(() -> refuse(where + ": " + wanted + " (expected: " + names() + ")"));
  }

  private String names() {
    return roles.stream().map(Role::name).collect(Collectors.joining(" or "));
  }

  private ParameterException refuse(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
