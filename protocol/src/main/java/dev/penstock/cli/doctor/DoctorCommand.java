package dev.penstock.cli.doctor;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.cli.Cli;
import dev.penstock.config.ConfigException;
import dev.penstock.config.ConfigReader;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `penstock doctor`: looks at everything between an agent and the clients of its services, from
/// the side whose file it is given.
@Command(
    name = "doctor",
    description = "Checks the whole way step by step and says what is wrong and what to do.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock doctor --config agent.yaml",
      "  penstock doctor --config gateway.yaml --output json",
      "",
      "The node may run meanwhile: nothing that it carries is touched. Run it where the node runs,",
      "as the same user and with the same variables.",
      "",
      "Exit codes: 0 nothing is at fault, 2 bad options, 1 anything else."
    })
public final class DoctorCommand implements Callable<Integer> {
  private static final int LONGEST = 60;

  private final Map<String, String> environment;
  private final InstantSource clock;
  private final List<Role> roles;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "The settings of the agent or gateway.")
  private Path config = Path.of("agent.yaml");

  @Option(
      names = "--role",
      paramLabel = "ROLE",
      description = "gateway or agent; needed only when the file's keys do not tell.")
  private @Nullable String role;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      description = "For each step, 1 to 60; 5 by default.")
  private int timeout = 5;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FORM",
      defaultValue = "text",
      description = "text, for people, or json, for scripts; text by default.")
  private Form form = Form.TEXT;

  private enum Form {
    TEXT,
    JSON;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /// A kind of file.
  ///
  /// @param name of the program that it is for
  /// @param sections keys that only such a file has at its top
  /// @param examiner examines with it
  public record Role(String name, Set<String> sections, Examiner examiner) {}

  /// Reads a file and looks at everything that it names.
  public interface Examiner {
    /// Tells findings as it goes.
    ///
    /// @throws ConfigException with all problems of the file
    /// @throws IOException files that it names cannot be used
    void examine(Path file, Map<String, String> environment, Examination examination)
        throws IOException;
  }

  /// @param environment the process's variables
  /// @param clock of this machine
  /// @param roles in the order in which they are told
  public DoctorCommand(Map<String, String> environment, InstantSource clock, List<Role> roles) {
    this.environment = Map.copyOf(environment);
    this.clock = clock;
    this.roles = List.copyOf(roles);
  }

  @Override
  public Integer call() throws IOException {
    if (timeout < 1 || timeout > LONGEST) {
      throw refuse("--timeout: " + timeout + " (expected: 1 to " + LONGEST + ")");
    }
    var findings = new ArrayList<Finding>();
    var out = spec.commandLine().getOut();
    var examination =
        new Examination(
            new Probe(Duration.ofSeconds(timeout)),
            clock,
            finding -> {
              findings.add(finding);
              if (form == Form.TEXT) {
                Report.lines(finding).forEach(out::println);
                out.flush();
              }
            });
    String name = "";
    try {
      Role of = role();
      name = of.name();
      of.examiner().examine(config, environment, examination);
    } catch (ConfigException e) {
      for (String problem : e.problems()) {
        examination
            .tell()
            .accept(
                Finding.fault(
                    "config",
                    config.toString(),
                    Symptom.CONFIGURATION,
                    problem,
                    "settings that can be used",
                    "correct the file; docs/configuration.md has every key"));
      }
    }
    out.println(
        form == Form.TEXT
            ? System.lineSeparator() + Report.summary(findings)
            : new ObjectMapper()
                .writerWithDefaultPrettyPrinter()
                .writeValueAsString(Report.json(name, findings)));
    out.flush();
    return findings.stream().anyMatch(Finding::isFault) ? Cli.FAILURE : Cli.CLEAN;
  }

  private Role role() {
    if (role != null) {
      return roles.stream()
          .filter(one -> one.name().equals(role))
          .findFirst()
          .orElseThrow(() -> refuse("--role: " + role + " (expected: " + names() + ")"));
    }
    Set<String> keys = ConfigReader.keysAtTheTop(config);
    List<Role> fitting =
        roles.stream().filter(one -> one.sections().stream().anyMatch(keys::contains)).toList();
    if (fitting.size() != 1) {
      throw refuse(
          config + ": its keys do not tell what it is for; give --role with one of " + names());
    }
    return fitting.getFirst();
  }

  private String names() {
    return roles.stream().map(Role::name).collect(Collectors.joining(" or "));
  }

  private ParameterException refuse(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
