package dev.penstock.testkit.completion;

import dev.penstock.agent.AgentCommand;
import dev.penstock.cli.Cli;
import dev.penstock.cli.operate.OperateMain;
import dev.penstock.gateway.GatewayCommand;
import dev.penstock.gateway.drain.DrainCommand;
import dev.penstock.testkit.config.ConfigMain;
import dev.penstock.testkit.doctor.DoctorMain;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `penstock completion`.
public final class CompletionMain {
  /// Commands of the launcher, or whose options nobody types twice.
  private static final List<String> PLAIN =
      List.of("demo", "cluster", "bench", "swarm", "test", "build", "aot", "version", "help");

  private CompletionMain() {}

  public static void main(String[] args) {
    System.exit(Cli.execute("completion", args, new CompletionCommand()));
  }

  /// The script for both shells: zsh reads those of bash.
  static String script() {
    CommandLine penstock = Cli.commandLine(commands().toArray());
    for (String name : PLAIN) {
      penstock.addSubcommand(name, new CommandLine(CommandSpec.create().name(name)));
    }
    return AutoComplete.bash("penstock", penstock);
  }

  private static List<Object> commands() {
    var commands = new ArrayList<Object>(OperateMain.commands(Map.of()));
    commands.add(new DrainCommand(Map.of()));
    commands.add(DoctorMain.command(Map.of()));
    commands.add(ConfigMain.command(Map.of()));
    commands.add(new GatewayCommand(Map.of(), _ -> Cli.CLEAN));
    commands.add(new AgentCommand(Map.of(), _ -> Cli.CLEAN));
    commands.add(new CompletionCommand());
    return commands;
  }

  @Command(
      name = "completion",
      description = "Prints what makes a shell complete commands and options.",
      footer = {
        "",
        "Examples:",
        "  source <(penstock completion bash)",
        "  source <(penstock completion zsh)",
        "  penstock completion bash > /etc/bash_completion.d/penstock"
      })
  private static final class CompletionCommand implements Callable<Integer> {
    @Spec private CommandSpec spec = CommandSpec.create();

    @Parameters(paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}.")
    private Shell shell = Shell.BASH;

    private enum Shell {
      BASH,
      ZSH;

      @Override
      public String toString() {
        return name().toLowerCase(Locale.ROOT);
      }
    }

    @Override
    public Integer call() {
      var out = spec.commandLine().getOut();
      out.print(script());
      if (shell == Shell.ZSH) {
        out.println("# zsh: read by bashcompinit, which the first lines start");
      }
      out.flush();
      return Cli.CLEAN;
    }
  }
}
