package dev.penstock.gateway.tunnels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.GatewayLab;
import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.LeaseAuthority;
import dev.penstock.gateway.leases.LeaseMeters;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.LeaseResult;
import dev.penstock.gateway.leases.Reservation;
import dev.penstock.gateway.leases.Reserving;
import dev.penstock.gateway.leases.TableChange;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.sources.Bans;
import dev.penstock.node.Admission;
import dev.penstock.node.NodeSystem;
import dev.penstock.protocol.control.RegisteredTunnel;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.net.ProxyFront;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// One node of several: what its tunnels make of a table that others change, too.
class TunnelsTableTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final NodeSystem node = NodeSystem.start("node", 1);
  private final Others others = new Others();
  private final AtomicBoolean ready = new AtomicBoolean();
  private ActorRef<Tunnels.Command> tunnels;

  /// Answers when the test says so.
  private static final class Others implements LeaseAuthority {
    final LinkedBlockingQueue<CompletableFuture<List<Answer>>> asked = new LinkedBlockingQueue<>();
    Consumer<List<TableChange>> follower;

    @Override
    public CompletionStage<List<Answer>> leaseAll(List<LeaseRequest> requests) {
      var answer = new CompletableFuture<List<Answer>>();
      asked.add(answer);
      return answer;
    }

    @Override
    public CompletionStage<Release> releaseAll(Collection<TunnelIdentity> identities) {
      return CompletableFuture.completedFuture(
          new Release.Unavailable(new Away("the store is away", Duration.ofSeconds(7))));
    }

    @Override
    public CompletionStage<Release> releaseUnnamed(
        Collection<TunnelIdentity> identities, Duration grace) {
      return releaseAll(identities);
    }

    @Override
    public CompletionStage<Release> refusedBySystem(TunnelRecord granted, TunnelRecord before) {
      return releaseAll(List.of());
    }

    @Override
    public CompletionStage<Void> handOver() {
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public CompletionStage<Reserving> reserve(Reservation reservation) {
      return reservations();
    }

    @Override
    public CompletionStage<Reserving> unreserve(Transport transport, int port) {
      return reservations();
    }

    @Override
    public CompletionStage<Reserving> reservations() {
      return CompletableFuture.completedFuture(new Reserving.Done(List.of()));
    }

    @Override
    public void follow(Consumer<List<TableChange>> follower) {
      this.follower = follower;
    }
  }

  @BeforeEach
  void start() {
    var budget = new ByteBudget(1 << 20);
    var meters = new GatewayMeters(new PrometheusRegistry(), budget);
    var shared =
        new Tunnel.Shared(
            node.loops(),
            new Links(10),
            new PublicDoors(),
            new Admission(10),
            ProxyFront.OFF,
            AccessRules.EVERYBODY,
            new Bans(),
            meters,
            new BadPeers(meters));
    tunnels =
        node.actors()
            .systemActorOf(
                Tunnels.create(
                    new Tunnels.Setup(
                        shared,
                        new UdpTunnel.Shared(
                            shared,
                            new UdpSettings(Duration.ofMinutes(1), 10, 2048, 1 << 17),
                            budget),
                        others,
                        new LeaseMeters(new PrometheusRegistry()),
                        "127.0.0.1",
                        Duration.ZERO,
                        () -> ready.set(true))),
                "tunnels",
                DispatcherSelector.blocking());
    await().atMost(PATIENCE).until(() -> others.follower != null);
  }

  @AfterEach
  void end() {
    node.close();
  }

  private static TunnelRegistration registration() {
    return GatewayLab.tunnel("redis", 6379).build();
  }

  private static TunnelRecord record(int port, long fencing) {
    return new TunnelRecord(
        new TunnelIdentity("lab", registration().tunnelId()),
        Transport.TCP,
        new Lease(port, fencing),
        Origin.REGISTRATION,
        registration().encode());
  }

  private void table(TableChange... changes) {
    others.follower.accept(List.of(changes));
  }

  private static boolean listens(int port) {
    try (var socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  private TestProbe<Tunnels.Answer> register() {
    var probe = TestProbe.<Tunnels.Answer>create(node.actors());
    tunnels.tell(new Tunnels.Register("lab", registration(), probe.getRef()));
    return probe;
  }

  private void answer(TunnelRecord tunnel, long revision) throws InterruptedException {
    others
        .asked
        .poll(20, TimeUnit.SECONDS)
        .complete(
            List.of(
                new LeaseAuthority.Answer.Decided(
                    new LeaseResult.Granted(tunnel, LeaseResult.Change.NEW),
                    new LeaseAuthority.Fresh(null),
                    revision)));
  }

  @Test
  void whatIsRegisteredElsewhereIsListenedForHereBeforeTheNodeIsReadyUntilItEnds()
      throws Exception {
    int port = GatewayLab.freePort();
    table(new TableChange.Held(record(port, 1), 5));
    await().atMost(PATIENCE).until(() -> listens(port));
    assertThat(ready).isFalse();
    table(new TableChange.Complete());
    await().atMost(PATIENCE).untilTrue(ready);
    table(new TableChange.Released(record(port, 1).identity(), 6));
    await().atMost(PATIENCE).until(() -> !listens(port));
  }

  private boolean isToldAsListening() {
    var probe = TestProbe.<Tunnels.Listed>create(node.actors());
    tunnels.tell(new Tunnels.ListAll("lab", probe.getRef()));
    return probe.receiveMessage(PATIENCE).tunnels().stream()
        .anyMatch(it -> it.state() == RegisteredTunnel.State.LISTENING);
  }

  @Test
  void aTunnelThatIsChangedBeforeTheTableIsCompleteKeepsTheNodeFromNothing() throws Exception {
    int port = GatewayLab.freePort();
    table(new TableChange.Held(record(port, 1), 5));
    await().atMost(PATIENCE).until(this::isToldAsListening);
    table(new TableChange.Held(record(port, 1), 6), new TableChange.Complete());
    await().atMost(PATIENCE).untilTrue(ready);
  }

  @Test
  void aSyncOfWhichNothingCouldBeDecidedIsNotAnsweredTunnelByTunnel() throws Exception {
    table(new TableChange.Complete());
    var probe = TestProbe.<Tunnels.Synced>create(node.actors());
    tunnels.tell(new Tunnels.Sync("lab", List.of(registration()), Set.of("other"), probe.getRef()));
    others
        .asked
        .poll(20, TimeUnit.SECONDS)
        .complete(
            List.of(
                new LeaseAuthority.Answer.Unavailable(
                    new LeaseAuthority.Away("the store is away", Duration.ofSeconds(7)))));
    assertThat(probe.receiveMessage(PATIENCE))
        .isEqualTo(new Tunnels.Synced.Unavailable("the store is away", Duration.ofSeconds(7)));
  }

  @Test
  void aTunnelThatMovesToAnotherPortIsListenedForThere() throws Exception {
    int before = GatewayLab.freePort();
    table(new TableChange.Complete(), new TableChange.Held(record(before, 1), 5));
    await().atMost(PATIENCE).until(() -> listens(before));
    int after = GatewayLab.freePort();
    table(new TableChange.Held(record(after, 1), 7), new TableChange.Held(record(before, 1), 6));
    await().atMost(PATIENCE).until(() -> listens(after) && !listens(before));
    table(new TableChange.Released(record(after, 1).identity(), 6));
    var probe = register();
    answer(record(after, 1), 7);
    assertThat(probe.receiveMessage(PATIENCE)).isInstanceOf(Tunnels.Answer.Registered.class);
    assertThat(listens(after)).isTrue();
  }

  @Test
  void anAnswerThatTheTableHasOvertakenBindsNothing() throws Exception {
    int port = GatewayLab.freePort();
    table(new TableChange.Complete());
    var probe = register();
    var asked = others.asked.poll(20, TimeUnit.SECONDS);
    others.asked.add(asked);
    table(
        new TableChange.Held(record(port, 1), 5),
        new TableChange.Released(record(port, 1).identity(), 6));
    var listed = TestProbe.<Tunnels.Listed>create(node.actors());
    tunnels.tell(new Tunnels.ListAll("lab", listed.getRef()));
    assertThat(listed.receiveMessage(PATIENCE).tunnels()).isEmpty();
    answer(record(port, 1), 5);
    assertThat(probe.receiveMessage(PATIENCE)).isInstanceOf(Tunnels.Answer.Unavailable.class);
    // What the table began may still be on its way out.
    await().atMost(PATIENCE).until(() -> !listens(port));
  }

  @Test
  void anAnswerThatComesAfterTheTableHasToldOfItIsARegistration() throws Exception {
    int port = GatewayLab.freePort();
    table(new TableChange.Complete());
    var probe = register();
    table(new TableChange.Held(record(port, 1), 5));
    await().atMost(PATIENCE).until(() -> listens(port));
    answer(record(port, 1), 5);
    assertThat(probe.receiveMessage(PATIENCE)).isInstanceOf(Tunnels.Answer.Registered.class);
  }

  @Test
  void aStoreThatIsAwayIsSaidWithTheTimeToComeBackAndTheTunnelStays() throws Exception {
    int port = GatewayLab.freePort();
    table(new TableChange.Complete(), new TableChange.Held(record(port, 1), 5));
    await().atMost(PATIENCE).until(() -> listens(port));
    var probe = TestProbe.<Tunnels.Deregistered>create(node.actors());
    tunnels.tell(new Tunnels.Deregister(record(port, 1).identity(), probe.getRef()));
    assertThat(probe.receiveMessage(PATIENCE))
        .isEqualTo(
            new Tunnels.Deregistered.Unavailable("the store is away", Duration.ofSeconds(7)));
    assertThat(listens(port)).isTrue();
  }

  @Test
  void aGrantThatCannotBeTakenBackIsListenedForOnceTheOtherProgramIsGone() throws Exception {
    table(new TableChange.Complete());
    int port = GatewayLab.freePort();
    var probe = register();
    try (var other = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      answer(record(other.getLocalPort(), 1), 5);
      assertThat(probe.receiveMessage(PATIENCE)).isInstanceOf(Tunnels.Answer.Unavailable.class);
    }
    await().atMost(PATIENCE).until(this::isToldAsListening);
    assertThat(listens(port)).isTrue();
  }

  @Test
  void anEndThatMeetsAFailedAttemptToBindKeepsThePortFromNobody() throws Exception {
    table(new TableChange.Complete());
    var random = new SplittableRandom(7);
    int port = GatewayLab.freePort();
    int revision = 0;
    try (var other = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      for (int i = 0; i < 300; i++) {
        table(new TableChange.Held(record(other.getLocalPort(), i), ++revision));
        // From before the attempt to after it has failed.
        LockSupport.parkNanos(random.nextInt(1_500_000));
        table(new TableChange.Released(record(port, i).identity(), ++revision));
      }
    }
    table(new TableChange.Held(record(port, 1_000), ++revision));
    await().atMost(PATIENCE).until(this::isToldAsListening);
  }

  private static TableChange.Whole nothingAt(int first, int last, long upTo) {
    return new TableChange.Whole(Transport.TCP, first, last, Set.of(), Map.of("lab", upTo));
  }

  @Test
  void aTunnelOfWhoseGrantAndEndTheTableNeverToldEndsWithTheNextWholeTable() throws Exception {
    int port = GatewayLab.freePort();
    table(new TableChange.Complete());
    var probe = register();
    answer(record(port, 1), 5);
    assertThat(probe.receiveMessage(PATIENCE)).isInstanceOf(Tunnels.Answer.Registered.class);
    table(
        nothingAt(port, port, 4),
        nothingAt(1, port - 1, 9),
        nothingAt(port + 1, 65_535, 9),
        new TableChange.Whole(Transport.UDP, port, port, Set.of(), Map.of("lab", 9L)),
        new TableChange.Whole(Transport.TCP, port, port, Set.of(), Map.of("other", 9L)),
        new TableChange.Whole(
            Transport.TCP, port, port, Set.of(record(port, 1).identity()), Map.of("lab", 9L)));
    assertThat(isToldAsListening()).isTrue();
    table(nothingAt(port, port, 5));
    await().atMost(PATIENCE).until(() -> !listens(port));
    assertThat(isToldAsListening()).isFalse();
  }
}
