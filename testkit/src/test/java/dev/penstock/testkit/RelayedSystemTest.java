package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.testkit.EchoService.Behaviour;
import dev.penstock.testkit.EchoService.End;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A connection through two nodes is what it is through one: every client here comes to a node
/// without a link, which gives it to the node that has the agent's only one.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
@Tag("alone")
class RelayedSystemTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));
  private static final Duration RESET = Limits.time(Duration.ofMillis(100));
  private static final Duration P99 = Limits.time(Duration.ofMillis(10));
  private static final int READERS = 200;
  private static final int PINGS = 2_000;

  /// The budget of a process for slow readers (`windows.process_budget`).
  private static final long LARGEST_GROWTH = 256L << 20;

  private static final Payload UP = new Payload(51, 64L << 20);
  private static final Payload DOWN = new Payload(52, 64L << 20);
  private static final Payload LONG_UP = new Payload(53, 1L << 30);
  private static final Payload LONG_DOWN = new Payload(54, 1L << 30);
  private static final Payload AFTER_END = new Payload(55, 20_000_000);
  private static final Payload SHORT = new Payload(56, 1_000);
  private static final BlockingQueue<Payload.Digest> REPORTS = new LinkedBlockingQueue<>();
  private static final BlockingQueue<End> ENDS = new LinkedBlockingQueue<>();
  private static final Semaphore RESETS = new Semaphore(0);

  @TempDir static Path directory;
  private static ClusterLab lab;

  /// The node without a link, and the one with it.
  private static int near;

  private static int far;

  private final List<Socket> clients = new ArrayList<>();
  private final Pushers pushers = new Pushers();

  @BeforeAll
  static void start() throws Exception {
    lab =
        ClusterLab.in(directory, 2)
            .withoutCuts()
            .agentLinks(1)
            .expose("echo", EchoService.start(Behaviour.echo()))
            .expose("exchange", EchoService.start(Behaviour.exchange(DOWN)))
            .expose("long-exchange", EchoService.start(Behaviour.exchange(LONG_DOWN)))
            .expose("after-end", EchoService.start(Behaviour.sendAfterEnd(AFTER_END)))
            .expose("ends-first", EchoService.start(Behaviour.sendThenReport(SHORT, REPORTS::add)))
            .expose("reports", EchoService.start(Behaviour.reportEnd(ENDS)))
            .expose("resets", EchoService.start(Behaviour.resetOn(RESETS)))
            .expose("closed", "127.0.0.1:" + Ports.free())
            .expose("flood", EchoService.start(Behaviour.flood()))
            .expose("deaf", EchoService.start(Behaviour.deaf()));
    lab.start();
    lab.startAgent(0);
    await("a link").atMost(PATIENCE).until(() -> lab.nodesWithLinks().size() == 1);
    far = lab.nodesWithLinks().getFirst();
    near = 1 - far;
    await("the node without a link serves").atMost(PATIENCE).until(() -> lab.echoes(near, "echo"));
  }

  @AfterAll
  static void stop() {
    lab.close();
  }

  @AfterEach
  void everyStreamTookTheWayOverTheOtherNode() {
    assertThat(lab.links(near)).isZero();
    assertThat(lab.node(near).metric("penstock_gateway_relay_streams_total{", "\"out\""))
        .isPositive();
  }

  @AfterEach
  void closeClients() throws IOException {
    for (Socket client : clients) {
      client.close();
    }
  }

  private static Socket connect(String service) throws IOException {
    Socket client = lab.connect(near, service);
    client.setSoTimeout((int) PATIENCE.toMillis());
    return client;
  }

  private static void roundTrip(Socket client) throws IOException {
    client.getOutputStream().write('?');
    assertThat(client.getInputStream().read()).as(lab::report).isEqualTo('?');
  }

  @Test
  void bothDirectionsAtOnceArriveUnchanged() throws Exception {
    exchange("exchange", UP, DOWN);
  }

  @Test
  @Tag("long")
  void aGibibyteEachWayAtOnceArrivesUnchanged() throws Exception {
    exchange("long-exchange", LONG_UP, LONG_DOWN);
  }

  private static void exchange(String service, Payload up, Payload down) throws Exception {
    try (Socket client = connect(service);
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var sent =
          threads.submit(() -> {
            up.write(client.getOutputStream());
            client.shutdownOutput();
            return null;
          });
      var in = client.getInputStream();
      assertThat(Payload.Digest.ofNext(in, down.length())).as(lab::report).isEqualTo(down.digest());
      assertThat(Payload.Digest.read(in)).as(lab::report).isEqualTo(up.digest());
      sent.get();
    }
  }

  @Test
  void aServiceCanSendAfterTheClientHasFinished() throws IOException {
    try (Socket client = connect("after-end")) {
      SHORT.write(client.getOutputStream());
      client.shutdownOutput();
      assertThat(Payload.Digest.toEnd(client.getInputStream()))
          .as(lab::report)
          .isEqualTo(AFTER_END.digest());
    }
  }

  @Test
  void aClientCanSendAfterTheServiceHasFinished() throws Exception {
    try (Socket client = connect("ends-first")) {
      assertThat(Payload.Digest.toEnd(client.getInputStream()))
          .as(lab::report)
          .isEqualTo(SHORT.digest());
      AFTER_END.write(client.getOutputStream());
      client.shutdownOutput();
      assertThat(REPORTS.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS))
          .as(lab::report)
          .isEqualTo(AFTER_END.digest());
    }
  }

  @RepeatedTest(5)
  void aClientsResetReachesTheService() throws Exception {
    Socket client = connect("reports");
    roundTrip(client);
    ENDS.clear();
    client.setSoLinger(true, 0);
    long begun = System.nanoTime();
    client.close();
    End end = ENDS.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    assertThat(end).as(lab::report).isNotNull();
    assertThat(end.how()).as(lab::report).isEqualTo(End.How.RESET);
    assertThat(Duration.ofNanos(end.nanos() - begun)).isLessThan(RESET);
  }

  @RepeatedTest(5)
  void aServicesResetReachesTheClient() throws IOException {
    try (Socket client = connect("resets")) {
      roundTrip(client);
      long begun = System.nanoTime();
      RESETS.release();
      End end = End.of(client.getInputStream());
      assertThat(end.how()).as(lab::report).isEqualTo(End.How.RESET);
      assertThat(Duration.ofNanos(end.nanos() - begun)).isLessThan(RESET);
    }
  }

  @RepeatedTest(5)
  void aRefusingServiceResetsTheClient() throws IOException {
    long begun = System.nanoTime();
    End end = refusal();
    assertThat(end.how()).as(lab::report).isEqualTo(End.How.RESET);
    assertThat(Duration.ofNanos(end.nanos() - begun)).isLessThan(RESET);
  }

  /// The reset may come so soon that the client still counts as connecting; being refused by the
  /// public port itself is something else.
  private static End refusal() throws IOException {
    try (Socket client = connect("closed")) {
      return End.of(client.getInputStream());
    } catch (ConnectException notListening) {
      throw notListening;
    } catch (SocketException reset) {
      return new End(End.How.RESET, System.nanoTime());
    }
  }

  @Test
  void clientsThatStopReadingHoldUpNobodyElse() throws IOException {
    growthBesideServedOthers(this::stallClients);
  }

  @Test
  @Tag("long")
  void clientsThatStopReadingStayWithinTheBudget() throws IOException {
    assertThat(growthBesideServedOthers(this::stallClients)).isLessThan(LARGEST_GROWTH);
  }

  private void stallClients() throws IOException {
    for (int i = 0; i < READERS; i++) {
      clients.add(connect("flood"));
    }
  }

  @Test
  @Tag("long")
  void servicesThatStopReadingHoldUpNobodyElseAndStayWithinTheBudget() throws IOException {
    long growth =
        growthBesideServedOthers(() -> {
          for (int i = 0; i < READERS; i++) {
            Socket client = connect("deaf");
            clients.add(client);
            Thread.ofVirtual().start(() -> pushers.push(client));
          }
          pushers.awaitStanding();
        });
    assertThat(growth).isLessThan(LARGEST_GROWTH);
  }

  private interface Stall {
    void begin() throws IOException;
  }

  /// Bytes by which the resident memory of one of the processes grew, at most.
  private static long growthBesideServedOthers(Stall stall) throws IOException {
    var processes = List.of(lab.node(near), lab.node(far), lab.agent());
    long[] before = processes.stream().mapToLong(NodeProcess::residentBytes).toArray();
    stall.begin();
    try (Pinger pinger = Pinger.over(connect("echo"))) {
      Duration first = pinger.p99(PINGS);
      Duration p99 = pinger.p99(PINGS);
      long[] growth = new long[before.length];
      for (int i = 0; i < growth.length; i++) {
        growth[i] = processes.get(i).residentBytes() - before[i];
      }
      System.out.printf(
          "relayed, beside %d readers that stopped: ping p99 %s while they fill, %s after; accepting"
              + " node +%d, node with the link +%d, agent +%d bytes%n",
          READERS, first, p99, growth[0], growth[1], growth[2]);
      assertThat(p99).as(lab::report).isLessThan(P99);
      return Arrays.stream(growth).max().orElseThrow();
    }
  }
}
