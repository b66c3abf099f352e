package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.penstock.agent.Agent;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.cli.Cli;
import dev.penstock.cli.operate.OperateMain;
import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.gateway.drain.DrainCommand;
import dev.penstock.testkit.EchoService.Behaviour;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What people and scripts see of a running gateway and agent, command by command.
@Timeout(120)
class CommandLineTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));

  private static final HttpClient HTTP = HttpClient.newHttpClient();

  @TempDir private static Path directory;

  private static EchoService echo;
  private static Gateway gateway;
  private static Agent agent;
  private static int gatewayManagement;
  private static int agentManagement;

  private record Ran(int code, String out, String err) {}

  @BeforeAll
  static void start() throws Exception {
    echo = EchoService.start(Behaviour.echo());
    gatewayManagement = Ports.free();
    agentManagement = Ports.free();
    gateway =
        Gateway.start(
            GatewaySettings.load(
                Files.writeString(
                    directory.resolve("gateway.yaml"),
                    """
                    gateway:
                      listen: 127.0.0.1:0
                      data_dir: data
                      auth:
                        tokens:
                          - {token: s3cret, cluster: one}
                          - {token: other, cluster: two}
                    management:
                      listen: 127.0.0.1:%d
                      tokens:
                        - {name: ann, token: reads}
                        - {name: bob, token: acts, role: operate}
                    """
                        .formatted(gatewayManagement))));
    var reachable = new CountDownLatch(1);
    agent =
        Agent.start(
            AgentSettings.load(
                Files.writeString(
                    directory.resolve("agent.yaml"),
                    """
                    pipeops: {api_url: "http://127.0.0.1:%d", token: s3cret}
                    agent: {id: ours}
                    management: {listen: 127.0.0.1:%d}
                    tunnels:
                      services:
                        - {name: echo, port: 5432, public_port: %d, target: %s}
                    """
                        .formatted(
                            gateway.address().getPort(),
                            agentManagement,
                            Ports.free(),
                            echo.address())),
                Map.of()),
            new Agent.Announcements(_ -> reachable.countDown(), _ -> {}));
    assertThat(reachable.await(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
  }

  @AfterAll
  static void stop() throws Exception {
    agent.close();
    gateway.close();
    echo.close();
  }

  private static Ran run(Map<String, String> environment, String... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code =
        Cli.commandLine(OperateMain.commands(environment).toArray())
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(args);
    return new Ran(code, out.toString(), err.toString());
  }

  private static Ran at(int port, String token, String... args) {
    var all = new ArrayList<>(List.of(args));
    all.addAll(List.of("--management", "http://127.0.0.1:" + port));
    return run(Map.of("PENSTOCK_MANAGEMENT_TOKEN", token), all.toArray(String[]::new));
  }

  private static Ran atGateway(String... args) {
    return at(gatewayManagement, "acts", args);
  }

  private static JsonNode json(Ran ran) throws IOException {
    assertThat(ran.code()).as(ran.err()).isZero();
    return JSON.readTree(ran.out());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "nodes",
        "agents",
        "links",
        "tunnels",
        "streams",
        "sessions",
        "leases",
        "events",
        "ban"
      })
  void everyListIsATableAndAnObject(String list) throws IOException {
    Ran table = atGateway(list);
    assertThat(table.code()).as(table.err()).isZero();
    assertThat(table.out().lines().findFirst().orElseThrow()).matches("[A-Z][A-Z /a-z]+");
    assertThat(json(atGateway(list, "--output", "json")).path("items").isArray()).isTrue();
  }

  @Test
  void aTunnelIsShownFromBothEnds() {
    assertThat(atGateway("tunnels").out()).contains("one", "tcp-one-echo", "listening");
    assertThat(at(agentManagement, "", "tunnels").out()).contains("LEADS TO", echo.address());
    assertThat(at(agentManagement, "", "links").out()).contains("GATEWAY", "yamux");
  }

  @Test
  void aListIsFilteredSortedAndCut() throws IOException {
    assertThat(json(atGateway("tunnels", "-f", "cluster=two", "-o", "json")).path("items"))
        .isEmpty();
    assertThat(json(atGateway("agents", "-q", "ours", "--sort=-since", "-o", "json")).path("items"))
        .hasSize(1);
    assertThat(atGateway("events", "-n", "1").out()).contains("--limit shows more");
    Ran unknown = atGateway("tunnels", "-f", "colour=green");
    assertThat(unknown.code()).isEqualTo(1);
    assertThat(unknown.err()).contains("colour");
  }

  @Test
  void theStateIsToldInAFewLines() throws IOException {
    assertThat(atGateway("status").out()).contains("gateway", "state      ready", "tunnels    1");
    assertThat(at(agentManagement, "", "status").out()).contains("agent ours", "1 of 1");
    assertThat(json(atGateway("status", "-o", "json")).path("status").path("kind").asText())
        .isEqualTo("gateway");
  }

  @Test
  void withoutATerminalTopIsShownOnce() {
    Ran top = atGateway("top");
    assertThat(top.code()).as(top.err()).isZero();
    assertThat(top.out())
        .contains("penstock top", "TUNNEL", "tcp-one-echo")
        .doesNotContain("\u001b");
    assertThat(at(agentManagement, "", "top").out()).contains("LEADS TO");
  }

  private static int publicPort() throws IOException {
    return json(atGateway("tunnels", "-o", "json"))
        .path("items")
        .get(0)
        .path("public_port")
        .asInt();
  }

  @Test
  void aStreamIsClosed() throws IOException {
    try (var client = new Socket(InetAddress.getLoopbackAddress(), publicPort())) {
      client.setSoTimeout((int) PATIENCE.toMillis());
      client.getOutputStream().write(7);
      assertThat(client.getInputStream().read()).isEqualTo(7);
      String address = "127.0.0.1:" + client.getLocalPort();
      String id =
          json(atGateway("streams", "-f", "client_address=" + address, "-o", "json"))
              .path("items")
              .get(0)
              .path("id")
              .asText();
      Ran refused = at(gatewayManagement, "reads", "close", "stream", id);
      assertThat(refused.code()).isEqualTo(1);
      assertThat(refused.err()).contains("role: operate");
      assertThat(atGateway("close", "stream", id).code()).isZero();
      assertThat(endsWithAReset(client)).isTrue();
    }
    assertThat(atGateway("close", "stream", "nobody").err()).contains("404");
  }

  @Test
  void aLinkIsClosedAndTheAgentDialsAgain() throws IOException {
    String id = firstLink();
    Ran refused = at(gatewayManagement, "reads", "close", "link", id);
    assertThat(refused.code()).isEqualTo(1);
    assertThat(refused.err()).contains("role: operate");
    Ran closed = atGateway("close", "link", id);
    assertThat(closed.code()).as(closed.err()).isZero();
    assertThat(closed.out()).startsWith(id + ": ");
    await()
        .atMost(PATIENCE)
        .until(() -> {
          JsonNode items = json(atGateway("links", "-o", "json")).path("items");
          return items.size() == 2 && !items.toString().contains('"' + id + '"');
        });
    assertThat(atGateway("close", "link", id).err()).contains("404");
  }

  private static String firstLink() {
    return await()
        .atMost(PATIENCE)
        .until(
            () -> json(atGateway("links", "-o", "json")).path("items"), items -> items.size() == 2)
        .get(0)
        .path("id")
        .asText();
  }

  @Test
  void aPortIsReservedForAClusterAndForAllAgain() throws IOException {
    Ran refused =
        at(gatewayManagement, "reads", "leases", "reserve", "tcp-34997", "--cluster", "x");
    assertThat(refused.code()).isEqualTo(1);
    assertThat(refused.err()).contains("role: operate");
    Ran reserved = atGateway("leases", "reserve", "tcp-34997", "--cluster", "two");
    assertThat(reserved.code()).as(reserved.err()).isZero();
    assertThat(reserved.out()).startsWith("tcp-34997: ");
    assertThat(atGateway("leases").out()).containsPattern("tcp-34997 .*reserved .*two");
    Ran taken = atGateway("leases", "reserve", "tcp-34997", "--cluster", "three");
    assertThat(taken.code()).isEqualTo(1);
    assertThat(taken.err()).contains("409");
    assertThat(atGateway("leases", "unreserve", "tcp-34997").code()).isZero();
    assertThat(atGateway("leases").out()).doesNotContain("tcp-34997");
  }

  /// That of another cluster's tunnel, which no agent registers anew.
  @Test
  void aPortIsReleased() throws Exception {
    var registered =
        HTTP.send(
            HttpRequest.newBuilder(
                    URI.create(
                        "http://127.0.0.1:"
                            + gateway.address().getPort()
                            + "/api/v1/clusters/agent/two/tunnels"))
                .header("Authorization", "Bearer other")
                .POST(
                    HttpRequest.BodyPublishers.ofString(
                        """
                        {"cluster_uuid":"two","protocol":"tcp","tunnel_id":"released","gateway_name":"g",\
                        "gateway_namespace":"ns","gateway_port":80,"service_name":"s",\
                        "service_namespace":"ns","service_port":80,"routing_mode":"tunnel"}\
                        """))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    String lease = "tcp-" + JSON.readTree(registered.body()).path("tunnel_port").asInt();
    assertThat(atGateway("leases").out()).containsPattern(lease + " .*held .*two");
    Ran refused = at(gatewayManagement, "reads", "leases", "release", lease);
    assertThat(refused.code()).isEqualTo(1);
    assertThat(refused.err()).contains("role: operate");
    Ran released = atGateway("leases", "release", lease);
    assertThat(released.code()).as(released.err()).isZero();
    assertThat(released.out()).startsWith(lease + ": ");
    await().atMost(PATIENCE).until(() -> !atGateway("leases").out().contains(lease));
    assertThat(atGateway("leases", "release", lease).err()).contains("404");
    assertThat(atGateway("leases", "release", "port").code()).isEqualTo(1);
  }

  /// At a gateway of its own, which ends with it.
  @Test
  void aNodeIsDrainedByItsName() throws Exception {
    int management = Ports.free();
    try (Gateway _ =
        Gateway.start(
            GatewaySettings.load(
                Files.writeString(
                    directory.resolve("drained.yaml"),
                    """
                    gateway:
                      listen: 127.0.0.1:0
                      data_dir: drained
                      auth: {tokens: [{token: s3cret, cluster: one}]}
                    management:
                      listen: 127.0.0.1:%d
                      tokens:
                        - {name: ann, token: reads}
                        - {name: bob, token: acts, role: operate}
                    """
                        .formatted(management))))) {
      String node = json(at(management, "acts", "nodes", "-o", "json")).at("/items/0/id").asText();
      Ran refused = drain(management, "reads", node);
      assertThat(refused.code()).isEqualTo(1);
      assertThat(refused.err()).contains("role: operate");
      assertThat(drain(management, "acts", "nobody").err()).contains("404");
      assertThat(json(at(management, "acts", "nodes", "-o", "json")).at("/items/0/state").asText())
          .isEqualTo("ready");
      Ran drained = drain(management, "acts", node);
      assertThat(drained.code()).as(drained.err()).isZero();
      assertThat(drained.out()).startsWith(node + ": ");
      await().atMost(PATIENCE).until(() -> !atItAnswersReady(management));
    }
  }

  private static boolean atItAnswersReady(int management) {
    Ran status = at(management, "reads", "status");
    return status.code() == 0 && status.out().contains("state      ready");
  }

  private static Ran drain(int port, String token, String node) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code =
        Cli.commandLine(new DrainCommand(Map.of("PENSTOCK_MANAGEMENT_TOKEN", token)))
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute("drain", node, "--management", "http://127.0.0.1:" + port);
    return new Ran(code, out.toString(), err.toString());
  }

  private static boolean endsWithAReset(Socket client) throws IOException {
    try {
      return client.getInputStream().read() < 0;
    } catch (SocketException _) {
      return true;
    }
  }

  @Test
  void eventsAreFollowedAsTheyHappen() throws Exception {
    var out = new StringWriter();
    var following =
        Thread.ofVirtual()
            .start(() ->
                Cli.commandLine(
                        OperateMain.commands(Map.of("PENSTOCK_MANAGEMENT_TOKEN", "reads"))
                            .toArray())
                    .setOut(new PrintWriter(out))
                    .setErr(new PrintWriter(new StringWriter()))
                    .execute(
                        "events",
                        "--follow",
                        "--management",
                        "http://127.0.0.1:" + gatewayManagement));
    await().atMost(PATIENCE).until(() -> out.toString().contains("link_up"));
    assertThat(out.toString()).doesNotContain("203.0.113.9");
    assertThat(atGateway("ban", "add", "203.0.113.9", "--for", "1m").code()).isZero();
    await().atMost(PATIENCE).until(() -> out.toString().contains("ban_made"));
    following.interrupt();
    assertThat(following.join(PATIENCE)).isTrue();
    List<String> times =
        out.toString()
            .lines()
            .map(line -> line.substring(0, "2026-11-22T01:05:56Z".length()))
            .toList();
    assertThat(times).isSorted();
  }

  @Test
  void aSourceIsBannedAndNoLongerBanned() {
    Ran banned = atGateway("ban", "add", "192.0.2.0/24", "--for", "1h", "--reason", "scans");
    assertThat(banned.code()).as(banned.err()).isZero();
    assertThat(banned.out()).startsWith("192.0.2.0/24: banned until 20");
    assertThat(atGateway("ban").out()).contains("192.0.2.0/24", "bob", "scans");
    assertThat(atGateway("ban", "lift", "192.0.2.0/24").code()).isZero();
    await().atMost(PATIENCE).until(() -> !atGateway("ban").out().contains("192.0.2.0/24"));
  }

  @Test
  void errorsSayWhatToDo() throws IOException {
    assertThat(at(Ports.free(), "", "status").err())
        .contains("nobody listens there", "--management");
    assertThat(
            run(Map.of(), "nodes", "--management", "http://127.0.0.1:" + gatewayManagement).err())
        .contains("401", "PENSTOCK_MANAGEMENT_TOKEN");
    assertThat(at(gatewayManagement, "guessed", "nodes").err()).contains("401", "none of");
    assertThat(at(agentManagement, "", "nodes").err()).contains("404", "ask a gateway");
    assertThat(
            run(Map.of(), "nodes", "--management", "https://127.0.0.1:" + gatewayManagement).err())
        .contains("http");
    assertThat(run(Map.of(), "nodes", "--management", "http://no-such-host.invalid:1").err())
        .contains("no such host");
    try (var silent = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual().start(() -> hangUp(silent));
      assertThat(at(silent.getLocalPort(), "", "status").err())
          .contains("closed without an answer");
    }
  }

  private static void hangUp(ServerSocket server) {
    try {
      while (true) {
        server.accept().close();
      }
    } catch (IOException _) {
      // The end of the test.
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "nodes --limit 0",
        "nodes --management nonsense",
        "nodes --token a --token-file b",
        "nodes --cert-file a",
        "nodes --output xml",
        "close",
        "close dog 1",
        "top --interval 0",
        "ban add 192.0.2.1 --for ever",
        "tunnels extra",
      })
  void badOptionsEndWithTwo(String line) {
    Ran ran = run(Map.of(), line.split(" ", -1));
    assertThat(ran.code()).isEqualTo(2);
    assertThat(ran.err()).contains("--help");
    assertThat(ran.out()).isEmpty();
  }

  @Test
  void everyCommandExplainsItselfWithExamples() {
    for (String name :
        List.of(
            "status",
            "nodes",
            "agents",
            "links",
            "tunnels",
            "streams",
            "sessions",
            "leases",
            "top",
            "events",
            "close",
            "ban")) {
      Ran help = run(Map.of(), name, "--help");
      assertThat(help.code()).isZero();
      assertThat(help.out()).contains("Example", "penstock " + name, "--management");
    }
  }

  /// In a shell as people have it: with a terminal, in which they press the tabulator.
  @Test
  void zshCompletesCommandsAndOptions() throws IOException {
    String zsh = Programs.require("zsh");
    Path script = directory.resolve("completion");
    try (var completion = NodeProcess.start(directory, 0, Map.of(), List.of("completion", "zsh"))) {
      assertThat(completion.awaitExit()).as(completion::report).isZero();
      Files.write(script, completion.output());
    }
    Path program = Files.writeString(directory.resolve("penstock"), "#!/bin/sh\n");
    assertThat(program.toFile().setExecutable(true)).isTrue();
    Path session =
        Files.writeString(
            directory.resolve("session.zsh"),
            """
            zmodload zsh/zpty
            zpty shell "$1 -f -i"
            zpty -w shell "PS1='> '; PATH=$2:\\$PATH; autoload -Uz compinit; compinit -u -D; source $2/completion; echo lo''aded"
            zpty -r shell line '*loaded*'
            complete_line() {
              zpty -w -n shell "$1"$'\\t'
              zpty -r shell line "*$2*" || exit 1
              zpty -w shell $'\\025'
            }
            complete_line 'penstock tunn' 'tunnels'
            complete_line 'penstock leases res' 'reserve'
            complete_line 'penstock nodes --manag' '--management'
            echo all were completed
            """);
    String said =
        Programs.run(
            PATIENCE, directory, List.of(zsh, "-f", session.toString(), zsh, directory.toString()));
    assertThat(said).contains("all were completed");
  }

  @Test
  void theLauncherRunsThem() {
    try (var status =
        NodeProcess.start(
            directory,
            0,
            Map.of("PENSTOCK_MANAGEMENT_TOKEN", "reads"),
            List.of("status", "--management", "http://127.0.0.1:" + gatewayManagement))) {
      assertThat(status.awaitExit()).as(status::report).isZero();
      assertThat(status.output()).contains("state      ready");
    }
    try (var completion =
        NodeProcess.start(directory, 0, Map.of(), List.of("completion", "bash"))) {
      assertThat(completion.awaitExit()).as(completion::report).isZero();
      assertThat(String.join("\n", completion.output()))
          .contains("complete -F", "doctor", "--management", "tunnels", "drain");
    }
  }
}
