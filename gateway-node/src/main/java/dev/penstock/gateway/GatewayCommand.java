package dev.penstock.gateway;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.ToIntFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `penstock gateway`: reads the settings and runs a gateway with them.
@Command(
    name = "gateway",
    description = "Gives agents' services public ports.",
    sortOptions = false,
    footer = {
      "",
      "Example of a gateway.yaml, with the defaults of everything but the token:",
      "  gateway:",
      "    listen: 127.0.0.1:8080",
      "    data_dir: ./penstock-data",
      "    public:",
      "      host: 127.0.0.1",
      "      bind: 127.0.0.1",
      "      ports: 10000-35000",
      "    auth:",
      "      tokens:",
      "        - token_file: /etc/penstock/lab.token",
      "          cluster: lab",
      "  management:",
      "    listen: 127.0.0.1:9090",
      "",
      "Every key has an environment variable, such as PENSTOCK_GATEWAY_PUBLIC_HOST for",
      "gateway.public.host, which wins over the file.",
      "",
      "Exit codes: 0 ended as asked, 2 bad configuration, 1 anything else."
    })
public final class GatewayCommand implements Callable<Integer> {
  private final Map<String, String> environment;
  private final ToIntFunction<GatewaySettings> run;

  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "The settings, as YAML.")
  private Path config = Path.of("gateway.yaml");

  /// @param environment the process's variables
  /// @param run runs a gateway until it is to end and returns the exit code
  public GatewayCommand(Map<String, String> environment, ToIntFunction<GatewaySettings> run) {
    this.environment = Map.copyOf(environment);
    this.run = run;
  }

  @Override
  public Integer call() {
    return run.applyAsInt(GatewaySettings.load(config, environment));
  }
}
