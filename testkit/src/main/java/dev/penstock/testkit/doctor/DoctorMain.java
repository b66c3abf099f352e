package dev.penstock.testkit.doctor;

import dev.penstock.agent.doctor.AgentDoctor;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.cli.Cli;
import dev.penstock.cli.doctor.DoctorCommand;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.gateway.doctor.GatewayDoctor;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// `penstock doctor`.
public final class DoctorMain {
  private DoctorMain() {}

  public static void main(String[] args) {
    System.exit(Cli.execute("doctor", args, command(System.getenv())));
  }

  /// The command for the files of gateways and agents.
  ///
  /// @param environment the process's variables
  public static DoctorCommand command(Map<String, String> environment) {
    return new DoctorCommand(
        environment,
        InstantSource.system(),
        List.of(
            new DoctorCommand.Role(
                "gateway",
                Set.of("gateway"),
                (file, variables, examination) ->
                    GatewayDoctor.examine(GatewaySettings.load(file, variables), examination)),
            new DoctorCommand.Role(
                "agent",
                Set.of("pipeops", "agent", "tunnels"),
                (file, variables, examination) ->
                    AgentDoctor.examine(AgentSettings.load(file, variables), examination))));
  }
}
