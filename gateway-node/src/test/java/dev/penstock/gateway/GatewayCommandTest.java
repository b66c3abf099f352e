package dev.penstock.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.cli.Cli;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.ToIntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GatewayCommandTest {
  @TempDir Path directory;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int execute(ToIntFunction<GatewaySettings> run, String... args) {
    return Cli.commandLine(new GatewayCommand(Map.of(), run))
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err))
        .execute(args);
  }

  private String file(String yaml) throws IOException {
    return Files.writeString(directory.resolve("gateway.yaml"), yaml).toString();
  }

  private String good() throws IOException {
    return file("gateway: {auth: {tokens: [{token: s3cret, cluster: lab}]}}");
  }

  @Test
  void theSettingsReachTheGatewayAndItsCodeComesBack() throws IOException {
    assertThat(execute(s -> s.tokens().size() + 6, "gateway", "--config", good())).isEqualTo(7);
  }

  @Test
  void aBadFileEndsWithTwoAndOneLineForEachProblem() throws IOException {
    String file = file("gateway: {listen: x}");
    assertThat(execute(_ -> 0, "gateway", "--config", file)).isEqualTo(2);
    assertThat(err.toString().lines())
        .hasSize(3)
        .startsWith("penstock gateway: 2 problems in the configuration");
  }

  @Test
  void whatFailsLaterEndsWithOne() throws IOException {
    ToIntFunction<GatewaySettings> failing =
        _ -> {
          throw new UncheckedIOException("disk full", new IOException());
        };
    assertThat(execute(failing, "gateway", "--config", good())).isEqualTo(1);
    assertThat(err).hasToString("penstock gateway: disk full" + System.lineSeparator());
  }

  @Test
  void aDefectEndsWithOneAndItsTrace() throws IOException {
    ToIntFunction<GatewaySettings> failing =
        _ -> {
          throw new IllegalStateException("impossible");
        };
    assertThat(execute(failing, "gateway", "--config", good())).isEqualTo(1);
    assertThat(err.toString()).contains("stopped by a defect", "impossible", "\tat ");
  }

  @Test
  void wrongArgumentsEndWithTwoAndWhereToLook() {
    assertThat(execute(_ -> 0, "gateway")).isEqualTo(2);
    assertThat(execute(_ -> 0, "gateway", "--confg", "x")).isEqualTo(2);
    assertThat(execute(_ -> 0)).isEqualTo(2);
    assertThat(err.toString())
        .contains(
            "penstock gateway: Missing required option: '--config=FILE'",
            "Try 'penstock gateway --help'.",
            "penstock: a command is missing");
  }

  @Test
  void helpShowsAFileToStartFrom() {
    assertThat(execute(_ -> 1, "gateway", "--help")).isZero();
    assertThat(out.toString()).contains("--config=FILE", "ports: 10000-35000", "Exit codes");
  }
}
