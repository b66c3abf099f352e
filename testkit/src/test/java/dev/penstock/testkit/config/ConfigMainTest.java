package dev.penstock.testkit.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.cli.Cli;
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

class ConfigMainTest {
  private static final String AGENT =
      """
      pipeops: {api_url: "http://g:8080", token: s3cret}
      tunnels:
        tcp: {max_connections: 7}
        services: [{name: db, port: 5432, target: "h:5432"}]
      """;

  @TempDir Path directory;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int config(Map<String, String> environment, String... args) {
    var all = new ArrayList<>(List.of("config"));
    all.addAll(List.of(args));
    return Cli.commandLine(ConfigMain.command(environment))
        .setOut(new PrintWriter(out))
        .setErr(new PrintWriter(err, true))
        .execute(all.toArray(String[]::new));
  }

  private String file(String yaml) throws IOException {
    return Files.writeString(directory.resolve("x.yaml"), yaml).toString();
  }

  @Test
  void anAgentsFileIsToldByItsKeys() throws IOException {
    String file = file(AGENT);
    assertThat(config(Map.of(), "check", file)).isZero();
    assertThat(out.toString().lines())
        .startsWith(file + ": OK, the settings of one agent")
        .contains("  db: port 5432 -> h:5432, tunnel, at most 7 connections");
  }

  @Test
  void everySettingIsPrintedWithItsOriginAndNoSecret() throws IOException {
    var environment = Map.of("PIPEOPS_CLUSTER_NAME", "lab", "TUNNELS_UDP_MAX_SESSIONS", "9");
    assertThat(config(environment, "print", file(AGENT))).isZero();
    assertThat(out.toString().lines().map(line -> line.strip().replaceAll(" +", " ")))
        .contains(
            "api_url: [http://g:8080] # x.yaml:1",
            "token: \"***\" # x.yaml:1",
            "cluster_name: lab # PIPEOPS_CLUSTER_NAME",
            "max_connections: 7 # x.yaml:3",
            "max_connections: 7 # as tunnels.tcp.max_connections",
            "max_sessions: 9 # TUNNELS_UDP_MAX_SESSIONS",
            "idle_timeout: 5m # default",
            "# buffer_size: not set");
    assertThat(out.toString()).doesNotContain("s3cret");
  }

  @Test
  void whatIsPrintedCanBeUsedAgain() throws IOException {
    config(Map.of(), "print", file(AGENT));
    String printed = out.toString();
    out.getBuffer().setLength(0);
    assertThat(config(Map.of(), "print", file(printed))).as(err::toString).isZero();
    assertThat(withoutComments(out.toString())).isEqualTo(withoutComments(printed));
  }

  private static List<String> withoutComments(String yaml) {
    return yaml.lines().map(line -> line.replaceAll(" *# .*", "")).toList();
  }

  @Test
  void aFileThatDoesNotTellItsRoleNeedsIt() throws IOException {
    for (String yaml : List.of("management: {listen: \"h:1\"}\n", AGENT + "gateway: {}\n")) {
      err.getBuffer().setLength(0);
      assertThat(config(Map.of(), "check", file(yaml))).isEqualTo(2);
      assertThat(err.toString())
          .contains(
              "its keys do not tell what it is for; give --role with one of gateway or agent");
    }
    var environment = Map.of("PIPEOPS_API_URL", "http://g", "PIPEOPS_TOKEN", "s3cret");
    assertThat(config(environment, "check", "--role", "agent", file("management: {}\n"))).isZero();
    assertThat(config(environment, "check", "--role", "relay", file("management: {}\n")))
        .isEqualTo(2);
    assertThat(err.toString()).contains("--role: relay (expected: gateway or agent)");
  }

  @Test
  void aFileThatIsNotThereIsAProblemLikeOthers() {
    assertThat(config(Map.of(), "check", directory.resolve("none.yaml").toString())).isEqualTo(2);
    assertThat(err.toString())
        .startsWith("penstock config check: 1 problem in the configuration")
        .contains("none.yaml: found a file which does not exist");
  }

  @Test
  void withoutWhatToDoTheChoicesAreTold() {
    assertThat(config(Map.of())).isEqualTo(2);
    assertThat(err.toString()).contains("Try 'penstock config --help'.");
    assertThat(config(Map.of(), "check", "--help")).isZero();
    assertThat(out.toString()).contains("--role");
  }

  @Test
  void theReferenceIsPrintedOrWrittenIntoAPage() throws IOException {
    assertThat(config(Map.of(), "reference", "agent")).isZero();
    assertThat(out.toString())
        .contains("\n| `agent.links.count` | `2` | 1 to 16 | ")
        .doesNotContain("gateway.listen");
    String begin = "<!-- begin of: penstock config reference agent -->\n";
    String end = "<!-- end of: penstock config reference agent -->\n";
    String page = file(begin + end);
    assertThat(config(Map.of(), "reference", "agent", "--into", page)).isZero();
    assertThat(Path.of(page)).hasContent(begin + "\n" + out + "\n" + end);
  }

  @Test
  void aReferenceOfNothingAndAPageWithoutAPlaceAreRefused() throws IOException {
    assertThat(config(Map.of(), "reference", "proxy")).isEqualTo(2);
    assertThat(err.toString()).contains("ROLE: proxy (expected: gateway or agent)");
    String page = file("# Page\n");
    assertThat(config(Map.of(), "reference", "agent", "--into", page)).isEqualTo(2);
    assertThat(err.toString()).contains(page + ": the page: found no place for the table");
    assertThat(Path.of(page)).hasContent("# Page\n");
  }
}
