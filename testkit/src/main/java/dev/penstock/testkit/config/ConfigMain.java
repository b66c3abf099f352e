package dev.penstock.testkit.config;

import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.cli.Cli;
import dev.penstock.cli.ConfigCommand;
import dev.penstock.cli.ConfigCommand.InForce;
import dev.penstock.cli.ConfigCommand.Role;
import dev.penstock.gateway.GatewaySettings;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// `penstock config`.
public final class ConfigMain {
  private ConfigMain() {}

  public static void main(String[] args) {
    System.exit(Cli.execute("config", args, command(System.getenv())));
  }

  /// The command for the files of gateways and agents.
  ///
  /// @param environment the process's variables
  public static ConfigCommand command(Map<String, String> environment) {
    return new ConfigCommand(
        environment,
        List.of(
            new Role(
                "gateway",
                Set.of("gateway"),
                (file, variables) -> {
                  var settings = GatewaySettings.load(file, variables);
                  return new InForce(settings.origins(), settings.summary());
                },
                GatewaySettings::reference),
            new Role(
                "agent",
                Set.of("pipeops", "agent", "tunnels"),
                (file, variables) -> {
                  var settings = AgentSettings.load(file, variables);
                  return new InForce(settings.origins(), settings.summary());
                },
                AgentSettings::reference)));
  }
}
