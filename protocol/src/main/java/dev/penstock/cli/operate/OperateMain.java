package dev.penstock.cli.operate;

import dev.penstock.cli.Cli;
import java.util.List;
import java.util.Map;

/// The commands that look at a running node and act on it.
public final class OperateMain {
  private OperateMain() {}

  /// Runs one of them.
  ///
  /// @param args the command's name, then its options
  public static void main(String[] args) {
    System.exit(Cli.execute(args, commands(System.getenv()).toArray()));
  }

  /// All of them, as picocli takes them.
  ///
  /// @param environment the process's variables
  public static List<Object> commands(Map<String, String> environment) {
    return List.of(
        new StatusCommand(environment),
        new NodesCommand(environment),
        new AgentsCommand(environment),
        new LinksCommand(environment),
        new TunnelsCommand(environment),
        new StreamsCommand(environment),
        new SessionsCommand(environment),
        new LeasesCommand(environment),
        new TopCommand(environment),
        new EventsCommand(environment),
        new CloseCommand(environment),
        new BanCommand(environment));
  }
}
