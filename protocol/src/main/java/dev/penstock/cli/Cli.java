package dev.penstock.cli;

import dev.penstock.config.ConfigException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The command line `penstock`, put together from the commands that a process has: how arguments
/// become an exit code and problems become lines on the standard error.
public final class Cli {
  /// Ended as asked.
  public static final int CLEAN = 0;

  /// Ended by anything but the configuration.
  public static final int FAILURE = 1;

  /// Arguments or configuration cannot be used.
  public static final int BAD_CONFIGURATION = 2;

  private Cli() {}

  @Command(
      name = "penstock",
      description = "A self-hosted tunnel: public ports for services behind NAT.",
      synopsisSubcommandLabel = "COMMAND")
  private static final class Penstock implements Runnable {
    @Spec CommandSpec spec = CommandSpec.create();

    @Override
    public void run() {
      throw new ParameterException(spec.commandLine(), "a command is missing");
    }
  }

  /// Runs the command that the arguments name.
  ///
  /// @param commands objects with picocli's [Command] annotation
  /// @return the exit code
  public static int execute(String[] args, Object... commands) {
    List<String> problems = LogVariables.problems(System.getenv());
    if (!problems.isEmpty()) {
      report(new ConfigException(problems), commandLine(commands));
      return BAD_CONFIGURATION;
    }
    return commandLine(commands).execute(args);
  }

  /// Runs `command`, whose name the launcher has taken off the arguments.
  public static int execute(String command, String[] args, Object commandObject) {
    return execute(
        Stream.concat(Stream.of(command), Stream.of(args)).toArray(String[]::new), commandObject);
  }

  /// As [#execute], for who wants the output elsewhere.
  public static CommandLine commandLine(Object... commands) {
    var penstock = new CommandLine(new Penstock());
    for (Object command : commands) {
      penstock.addSubcommand(command);
    }
    addHelp(penstock);
    return penstock
        .setExitCodeExceptionMapper(Cli::exitCode)
        .setParameterExceptionHandler((e, _) -> usage(e))
        .setExecutionExceptionHandler((e, line, _) -> report(e, line));
  }

  /// The exit code that an exception stands for.
  public static int exitCode(Throwable problem) {
    return problem instanceof ConfigException || problem instanceof ParameterException
        ? BAD_CONFIGURATION
        : FAILURE;
  }

  private static void addHelp(CommandLine line) {
    line.getCommandSpec()
        .addOption(
            OptionSpec.builder("-h", "--help").usageHelp(true).description("Shows this.").build());
    line.getSubcommands().values().forEach(Cli::addHelp);
  }

  private static int usage(ParameterException e) {
    CommandLine line = e.getCommandLine();
    String name = line.getCommandSpec().qualifiedName();
    PrintWriter err = line.getErr();
    err.println(name + ": " + e.getMessage());
    err.println("Try '" + name + " --help'.");
    return BAD_CONFIGURATION;
  }

  private static int report(Exception e, CommandLine line) {
    String name = line.getCommandSpec().qualifiedName();
    PrintWriter err = line.getErr();
    switch (e) {
      case ConfigException bad -> {
        int count = bad.problems().size();
        err.println(
            name
                + ": "
                + count
                + (count == 1 ? " problem" : " problems")
                + " in the configuration");
        bad.problems().forEach(problem -> err.println("  " + problem));
      }
      case IOException _, UncheckedIOException _ -> err.println(name + ": " + e.getMessage());
      default -> {
        err.println(name + ": stopped by a defect");
        e.printStackTrace(err);
      }
    }
    err.flush();
    return exitCode(e);
  }
}
