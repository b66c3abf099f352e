package dev.penstock.agent;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.FakeGateway.FakeLink;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.protocol.control.ControlMessage.Drain;
import dev.penstock.protocol.control.ControlMessage.Drained;
import dev.penstock.protocol.control.ControlMessage.Nodes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// One agent and the nodes of one gateway.
class NodesTest {
  private static final String TUNNEL = "tcp-lab-redis-6379";

  @TempDir Path directory;
  private FakeGateway one;
  private FakeGateway two;
  private Agent agent;

  @BeforeEach
  void startGateways() {
    one = FakeGateway.start();
    two = FakeGateway.start();
  }

  @AfterEach
  void end() {
    if (agent != null) {
      agent.close();
    }
    one.close();
    two.close();
  }

  private void areNodes() {
    var both = List.of(one.asNode("one"), two.asNode("two"));
    one.isNode("one", both);
    two.isNode("two", both);
  }

  private void startAgent(String apiUrls, int links, int service) throws IOException {
    agent =
        Agent.start(
            AgentSettings.load(
                Files.writeString(
                    directory.resolve("agent.yaml"),
                    """
                    pipeops: {api_url: %s, token: s3cret}
                    agent: {id: agent-1, links: {count: %d}, event_loops: 2}
                    tunnels: {services: [{name: redis, port: 6379, target: "127.0.0.1:%d"}]}
                    management: {listen: "127.0.0.1:0"}
                    """
                        .formatted(apiUrls, links, service)),
                Map.of()),
            new Agent.Announcements(_ -> {}, _ -> {}));
  }

  private String apiOf(FakeGateway gateway) {
    return "\"http://127.0.0.1:" + gateway.port() + "\"";
  }

  @Test
  void linksAreSpreadOverTheNodesAndTheOneTooManyIsClosedLast() throws Exception {
    areNodes();
    startAgent(apiOf(one), 2, 1);
    FakeLink first = one.nextLink();
    FakeLink second = one.nextLink();
    FakeLink other = two.nextLink();
    FakeLink[] here = {first, second};
    Patiently.until(() -> first.isSaid() || second.isSaid());
    FakeLink tooMany = here[0].isSaid() ? here[0] : here[1];
    FakeLink kept = here[0].isSaid() ? here[1] : here[0];
    assertThat(tooMany.nextSaid()).isEqualTo(new Drain());
    assertThat(tooMany.isOpen()).isTrue();
    tooMany.tell(new Drained());
    assertThat(tooMany.awaitEnd().detail()).isEqualTo("code 1001: not needed any more");
    assertThat(kept.isOpen()).isTrue();
    assertThat(other.isOpen()).isTrue();
  }

  @Test
  void aLostNodesLinkIsBackOnAnother() throws Exception {
    areNodes();
    startAgent(apiOf(one), 1, 1);
    one.nextLink();
    one.close();
    two.nextLink();
  }

  @Test
  void anAgentToldOfAnotherNodeLaterCanUseIt() throws Exception {
    one.isNode("one", List.of(one.asNode("one")));
    two.isNode("two", List.of(one.asNode("one"), two.asNode("two")));
    startAgent(apiOf(one), 1, 1);
    FakeLink link = one.nextLink();
    link.tell(new Nodes(List.of(one.asNode("one"), two.asNode("two"))));
    link.tell(new Drain());
    two.nextLink();
    assertThat(link.nextSaid()).isEqualTo(new Drained());
  }

  @Test
  void aNodeThatDrainsIsAnsweredOnceThereIsALinkElsewhere() throws Exception {
    areNodes();
    try (var service = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
      startAgent(apiOf(one), 1, service.getLocalPort());
      FakeLink old = one.nextLink();
      var stream = old.open(TUNNEL, 6379);
      try (Socket accepted = service.accept()) {
        stream.awaitConnected();
        old.tell(new Drain());
        FakeLink replacement = two.nextLink();
        assertThat(old.nextSaid()).isEqualTo(new Drained());
        assertThat(replacement.isOpen()).isTrue();
        accepted.getOutputStream().write("still here".getBytes(US_ASCII));
        stream.awaitHeard("still here");
        assertThat(old.isOpen()).isTrue();
      }
    }
  }

  @Test
  void anAgentToldToEndLetsWhatRunsGoOn() throws Exception {
    areNodes();
    try (var service = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
      startAgent(apiOf(one), 1, service.getLocalPort());
      FakeLink link = one.nextLink();
      var stream = link.open(TUNNEL, 6379);
      CompletableFuture<Void> drained;
      try (Socket accepted = service.accept()) {
        stream.awaitConnected();
        drained = agent.drain().toCompletableFuture();
        assertThat(link.nextSaid()).isEqualTo(new Drain());
        link.tell(new Drained());
        accepted.getOutputStream().write("bye".getBytes(US_ASCII));
        stream.awaitHeard("bye");
        assertThat(drained).isNotDone();
        // Ends both directions at once.
        accepted.setSoLinger(true, 0);
      }
      Patiently.get(drained);
      assertThat(link.awaitEnd().detail()).startsWith("code 1001");
    }
  }

  @Test
  void anAgentWithNothingRunningEndsAtOnceWhateverTheGatewayIs() throws Exception {
    startAgent(apiOf(one), 2, 1);
    one.nextLink();
    one.nextLink();
    Patiently.get(agent.drain());
  }

  @Test
  void anyOfSeveralAddressesWillDoAndLinksGoToAllOfThem() throws Exception {
    FakeGateway dead = FakeGateway.start();
    String gone = apiOf(dead);
    dead.close();
    startAgent("[" + gone + ", " + apiOf(one) + ", " + apiOf(two) + "]", 2, 1);
    one.nextRegister();
    one.nextLink();
    two.nextLink();
  }
}
