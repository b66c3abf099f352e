package dev.penstock.agent.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.agent.kubernetes.backends.BackendChooser;
import dev.penstock.agent.kubernetes.backends.BackendsView;
import dev.penstock.agent.kubernetes.backends.Place;
import dev.penstock.agent.kubernetes.discovery.ClusterView;
import dev.penstock.agent.kubernetes.objects.EndpointSlice;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.Service;
import dev.penstock.agent.kubernetes.publish.Leadership.Office;
import dev.penstock.agent.kubernetes.publish.Writes;
import dev.penstock.agent.kubernetes.watch.Watches;
import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.serve.Found;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.typed.ActorRef;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FinderTest {
  private static final Duration A_MOMENT = Duration.ofMillis(100);
  private static final BackendsView NOTHING =
      new BackendsView() {
        @Override
        public Optional<Service> service(ObjectRef service) {
          return Optional.empty();
        }

        @Override
        public List<EndpointSlice> slices(ObjectRef service) {
          return List.of();
        }
      };
  private static final Watches.State EMPTY =
      new Watches.State(new ClusterView(Map.of(), List.of(), List.of()), List.of(), 0, 0);

  private final ActorTestKit kit = ActorTestKit.create(ManualTime.config());
  private final ManualTime time = ManualTime.get(kit.system());
  private final BlockingQueue<Found> found = new LinkedBlockingQueue<>();
  private final BlockingQueue<Writes> written = new LinkedBlockingQueue<>();
  private final BlockingQueue<List<String>> notReady = new LinkedBlockingQueue<>();

  @TempDir Path directory;
  private ActorRef<Finder.Command> finder;

  @BeforeEach
  void start() throws IOException {
    AgentSettings settings =
        AgentSettings.load(
            Files.writeString(
                directory.resolve("agent.yaml"),
                """
                pipeops: {api_url: "http://g:8080", token: s3cret}
                kubernetes: {resync: 30s}
                """),
            Map.of());
    finder =
        kit.spawn(
            Finder.create(
                new Finder.Setup(
                    settings,
                    new BackendChooser(Place.UNKNOWN, List.of()),
                    NOTHING,
                    written::add,
                    new AgentMeters(new PrometheusRegistry(), new ByteBudget(1)).kubernetes(),
                    found::add,
                    notReady::add)));
  }

  @AfterEach
  void end() {
    kit.shutdownTestKit();
  }

  private Found nextFound() throws InterruptedException {
    for (int i = 0; i < 100; i++) {
      time.timePasses(A_MOMENT);
      Found next = found.poll(100, TimeUnit.MILLISECONDS);
      if (next != null) {
        return next;
      }
    }
    throw new AssertionError("nothing was found");
  }

  private void knowsTheClusterAndTheGateway() throws InterruptedException {
    finder.tell(new Finder.Changed(EMPTY));
    finder.tell(new Finder.Granted(new Grants("lab", Grants.Carriage.LINKED, Map.of())));
    assertThat(nextFound().duty()).isEqualTo(Found.Duty.SERVE);
  }

  @Test
  void nothingIsFoundBeforeClusterAndGatewayAreBothKnown() throws InterruptedException {
    assertThat(notReady.take()).containsExactly("the objects of the cluster are not all read yet");
    finder.tell(new Finder.Changed(EMPTY));
    assertThat(notReady.take()).isEmpty();
    time.timePasses(A_MOMENT);
    assertThat(found).isEmpty();
    knowsTheClusterAndTheGateway();
    assertThat(written).isEmpty();
  }

  @Test
  void whoIsElectedRegistersAndWritesAndWhoIsNotAnyMoreOnlyServes() throws InterruptedException {
    knowsTheClusterAndTheGateway();
    finder.tell(new Finder.Elected(Office.LEADER));
    assertThat(nextFound().duty()).isEqualTo(Found.Duty.REGISTER);
    assertThat(written.take().statuses()).isEmpty();
    finder.tell(new Finder.Elected(Office.FOLLOWER));
    assertThat(nextFound().duty()).isEqualTo(Found.Duty.SERVE);
    assertThat(written).isEmpty();
  }

  @Test
  void everythingIsLookedAtAgainAfterTheResync() throws InterruptedException {
    knowsTheClusterAndTheGateway();
    time.timePasses(Duration.ofSeconds(15));
    assertThat(found.poll(200, TimeUnit.MILLISECONDS)).isNull();
    time.timePasses(Duration.ofSeconds(16));
    assertThat(found.poll(20, TimeUnit.SECONDS)).isNotNull();
  }

  @Test
  void whatTheGatewaySaidBeforeIsNoReasonToLookAgain() throws InterruptedException {
    knowsTheClusterAndTheGateway();
    finder.tell(new Finder.Elected(Office.LEADER));
    assertThat(nextFound().duty()).isEqualTo(Found.Duty.REGISTER);
    assertThat(written.take().statuses()).isEmpty();
    finder.tell(new Finder.Granted(new Grants("lab", Grants.Carriage.LINKED, Map.of())));
    for (int i = 0; i < 5; i++) {
      time.timePasses(A_MOMENT);
      assertThat(written.poll(100, TimeUnit.MILLISECONDS)).isNull();
    }
    finder.tell(new Finder.Granted(new Grants("lab", Grants.Carriage.NOT_LINKED, Map.of())));
    for (int i = 0; i < 100 && written.isEmpty(); i++) {
      time.timePasses(A_MOMENT);
    }
    assertThat(written.poll(20, TimeUnit.SECONDS)).isNotNull();
  }

  @Test
  void whatIsToBeExposedIsHandedOnOnlyWhenItIsSomethingElse() throws InterruptedException {
    knowsTheClusterAndTheGateway();
    finder.tell(new Finder.Elected(Office.LEADER));
    assertThat(nextFound().duty()).isEqualTo(Found.Duty.REGISTER);
    written.take();
    finder.tell(new Finder.Changed(EMPTY));
    time.timePasses(A_MOMENT);
    assertThat(written.poll(20, TimeUnit.SECONDS)).isNotNull();
    assertThat(found).isEmpty();
  }
}
