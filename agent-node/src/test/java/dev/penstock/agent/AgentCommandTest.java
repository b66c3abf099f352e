package dev.penstock.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.ServiceSettings;
import dev.penstock.cli.Cli;
import dev.penstock.config.HostPort;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AgentCommandTest {
  @TempDir Path directory;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private final List<AgentSettings> started = new ArrayList<>();

  private int execute(Map<String, String> environment, String... args) {
    var command =
        new AgentCommand(
            environment,
            settings -> {
              started.add(settings);
              return 0;
            });
    return Cli.commandLine(command)
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(args);
  }

  private int agent(String args) {
    return execute(Map.of(), ("agent " + args).split(" "));
  }

  @Test
  void theOneLineFormStartsAnAgent() {
    assertThat(
            agent(
                "--gateway http://127.0.0.1:8080 --token s3cret --expose redis=127.0.0.1:6379"
                    + " --expose web=127.0.0.1:8000@18000 --cluster-name lab --management [::1]:0"))
        .isZero();
    var settings = started.getFirst();
    assertThat(settings.services())
        .extracting(ServiceSettings::name)
        .containsExactly("redis", "web");
    assertThat(settings.clusterName()).isEqualTo("lab");
    assertThat(settings.management().listen()).isEqualTo(new HostPort("::1", 0));
  }

  @Test
  void aFileStartsAnAgentAndOptionsOverrideIt() throws IOException {
    Path file = directory.resolve("agent.yaml");
    Files.writeString(file, "pipeops: {api_url: \"http://g\", token: a}\n");
    assertThat(agent("--config " + file + " --token b --cluster-name lab")).isZero();
    assertThat(started.getFirst().token().reveal()).isEqualTo("b");
    assertThat(started.getFirst().clusterName()).isEqualTo("lab");
  }

  @Test
  void theTokenMayComeFromTheEnvironment() {
    assertThat(
            execute(
                Map.of("PIPEOPS_TOKEN", "s3cret", "PIPEOPS_API_URL", "http://g"),
                "agent",
                "--expose",
                "a=h:1"))
        .isZero();
    assertThat(started).hasSize(1);
  }

  @Test
  void whatDoesNotGoTogetherEndsWithTwoAndTheNextStep() {
    var cases =
        Map.of(
            "--expose a=h:1",
                "nothing says where the gateway is; give --config FILE or --gateway URL",
            "--gateway http://g --expose a=h:1",
                "no token; give --token-file FILE or --token TOKEN",
            "--gateway http://g --token a", "nothing to expose; give --expose NAME=HOST:PORT",
            "--config f --gateway http://g", "--config goes without --gateway and --expose",
            "--gateway http://g --token a --token-file b", "exclude each other",
            "--nonsense", "Unknown option: '--nonsense'");
    cases.forEach((args, message) -> {
      err.getBuffer().setLength(0);
      assertThat(agent(args)).as(args).isEqualTo(2);
      assertThat(err.toString())
          .startsWith("penstock agent: ")
          .contains(message, "Try 'penstock agent --help'.");
    });
    assertThat(started).isEmpty();
  }

  @Test
  void everyBadExposeIsTold() {
    assertThat(agent("--gateway http://g --token a --expose x --expose y=1")).isEqualTo(2);
    assertThat(err.toString().lines())
        .hasSize(3)
        .startsWith("penstock agent: 2 problems in the configuration");
  }

  @Test
  void helpShowsBothForms() {
    assertThat(agent("--help")).isZero();
    assertThat(out.toString())
        .contains(
            "penstock agent --config agent.yaml", "--expose redis=127.0.0.1:6379", "Exit codes");
  }
}
