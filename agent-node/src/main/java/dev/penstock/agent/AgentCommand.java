package dev.penstock.agent;

import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.Expose;
import dev.penstock.config.ConfigException;
import dev.penstock.config.Outside;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `penstock agent`: reads the settings, from a file or from options, and runs an agent with them.
@Command(
    name = "agent",
    description = "Exposes services of this network through a gateway.",
    sortOptions = false,
    footer = {
      "",
      "Examples:",
      "  penstock agent --config agent.yaml",
      "  penstock agent --gateway http://127.0.0.1:8080 --token s3cret \\",
      "      --expose redis=127.0.0.1:6379 --expose web=127.0.0.1:8000@18000 \\",
      "      --expose dns=udp://127.0.0.1:53",
      "",
      "PIPEOPS_API_URL, PIPEOPS_TOKEN, PIPEOPS_CLUSTER_NAME, PIPEOPS_AGENT_ID and, for",
      "any key, variables such as PENSTOCK_TUNNELS_TCP_IDLE_TIMEOUT override the file;",
      "options override all of them. Prefer --token-file or PIPEOPS_TOKEN to --token, which",
      "every user of the machine can see.",
      "",
      "Exit codes: 0 ended as asked, 2 bad configuration, 1 anything else."
    })
public final class AgentCommand implements Callable<Integer> {
  private final Map<String, String> environment;
  private final ToIntFunction<AgentSettings> run;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(names = "--config", paramLabel = "FILE", description = "The settings, as YAML.")
  private @Nullable Path config;

  @Option(
      names = "--gateway",
      paramLabel = "URL",
      description = "The gateway's http or https URL, instead of a file.")
  private @Nullable String gateway;

  @Option(names = "--token", paramLabel = "TOKEN", description = "The bearer token.")
  private @Nullable String token;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = "The file that holds the bearer token.")
  private @Nullable Path tokenFile;

  @Option(
      names = "--expose",
      paramLabel = "NAME=[udp://]HOST:PORT[@PUBLIC-PORT]",
      description = "A service to expose; may be given many times. Goes with --gateway.")
  private List<String> expose = new ArrayList<>();

  @Option(
      names = "--cluster-name",
      paramLabel = "NAME",
      description = "The cluster that this agent belongs to.")
  private @Nullable String clusterName;

  @Option(
      names = "--management",
      paramLabel = "HOST:PORT",
      description = "Where health and metrics are served; 127.0.0.1:9091 unless told otherwise.")
  private @Nullable String management;

  /// @param environment the process's variables
  /// @param run runs an agent until it is to end and returns the exit code
  public AgentCommand(Map<String, String> environment, ToIntFunction<AgentSettings> run) {
    this.environment = Map.copyOf(environment);
    this.run = run;
  }

  @Override
  public Integer call() {
    if (token != null && tokenFile != null) {
      throw refuse("--token and --token-file exclude each other; give one of them");
    }
    Path file = config;
    if (file != null) {
      if (gateway != null || !expose.isEmpty()) {
        throw refuse("--config goes without --gateway and --expose; write those into the file");
      }
      return run.applyAsInt(AgentSettings.load(file, environment, options()));
    }
    if (gateway == null && !environment.containsKey("PIPEOPS_API_URL")) {
      throw refuse("nothing says where the gateway is; give --config FILE or --gateway URL");
    }
    if (token == null && tokenFile == null && !environment.containsKey("PIPEOPS_TOKEN")) {
      throw refuse("no token; give --token-file FILE or --token TOKEN, or set PIPEOPS_TOKEN");
    }
    if (expose.isEmpty()) {
      throw refuse("nothing to expose; give --expose NAME=HOST:PORT");
    }
    return run.applyAsInt(AgentSettings.of(environment, options(), exposes()));
  }

  private List<Outside> options() {
    var options = new ArrayList<Outside>();
    add(options, "pipeops.api_url", "--gateway", gateway);
    add(options, "pipeops.token", "--token", token);
    // Relative to where the command was typed, not to the file of settings.
    add(
        options,
        "pipeops.token_file",
        "--token-file",
        tokenFile == null ? null : tokenFile.toAbsolutePath().toString());
    add(options, "pipeops.cluster_name", "--cluster-name", clusterName);
    add(options, "management.listen", "--management", management);
    return options;
  }

  private static void add(List<Outside> options, String key, String source, @Nullable String text) {
    if (text != null) {
      options.add(new Outside(key, source, text));
    }
  }

  private List<Expose> exposes() {
    var exposes = new ArrayList<Expose>();
    var problems = new ArrayList<String>();
    for (String text : expose) {
      try {
        exposes.add(Expose.parse(text));
      } catch (ConfigException e) {
        problems.addAll(e.problems());
      }
    }
    if (!problems.isEmpty()) {
      throw new ConfigException(problems);
    }
    return exposes;
  }

  private ParameterException refuse(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
