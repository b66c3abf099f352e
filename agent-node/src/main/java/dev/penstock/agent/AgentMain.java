package dev.penstock.agent;

import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.cli.Cli;
import dev.penstock.node.RunningNode;

/// `penstock agent`.
public final class AgentMain {
  private AgentMain() {}

  public static void main(String[] args) {
    System.exit(Cli.execute("agent", args, new AgentCommand(System.getenv(), AgentMain::run)));
  }

  private static int run(AgentSettings settings) {
    RunningNode.untilDrained(
        Agent.start(settings, new Agent.Announcements(System.out::println, AgentMain::refused)));
    return Cli.CLEAN;
  }

  private static void refused(String why) {
    System.err.println(
        "penstock agent: the gateway refused this agent: "
            + why
            + "; check pipeops.token against gateway.auth.tokens of the gateway");
    Runtime.getRuntime().halt(Cli.FAILURE);
  }
}
